import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localdistill import control
from localdistill.backends.base import GenerationStats
from localdistill.errors import ConfigError, Stopped, UserError
from localdistill.events import StageFinished, StageProgress, StageStarted, ignore
from localdistill.jsonl import read_rows
from localdistill.markers import is_done, marker
from localdistill.sampling import Sampling
from localdistill.stages import generate
from localdistill.stages.generate import GenerateRequest, run, seed_of
from localdistill.stages.generate_resume import record
from localdistill.types import Completion
from tests.backends.reference import SEED_MODEL


class Killed(BaseException):
    """Stands for a kill: nothing in the stage may catch it."""


class FakeGenerator:
    """Its texts depend on the composition of the batch, as those of a real model do."""

    def __init__(self, slots=4, threads=1, die_after=None, ticks=0):
        self.slots, self.threads = slots, threads
        self.stats = GenerationStats()
        self.calls, self.closed, self.prepared = [], 0, []
        self._die_after, self._ticks = die_after, ticks

    def prepare(self, requests):
        self.prepared = list(requests)
        if any(len(request.messages[0].content) > 200 for request in requests):
            raise UserError("too long")

    def generate(self, requests, tick=None):
        self.calls.append([request.key for request in requests])
        together = repr([(request.key, request.seed) for request in requests])
        # A real generator yields them in the order in which they finish.
        for request in sorted(requests, key=lambda request: request.seed):
            if self._die_after == 0:
                raise Killed
            if self._die_after is not None:
                self._die_after -= 1
            for _ in range(self._ticks):
                tick(self.stats)
            text = hashlib.sha256(f"{together}{request.key}".encode()).hexdigest()
            self.stats.decoded_tokens += 3
            yield Completion(
                problem_id=request.problem_id,
                sample=request.sample,
                text=text,
                finish_reason="length" if request.sample == 0 else "stop",
                token_count=3,
                mean_logprob=-0.5,
                seed=request.seed,
            )

    def close(self):
        self.closed += 1


@pytest.fixture(autouse=True)
def any_file_is_a_model(monkeypatch):
    monkeypatch.setattr(generate, "check_model", lambda path: None)


class Stage:
    """One directory with a model, problems and an output file; each ``run`` has a new generator."""

    def __init__(self, folder, problems=3):
        folder.mkdir(parents=True, exist_ok=True)
        self.model = folder / "model.gguf"
        self.model.write_bytes(b"weights")
        self.problems = folder / "problems.jsonl"
        self.write_problems([f"question {number}" for number in range(problems)])
        self.out = folder / "completions.jsonl"
        self.generator = None
        self.events = []

    def write_problems(self, prompts):
        rows = [{"id": f"p{number}", "prompt": prompt} for number, prompt in enumerate(prompts)]
        self.problems.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(self, die_after=None, ticks=0, **changes):
        values = {
            "model": self.model,
            "problems": str(self.problems),
            "samples": 3,
            "out": self.out,
            "slots": 4,
            "threads": 1,
            **changes,
        }

        def open_fake(request, slots, threads):
            self.generator = FakeGenerator(slots, threads, die_after, ticks)
            return self.generator

        self.generator = None
        self.events = []
        return run(GenerateRequest(**values), self.events.append, open_generator=open_fake)

    def rows(self):
        return read_rows(self.out, Completion)

    def keys(self):
        return [row.key for row in self.rows()]


WANTED = [(f"p{problem}", sample) for problem in range(3) for sample in range(3)]


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_every_sample_of_every_problem_is_written_once(stage):
    summary = stage.run()
    assert sorted(stage.keys()) == WANTED
    assert (summary.completions, summary.tokens, summary.cut_by_length) == (9, 27, 3)
    assert is_done(stage.out)
    assert stage.generator.closed == 1


def test_requests_of_one_problem_stand_side_by_side(stage):
    stage.run()
    assert stage.generator.calls == [WANTED]


def test_seeds_are_pinned():
    # Changing the derivation changes every run ever made: these are values, not a formula.
    assert seed_of(0, 0, "generate", "HumanEval/0", 0) == 3386557930
    assert seed_of(7, 2, "evaluate dev", "601", 3) == 1063430900


def test_every_part_of_the_derivation_changes_the_seed():
    base = (0, 0, "generate", "1", 0)
    others = [(1, *base[1:]), (0, 1, *base[2:]), (0, 0, "g", "1", 0), (0, 0, "generate", "10", 0)]
    assert len({seed_of(*values) for values in [base, *others, (*base[:4], 1)]}) == 6


def test_rows_carry_their_seed(stage):
    stage.run(seed=5, round=2, purpose="dev")
    assert all(row.seed == seed_of(5, 2, "dev", *row.key) for row in stage.rows())


