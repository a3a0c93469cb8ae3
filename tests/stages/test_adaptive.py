"""Adaptive generation: waves by what passes, what is recorded, and kills at any moment."""

import json
import random

import pytest

from localdistill import metrics
from localdistill.backends.base import GenerationStats, ListSource
from localdistill.errors import ConfigError, WriterGone
from localdistill.events import Notice, StageFinished, StageProgress, StageStarted
from localdistill.jsonl import JsonlWriter, read_rows, stopped_record
from localdistill.markers import is_done
from localdistill.stages import adaptive_state, generate
from localdistill.stages.adaptive_rule import Rule
from localdistill.stages.generate import GenerateRequest, run
from localdistill.stages.verify_follow import PutOff, put_off_path
from localdistill.stages.writer_lock import WriterLock
from localdistill.types import Completion, Problem, Verdict

TESTS = {"kind": "asserts", "asserts": ["assert f(1) == 1"]}
# Of each kind of problem: how often a sample passes, and how many different programs pass.
KINDS = {"easy": (1.0, 99), "middle": (0.5, 99), "hopeless": (0.0, 1), "same": (1.0, 1)}


class Killed(BaseException):
    """Stands for a kill: nothing in the stage may catch it."""


class Verifier:
    """What follows the completions: it knows a verdict when a sample is drawn, not before."""

    def __init__(self, path):
        self.path = path
        self.put_off = lambda key: False
        self.put_off_as = "timeout"
        self.status = lambda key, passed: "passed" if passed else "failed"
        self.known = {row.key for row in read_rows(path, Verdict)} if path.exists() else set()

    def test(self, row):
        kind = row.problem_id.split()[0]
        passed = random.Random(f"{row.key}").random() < KINDS[kind][0]
        if row.key in self.known:
            return
        self.known.add(row.key)
        if self.put_off(row.key):
            with JsonlWriter(put_off_path(self.path)) as writer:
                writer.write(
                    PutOff(problem_id=row.problem_id, sample=row.sample, status=self.put_off_as)
                )
            return
        status = self.status(row.key, passed)
        with JsonlWriter(self.path) as writer:
            writer.write(Verdict(problem_id=row.problem_id, sample=row.sample, status=status))


class SourceGenerator:
    """Decodes up to ``slots`` samples together and asks for more as the real one does."""

    def __init__(self, slots, verifier, die_after=None):
        self.slots, self.threads, self.stats = slots, 1, GenerationStats()
        self.verifier, self.die_after = verifier, die_after
        self.prepared, self.most = [], 0

    def prepare(self, requests):
        self.prepared = list(requests)

    def generate(self, requests, tick=None):
        source = requests if hasattr(requests, "take") else ListSource(requests)
        together = [request.key for request in requests] if source is not requests else []
        active = []
        while True:
            while len(active) < self.slots:
                request = source.take(wait=False)
                if request is None and not active:
                    request = source.take(wait=True)
                if request is None:
                    break
                active.append(request)
            if not active:
                return
            self.most = max(self.most, len(active))
            self.stats.in_flight = len(active)
            tick(self.stats)
            active.sort(key=lambda request: request.seed)  # not in the order of their start
            request = active.pop()
            if self.die_after == 0:
                raise Killed
            if self.die_after is not None:
                self.die_after -= 1
            row = self.completion(request, together)
            self.stats.decoded_tokens += row.token_count
            yield row
            self.verifier.test(row)

    def completion(self, request, together):
        different = KINDS[request.problem_id.split()[0]][1]
        code = f"def f(x):\n    return x + {request.sample % different}  # {together}"
        return Completion(
            problem_id=request.problem_id,
            sample=request.sample,
            text=f"```python\n{code if different > 1 else 'same'}\n```",
            finish_reason="stop",
            token_count=10,
            mean_logprob=-0.5,
            seed=request.seed,
        )

    def close(self):
        pass


class Stage:
    """A model, problems, and the verify that is at work beside."""

    def __init__(self, folder, kinds=("easy", "middle", "hopeless", "same"), each=6):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.out = folder, folder / "completions.jsonl"
        self.verdicts = folder / "verdicts.jsonl"
        (folder / "model.gguf").write_bytes(b"weights")
        self.ids = [f"{kind} {number}" for number in range(each) for kind in kinds]
        rows = [Problem(id=name, prompt=f"Write f. {name}", tests=TESTS) for name in self.ids]
        (folder / "problems.jsonl").write_text("".join(r.model_dump_json() + "\n" for r in rows))

    def run(self, die_after=None, prepare=lambda verifier: None, **changes):
        values = {
            "model": self.folder / "model.gguf",
            "problems": str(self.folder / "problems.jsonl"),
            "samples": 8,
            "adaptive": True,
            "keep": 4,
            "verdicts": self.verdicts,
            "out": self.out,
            "slots": 5,
            "threads": 1,
            **changes,
        }
        verifier = Verifier(self.verdicts)
        prepare(verifier)
        if self.out.exists():  # a verify that is started again tests what it owes
            for row in read_rows(self.out, Completion):
                verifier.test(row)
        self.events = []

        def open_fake(request, slots, threads):
            self.generator = SourceGenerator(slots, verifier, die_after)
            return self.generator

        return run(GenerateRequest(**values), self.events.append, open_generator=open_fake)

    def samples(self):
        """Sample numbers of each problem."""
        found = {name: [] for name in self.ids}
        rows = read_rows(self.out, Completion)
        for row in rows:
            found[row.problem_id].append(row.sample)
        assert len({row.key for row in rows}) == len(rows), "a sample twice"
        for name, numbers in found.items():
            assert sorted(numbers) == list(range(len(numbers))), f"a gap in {name}"
        return found

    def record(self):
        return json.loads(stopped_record(self.out).read_text())


