"""Problem by problem, by difficulty and by kind of failure."""

import numpy as np
import pytest

from localdistill.bootstrap import Confidence
from localdistill.report import plots, problems, reading
from localdistill.types import Verdict
from tests.report.making import PASSES


def verdict(problem, sample, passed):
    return Verdict(problem_id=problem, sample=sample, status="passed" if passed else "failed")


def test_pairs_are_in_both_and_begin_with_the_largest_gain(finished):
    found = problems.pairs(reading.read(finished.path).evaluation)
    assert found[0] == problems.Pair("p0", (0, 4), (4, 4))
    assert [pair.gain for pair in found] == sorted((pair.gain for pair in found), reverse=True)
    assert len(found) == len(PASSES)


def test_difficulty_is_not_measured_by_the_samples_that_it_is_told_by():
    """Two models that are alike: grouped by all samples, hard problems would seem to win."""
    rng = np.random.default_rng(5)
    before, after, naive = [], [], []
    for number, chance in enumerate(rng.uniform(0.1, 0.6, 3000)):
        drawn = rng.random(8) < chance
        before += [verdict(str(number), sample, ok) for sample, ok in enumerate(drawn[:4])]
        after += [verdict(str(number), sample, ok) for sample, ok in enumerate(drawn[4:])]
        if not drawn[:4].any():
            naive.append(drawn[4:].mean())
    assert np.mean(naive) > 0.2  # what would be read as a gain
    groups = problems.by_difficulty(before, after)
    assert [group.name for group in groups] == [
        "never solved", "sometimes solved", "always solved",
    ]  # fmt: skip
    for group in groups:
        assert group.gain == pytest.approx(0, abs=0.03)
        assert group.low <= group.gain <= group.high


def test_a_problem_with_one_sample_has_no_difficulty():
    assert problems.by_difficulty([verdict("a", 0, True)], [verdict("a", 0, True)]) == []


def test_groups_have_the_intervals_of_the_comparison(finished):
    run = reading.read(finished.path)
    pairs = problems.pairs(run.evaluation)
    usual = problems.by_label(pairs, run.problems)
    surer = problems.by_label(pairs, run.problems, Confidence(0.99))
    for one, other in zip(usual, surer, strict=True):
        assert other.high - other.low > one.high - one.low


def test_groups_by_the_sets_own_difficulty(finished):
    run = reading.read(finished.path)
    easy, hard = problems.by_label(problems.pairs(run.evaluation), run.problems)
    assert (easy.name, easy.problems, hard.name, hard.problems) == ("easy", 6, "hard", 6)
    even = PASSES[::2]
    assert easy.before == pytest.approx(sum(before for before, _ in even) / 24)
    assert easy.after == pytest.approx(sum(after for _, after in even) / 24)


def test_failures_count_every_sample_once_and_the_later_verdict(finished):
    run = reading.read(finished.path)
    found = problems.failures(run.before.verdicts, run.after.verdicts)
    assert found[0].status == "passed"
    assert sum(row.before for row in found) == sum(row.after for row in found) == 4 * len(PASSES)
    assert sum(row.before_share for row in found) == pytest.approx(1)
    twice = [verdict("a", 0, False), verdict("a", 0, True)]
    assert [(row.status, row.before) for row in problems.failures(twice, [])] == [("passed", 1)]


def test_rates_in_a_plot_are_exact_where_they_can_be_told_apart():
    assert [plots._rate(passed, 4, 4) for passed in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    many = [plots._rate(passed, 16, 8) for passed in range(17)]
    assert (many[0], many[16]) == (0, 1)
    assert all(0 < rate < 1 for rate in many[1:16])
    assert many == sorted(many)