@pytest.mark.parametrize("finished", range(9))
def test_after_a_kill_only_what_is_missing_is_drawn(stage, finished):
    with pytest.raises(Killed):
        stage.run(die_after=finished)
    kept = stage.keys()
    assert len(kept) == finished
    assert not is_done(stage.out)
    stage.run()
    assert stage.generator.calls == [[key for key in WANTED if key not in kept]]
    assert sorted(stage.keys()) == WANTED


def test_the_generator_is_closed_when_it_fails(stage):
    with pytest.raises(Killed):
        stage.run(die_after=1)
    assert stage.generator.closed == 1


@pytest.mark.parametrize("deterministic", [False, True])
@settings(max_examples=60)
@given(cut=st.floats(min_value=0, max_value=1))
def test_a_file_torn_at_any_byte_is_completed(tmp_path_factory, deterministic, cut):
    stage = Stage(tmp_path_factory.mktemp("torn"))
    stage.run(deterministic=deterministic)
    whole = stage.out.read_bytes()
    stage.out.write_bytes(whole[: round(cut * len(whole))])
    Path(f"{stage.out}.done").unlink()
    stage.run(deterministic=deterministic)
    assert sorted(stage.keys()) == WANTED
    if deterministic:
        assert stage.out.read_bytes() == whole


def test_deterministic_chunks_are_decoded_alone_and_in_order(stage):
    stage.run(deterministic=True)
    assert stage.generator.calls == [WANTED[:4], WANTED[4:8], WANTED[8:]]
    assert stage.keys() == WANTED


@pytest.mark.parametrize("finished", range(9))
def test_deterministic_runs_give_the_same_texts_after_a_kill(tmp_path, finished):
    at_one_go, killed = Stage(tmp_path / "a"), Stage(tmp_path / "b")
    at_one_go.run(deterministic=True)
    with pytest.raises(Killed):
        killed.run(deterministic=True, die_after=finished)
    assert len(killed.keys()) == finished // 4 * 4  # nothing of the chunk that was cut
    killed.run(deterministic=True)
    assert killed.out.read_bytes() == at_one_go.out.read_bytes()


def test_the_context_is_sized_for_all_even_when_few_are_missing(stage):
    with pytest.raises(Killed):
        stage.run(die_after=8)
    stage.run()
    assert [request.key for request in stage.generator.prepared] == WANTED


def test_a_finished_file_is_not_generated_again(stage):
    first = stage.run()
    again = stage.run()
    assert stage.generator is None
    assert again.skipped and again.model_copy(update={"skipped": False}) == first
    assert isinstance(stage.events[-1], StageFinished) and stage.events[-1].skipped


def test_a_finished_file_outlives_its_model(stage):
    stage.run()
    stage.model.unlink()
    assert stage.run().skipped


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sampling": Sampling(temperature=1.6)}, "temperature 1.0, now 1.6"),
        ({"sampling": Sampling(order="llama.cpp")}, "order paper, now llama.cpp"),
        ({"sampling": Sampling(max_tokens=7)}, "max_tokens 512, now 7"),
        ({"seed": 1}, "seed 0, now 1"),
        ({"samples": 4}, "samples 3, now 4"),
        ({"limit": 2}, "another content of --problems"),
        ({"deterministic": True}, "deterministic False, now True"),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_a_file_begun_with_other_settings_is_refused(stage, changes, named, finished):
    if finished:
        stage.run()
    else:
        with pytest.raises(Killed):
            stage.run(die_after=2)
    before = stage.out.read_bytes()
    with pytest.raises(ConfigError, match=named):
        stage.run(**changes)
    assert stage.out.read_bytes() == before


def test_another_model_or_other_problems_under_the_same_name_are_refused(stage):
    with pytest.raises(Killed):
        stage.run(die_after=2)
    stage.model.write_bytes(b"other weights")
    with pytest.raises(ConfigError, match="another content of --model"):
        stage.run()
    stage.model.write_bytes(b"weights")
    stage.write_problems(["question 0", "question 1", "another question"])
    with pytest.raises(ConfigError, match="another content of --problems"):
        stage.run()


def test_slots_may_change_unless_texts_are_promised_equal(tmp_path):
    free, fixed = Stage(tmp_path / "a"), Stage(tmp_path / "b")
    for stage, deterministic in ((free, False), (fixed, True)):
        with pytest.raises(Killed):
            stage.run(die_after=5, deterministic=deterministic)
    free.run(slots=2, threads=2)
    with pytest.raises(ConfigError, match="slots 4, now 2"):
        fixed.run(slots=2, deterministic=True)


def test_a_file_of_unknown_origin_is_not_touched(stage):
    stage.out.write_text("somebody's work\n")
    with pytest.raises(ConfigError, match="was not begun by this command"):
        stage.run()
    assert stage.out.read_text() == "somebody's work\n"