@pytest.fixture(autouse=True)
def any_file_is_a_model(monkeypatch):
    monkeypatch.setattr(generate, "check_model", lambda path: None)


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


MODES = pytest.mark.parametrize("deterministic", [False, True])


@MODES
def test_easy_problems_get_what_is_kept_and_hopeless_ones_little(stage, deterministic):
    summary = stage.run(deterministic=deterministic)
    drawn = {name: len(numbers) for name, numbers in stage.samples().items()}
    assert {drawn[name] for name in stage.ids if name.startswith("easy")} == {4}
    assert max(drawn[name] for name in stage.ids if name.startswith("hopeless")) < 8
    assert max(drawn[name] for name in stage.ids if name.startswith("same")) < 8
    assert summary.completions == sum(drawn.values()) < 8 * len(stage.ids)
    assert is_done(stage.out)


@MODES
def test_it_is_written_down_what_was_sampled_and_why_it_stopped(stage, deterministic):
    summary = stage.run(deterministic=deterministic)
    record = stage.record()
    drawn = {name: len(numbers) for name, numbers in stage.samples().items()}
    assert record["finished"] and record["rule"]["keep"] == 4
    assert {name: entry["samples"] for name, entry in record["problems"].items()} == drawn
    why = {name: entry["why"] for name, entry in record["problems"].items()}
    assert {why[name] for name in stage.ids if name.startswith("easy")} == {"enough"}
    assert {why[name] for name in stage.ids if name.startswith("hopeless")} == {"hopeless"}
    assert record["problems"]["same 0"]["kept"] == 1
    assert sum(summary.stopped.values()) == len(stage.ids)
    assert summary.stopped["enough"] >= 6


def test_the_record_is_there_from_the_first_sample_on(stage):
    with pytest.raises(Killed):
        stage.run(die_after=1)
    assert not stage.record()["finished"]


def test_no_pass_at_k_is_computed_from_samples_that_their_results_stopped(stage):
    for die_after in (3, None):
        try:
            stage.run(die_after=die_after)
        except Killed:
            assert not is_done(stage.out)
        with pytest.raises(ConfigError, match=r"drawn adaptively.*localdistill evaluate"):
            metrics.fixed_verdicts(stage.out, stage.verdicts)
    stopped_record(stage.out).unlink()
    assert metrics.fixed_verdicts(stage.out, stage.verdicts)


@MODES
def test_what_easy_problems_leave_goes_to_others_up_to_a_cap(tmp_path, deterministic):
    stage = Stage(tmp_path, kinds=("middle",), each=30)
    stage.run(samples=4, keep=8, cap=6, deterministic=deterministic)
    drawn = [len(numbers) for numbers in stage.samples().values()]
    assert max(drawn) == 6
    assert sum(drawn) <= 4 * 30


@MODES
def test_the_whole_set_never_gets_more_than_fixed_sampling_would(tmp_path, deterministic):
    stage = Stage(tmp_path, kinds=("middle",), each=10)
    summary = stage.run(samples=3, keep=50, deterministic=deterministic)
    assert summary.completions == 30
    assert summary.stopped["budget"] > 0


def test_the_batch_stays_full_while_verdicts_are_awaited(stage):
    stage.run()
    assert stage.generator.most == 5


def test_our_own_faults_say_nothing_about_a_problem(stage):
    def unjudged(verifier):
        verifier.status = lambda key, passed: "infra_error"

    summary = stage.run(prepare=unjudged)
    assert summary.stopped == {"unjudged": len(stage.ids)}
    assert summary.completions == 2 * len(stage.ids)


@MODES
def test_a_sandbox_that_breaks_says_nothing_about_a_problem(stage, deterministic):
    def broken(verifier):
        verifier.put_off = lambda key: True
        verifier.put_off_as = "infra_error"

    summary = stage.run(prepare=broken, deterministic=deterministic)
    assert summary.stopped == {"unjudged": len(stage.ids)}


@MODES
def test_a_verdict_that_is_put_off_is_not_waited_for(stage, deterministic):
    def slow(verifier):
        verifier.put_off = lambda key: key == ("easy 0", 1)

    stage.run(prepare=slow, deterministic=deterministic)
    drawn = stage.samples()
    assert len(drawn["easy 0"]) == 5 and len(drawn["easy 1"]) == 4


