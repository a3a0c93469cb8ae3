"""Generation that ends in time: whole problems, and no more than there is time for."""

import pytest

from localdistill.backends.base import GenerationRequest
from localdistill.markers import is_done
from localdistill.stages import generate
from localdistill.stages.generate_until import (
    Until,
    UntilSource,
    chunks_until,
    shuffled,
)
from localdistill.types import Completion
from tests.stages import test_generate
from tests.stages.test_generate import FakeGenerator


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def request(problem, sample):
    return GenerationRequest(problem, sample, [], 1, None)


def row(problem, sample):
    return Completion(
        problem_id=problem,
        sample=sample,
        text="x",
        finish_reason="stop",
        token_count=1,
        mean_logprob=None,
        seed=1,
    )


def work(problems, samples=2):
    return [request(name, sample) for name in problems for sample in range(samples)]


def drain(source, clock, took):
    """Draw one request after the other, each in ``took`` seconds."""
    found = []
    while (taken := source.take(wait=True)) is not None:
        clock.now += took
        source.completed(row(*taken.key))
        found.append(taken.key)
    return found


def test_no_problem_is_begun_that_would_end_too_late_and_begun_ones_are_finished():
    clock = Clock()
    source = UntilSource(work("abcd"), set(), Until(5.0, 2), clock)
    # At 4 s a third would begin: its samples of 2 s would end after 5.
    assert drain(source, clock, 2.0) == [("a", 0), ("a", 1)]
    clock = Clock()
    source = UntilSource(work("abcd"), set(), Until(5.0, 2), clock)
    assert drain(source, clock, 1.1) == [(name, n) for name in "ab" for n in (0, 1)]


def test_one_problem_is_drawn_however_late_it_is():
    clock = Clock()
    assert drain(UntilSource(work("ab"), set(), Until(-1.0, 2), clock), clock, 1.0) == [
        ("a", 0),
        ("a", 1),
    ]


def test_what_was_begun_before_a_kill_comes_first_and_is_finished():
    clock = Clock()
    missing = [request("a", 1), *work("b"), request("c", 0)]
    source = UntilSource(missing, {"c", "x"}, Until(-1.0, 2), clock)
    assert drain(source, clock, 1.0) == [("c", 0)]


def test_all_is_drawn_where_there_is_time():
    clock = Clock()
    assert len(drain(UntilSource(work("abc"), set(), Until(100.0, 2), clock), clock, 1.0)) == 6


def test_the_order_is_random_repeatable_and_keeps_problems_together():
    given = work([f"p{n}" for n in range(30)])
    order = shuffled(given, 1)
    assert order == shuffled(given, 1) != shuffled(given, 2)
    assert sorted(order, key=lambda each: (int(each.problem_id[1:]), each.sample)) == given
    assert [each.sample for each in order] == [0, 1] * 30
    # What is missing is in the same order as it was among all.
    left = [each for each in given if each.problem_id in ("p3", "p9", "p20")]
    ranks = [each.problem_id for each in order if each in left]
    assert [each.problem_id for each in order if each.problem_id in ranks] == ranks


def test_chunks_end_when_the_next_would_be_late():
    clock = Clock()
    chunks = [work(name) for name in "abcd"]
    seen = []
    for chunk in chunks_until(chunks, Until(5.0, 2), clock):
        seen.append(chunk)
        clock.now += 2.0
    assert seen == chunks[:2]
    clock.now = 9.0
    assert list(chunks_until(chunks, Until(5.0, 2), clock)) == chunks[:1]


def test_chunks_end_where_no_problem_is_half_drawn():
    given = work("abcdef", samples=3)  # 18 samples, in chunks of 4: whole problems every third
    chunks = [given[start : start + 4] for start in range(0, 18, 4)]
    clock = Clock()
    assert list(chunks_until(chunks, Until(-1.0, 3), clock)) == chunks[:3]
    seen = []
    for chunk in chunks_until(chunks, Until(4.9, 3), clock):  # two more end at 5.0
        seen.append(chunk)
        clock.now += 1.0
    assert seen == chunks[:3]
    clock.now = 0.0
    for chunk in chunks_until(chunks, Until(5.0, 3), clock):
        seen.append(chunk)
        clock.now += 1.0
    assert seen[3:] == chunks


def test_a_problem_whose_samples_take_turns_needs_that_much_longer():
    clock = Clock()
    source = UntilSource(work("abcd"), set(), Until(5.0, 2, turns=4), clock)
    assert drain(source, clock, 1.0) == [("a", 0), ("a", 1)]


class OneByOne(FakeGenerator):
    """Draws what a source hands out."""

    def generate(self, requests, tick=None):
        while (taken := requests.take(wait=True)) is not None:
            yield from super().generate([taken], tick)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "check_model", lambda path: None)
    monkeypatch.setattr(test_generate, "FakeGenerator", OneByOne)
    return test_generate.Stage(tmp_path)


def test_a_stage_whose_time_is_over_is_done_and_says_what_it_left_out(stage):
    summary = stage.run(until=0.0)
    assert len({row.problem_id for row in stage.rows()}) == 1
    assert (summary.completions, summary.left_out) == (3, 2)
    assert is_done(stage.out)
    again = stage.run(until=0.0)
    assert (again.skipped, again.left_out) == (True, 2)


def test_a_stage_that_was_killed_finishes_the_problem_it_had_begun(stage):
    with pytest.raises(test_generate.Killed):
        stage.run(die_after=2, until=0.0)
    begun = {row.problem_id for row in stage.rows()}
    assert len(stage.rows()) == 2
    assert stage.run(until=0.0).completions == 3
    assert {row.problem_id for row in stage.rows()} == begun


def test_in_chunks_only_whole_problems_are_drawn(stage, monkeypatch):
    monkeypatch.setattr(test_generate, "FakeGenerator", FakeGenerator)
    # Two of its three samples fit into a chunk: the second chunk has the third.
    summary = stage.run(until=0.0, deterministic=True, slots=2, samples=3)
    assert {row.problem_id for row in stage.rows()} == {"p0", "p1"}
    assert (summary.completions, summary.left_out) == (6, 1)