def test_a_prompt_that_does_not_fit_leaves_nothing_behind(stage):
    stage.write_problems(["x" * 300])
    with pytest.raises(UserError, match="too long"):
        stage.run()
    assert not stage.out.exists()
    stage.write_problems(["question 0"])
    stage.run()  # and is not held against the corrected set


def test_events_tell_the_whole_story(stage):
    with pytest.raises(Killed):
        stage.run(die_after=2)
    summary = stage.run()
    first, *middle, last = stage.events
    assert isinstance(first, StageStarted)
    assert (first.total, first.done, first.unit) == (9, 2, "completions")
    assert all(isinstance(event, StageProgress) for event in middle)
    assert middle[-1].done == 9
    assert isinstance(last, StageFinished)
    assert last.summary["completions"] == summary.completions == 9
    assert last.summary["cut by length"] == 3


def test_progress_is_reported_a_few_times_a_second_at_most(stage):
    stage.run(ticks=2000)
    assert len([event for event in stage.events if isinstance(event, StageProgress)]) < 20


def test_defaults_are_filled_in_and_told(stage):
    summary = stage.run(slots=None, threads=None)
    assert summary.slots == stage.generator.slots == 16
    assert summary.threads == stage.generator.threads >= 1


def test_a_request_survives_json(stage):
    request = GenerateRequest(
        model=stage.model, problems="p", out=stage.out, sampling=Sampling(top_k=20)
    )
    assert GenerateRequest.model_validate_json(request.model_dump_json()) == request


def real_request(folder, **changes):
    folder.mkdir(exist_ok=True)
    problems = folder / "problems.jsonl"
    prompts = [f"Write a function that adds {number} to x." for number in range(6)]
    problems.write_text(
        "".join(json.dumps({"id": str(n), "prompt": text}) + "\n" for n, text in enumerate(prompts))
    )
    values = {
        "model": SEED_MODEL,
        "problems": str(problems),
        "samples": 4,
        "sampling": Sampling(temperature=1.3, max_tokens=60),
        "out": folder / "completions.jsonl",
        "slots": 5,
        "threads": 2,
        **changes,
    }
    return GenerateRequest(**values)


@pytest.mark.real
def test_deterministic_texts_are_equal_at_one_go_and_cut_anywhere(tmp_path):
    request = real_request(tmp_path / "a", deterministic=True)
    run(request, ignore)
    whole = request.out.read_bytes()
    for share in (0.1, 0.45, 0.8):
        again = real_request(tmp_path / "b", deterministic=True)
        again.out.write_bytes(whole[: int(share * len(whole))])
        record(again.out).write_bytes(record(request.out).read_bytes())
        marker(again.out).unlink(missing_ok=True)
        run(again, ignore)
        assert again.out.read_bytes() == whole


@pytest.mark.real
@pytest.mark.parametrize("deterministic", [False, True])
def test_kill_9_loses_and_doubles_nothing(tmp_path, deterministic):
    request = real_request(tmp_path / "a", deterministic=deterministic)
    program = (
        "import sys\n"
        "from localdistill.events import ignore\n"
        "from localdistill.stages.generate import GenerateRequest, run\n"
        "run(GenerateRequest.model_validate_json(sys.argv[1]), ignore)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, request.model_dump_json()], stderr=subprocess.DEVNULL
    )
    while child.poll() is None and not (request.out.exists() and request.out.stat().st_size):
        time.sleep(0.002)
    child.kill()
    child.wait()
    kept = read_rows(request.out, Completion)
    assert 0 < len(kept) < 24, "it was killed too late for this test to say anything"
    run(request, ignore)
    rows = read_rows(request.out, Completion)
    assert rows[: len(kept)] == kept
    assert sorted(row.key for row in rows) == [(str(n), s) for n in range(6) for s in range(4)]
    if deterministic:
        at_one_go = real_request(tmp_path / "b", deterministic=True)
        run(at_one_go, ignore)
        assert request.out.read_bytes() == at_one_go.out.read_bytes()


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_stop_comes_after_a_decoding_step_and_the_next_call_goes_on(
    stage, monkeypatch, deterministic
):
    undisturbed = Stage(stage.out.parent / "other")
    undisturbed.run(deterministic=deterministic)
    asked = iter([*[True] * 6, False])
    with pytest.raises(Stopped), monkeypatch.context() as patched:
        patched.setattr(control, "goes_on", lambda: next(asked))
        stage.run(ticks=1, deterministic=deterministic)
    assert len(stage.keys()) == (4 if deterministic else 6)
    assert stage.generator.closed == 1 and not is_done(stage.out)
    stage.run(deterministic=deterministic)
    assert sorted(stage.keys()) == WANTED
    if deterministic:
        assert stage.rows() == undisturbed.rows()