def test_a_pass_that_selection_will_not_keep_is_none(tmp_path):
    problem = Problem(id="p", prompt="Write f.", tests=TESTS)
    verdicts, rule = tmp_path / "verdicts.jsonl", Rule(keep=4, cap=8, budget=8)
    sampled = adaptive_state.Sampled([problem], rule, verdicts, lambda event: None)
    changes = [{}, {"ended_by": "repetition"}, {"text": "x = 1  # \ufffd"}, {"text": ""}]
    for change in changes:
        _, number = sampled.hand_out("p")
        row = {"text": f"x = {number}", "finish_reason": "stop", **change}
        numbers = {"sample": number, "token_count": 3, "mean_logprob": None, "seed": 0}
        sampled.completed(Completion(problem_id="p", **numbers, **row))
        with JsonlWriter(verdicts) as writer:
            writer.write(Verdict(problem_id="p", sample=number, status="passed"))
    assert sampled.look()
    tally = sampled.tallies["p"]
    assert (tally.judged, tally.passed, tally.kept) == (4, 1, 1)


def test_problems_without_tests_are_not_sampled(stage):
    problems = stage.folder / "problems.jsonl"
    bare = Problem(id="bare", prompt="Write g.")
    problems.write_text(problems.read_text() + bare.model_dump_json() + "\n")
    summary = stage.run()
    assert summary.stopped["no_tests"] == 1
    assert stage.record()["problems"]["bare"] == {"why": "no_tests", "samples": 0}


@MODES
@pytest.mark.parametrize("die_after", [0, 1, 4, 9, 17, 33, 50, 61])
def test_after_a_kill_every_sample_is_drawn_once(tmp_path, deterministic, die_after):
    killed = Stage(tmp_path / "killed")
    with pytest.raises(Killed):
        killed.run(die_after=die_after, deterministic=deterministic)
    summary = killed.run(deterministic=deterministic)
    drawn = killed.samples()
    assert sum(map(len, drawn.values())) == summary.completions
    assert {name: e["samples"] for name, e in killed.record()["problems"].items()} == {
        name: len(numbers) for name, numbers in drawn.items()
    }
    if deterministic:
        at_one_go = Stage(tmp_path / "at one go")
        at_one_go.run(deterministic=True)
        assert killed.out.read_bytes() == at_one_go.out.read_bytes()
        assert killed.record() == at_one_go.record()


def test_a_deterministic_file_torn_anywhere_comes_out_the_same(tmp_path):
    at_one_go = Stage(tmp_path / "a")
    at_one_go.run(deterministic=True)
    whole = at_one_go.out.read_bytes()
    for share in (0.0, 0.13, 0.5, 0.77, 0.99):
        at_one_go.out.write_bytes(whole[: int(share * len(whole))])
        at_one_go.out.with_name("completions.jsonl.done").unlink()
        at_one_go.run(deterministic=True)
        assert at_one_go.out.read_bytes() == whole


def test_a_begun_file_is_not_continued_by_another_rule(stage):
    with pytest.raises(Killed):
        stage.run(die_after=3)
    for changes in ({"adaptive": False}, {"keep": 3}, {"cap": 9}):
        with pytest.raises(ConfigError, match=next(iter(changes))):
            stage.run(**changes)


def test_it_cannot_do_without_verdicts(stage):
    with pytest.raises(ConfigError, match="--verdicts"):
        stage.run(verdicts=None)


def test_events_say_that_the_total_is_an_estimate(stage, monkeypatch):
    monkeypatch.setattr("localdistill.stages.generate_progress._PROGRESS_S", 0.0)
    summary = stage.run()
    started = stage.events[0]
    assert isinstance(started, StageStarted) and started.total is None
    progress = [event for event in stage.events if isinstance(event, StageProgress)]
    assert any(event.estimated and event.total > event.done for event in progress[:-1])
    assert progress[-1].done == progress[-1].total == summary.completions
    assert isinstance(stage.events[-1], StageFinished)
    assert f"{summary.stopped['enough']} enough" in stage.events[-1].summary["problems"]


def test_a_verify_that_ends_too_early_ends_the_waiting(stage, monkeypatch):
    """Nobody tests: once somebody was seen at work, that is an error; before, it is only told."""
    monkeypatch.setattr(adaptive_state, "_TELL_S", 0.0)
    lock = WriterLock(stage.verdicts)
    told = []

    def sleep(seconds):
        told.append(seconds)
        if len(told) == 3:
            assert any(isinstance(event, Notice) for event in stage.events)
            lock.__enter__()
        if len(told) == 5:
            lock.__exit__(None, None, None)
        assert len(told) < 10

    monkeypatch.setattr(adaptive_state.time, "sleep", sleep)
    verifier = Verifier(stage.verdicts)
    verifier.test = lambda row: None
    request = GenerateRequest(
        model=stage.folder / "model.gguf",
        problems=str(stage.folder / "problems.jsonl"),
        adaptive=True,
        samples=8,
        verdicts=stage.verdicts,
        out=stage.out,
    )
    stage.events = []
    with pytest.raises(WriterGone, match="verify --follow"):
        run(
            request,
            stage.events.append,
            open_generator=lambda request, slots, threads: SourceGenerator(slots, verifier),
        )
