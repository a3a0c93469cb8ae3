import pytest

from localdistill import control
from localdistill.errors import ConfigError, SandboxUnavailable, StageFailed, Stopped
from localdistill.events import Notice, StageFinished, StageProgress, StageStarted
from localdistill.jsonl import JsonlWriter, read_rows
from localdistill.markers import is_done, marker
from localdistill.stages import verify_progress
from localdistill.stages.verify import VerifyRequest, run
from localdistill.types import Completion, Problem, Verdict

ASSERTS = {"kind": "asserts", "asserts": ["assert f(1) == 1"]}


class FakeSandbox:
    """Answers by what the code says: ``pass``, ``loop``, ``flaky`` (our fault, once), ``broken``.

    ``die_after`` raises in the place of an answer, as a kill would. It runs nothing.
    """

    tier = "fake"
    not_covered = ("It runs nothing.", "It is fake.")
    passed_over = ()
    unsafe = False

    def __init__(self, die_after=None, lose=()):
        self.die_after = die_after
        self.lose = set(lose)
        self.seen = []
        self.closed = False

    def run(self, jobs):
        for job in reversed(list(jobs)):
            self.seen.append(job.key)
            if self.die_after is not None and len(self.seen) > self.die_after:
                raise KeyboardInterrupt
            if job.key not in self.lose:
                yield Verdict(
                    problem_id=job.key[0], sample=job.key[1], status=self.status(job), detail="d"
                )

    def status(self, job):
        if job.code is None:
            return "no_code"
        if "broken" in job.code or ("flaky" in job.code and self.seen.count(job.key) == 1):
            return "infra_error"
        if "loop" in job.code:
            return "timeout"
        return "passed" if "pass" in job.code else "failed"

    def close(self):
        self.closed = True


class Case:
    """Two problems with completions, in a temporary folder."""

    def __init__(self, folder):
        self.folder = folder
        self.out = folder / "verdicts.jsonl"
        self.problems = [
            Problem(id=name, prompt="Write `f`.", entry_point="f", tests=ASSERTS) for name in "ab"
        ]
        self.texts = {
            ("a", 0): "```\npass\n```",
            ("a", 1): "```\nwrong\n```",
            ("a", 2): "",
            ("b", 0): "loop",
            ("b", 1): "flaky pass",
        }

    def write(self):
        for name in ("problems", "completions"):
            (self.folder / f"{name}.jsonl").unlink(missing_ok=True)
        with JsonlWriter(self.folder / "problems.jsonl") as writer:
            writer.write(*self.problems)
        with JsonlWriter(self.folder / "completions.jsonl") as writer:
            for (problem, sample), text in self.texts.items():
                writer.write(
                    Completion(
                        problem_id=problem,
                        sample=sample,
                        text=text,
                        finish_reason="stop",
                        token_count=1,
                        mean_logprob=None,
                        seed=0,
                    )
                )

    def verify(self, sandbox=None, **changes):
        self.write()
        self.events, self.sandbox, self.opened = [], sandbox or FakeSandbox(), []

        def open_sandbox(kind, workers):
            self.opened.append((kind, workers))
            return self.sandbox

        request = {
            "problems": str(self.folder / "problems.jsonl"),
            "completions": self.folder / "completions.jsonl",
            "out": self.out,
        }
        request = VerifyRequest(**{**request, **changes})
        return run(request, self.events.append, open_sandbox=open_sandbox)

    def statuses(self):
        rows = read_rows(self.out, Verdict)
        found = {row.key: row.status for row in rows}
        assert len(found) == len(rows), "a key twice"
        return found

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


EXPECTED = {
    ("a", 0): "passed",
    ("a", 1): "failed",
    ("a", 2): "no_code",
    ("b", 0): "timeout",
    ("b", 1): "passed",
}


def test_every_completion_gets_one_verdict(case):
    summary = case.verify()
    assert case.statuses() == EXPECTED
    assert summary.counts == {"passed": 2, "failed": 1, "no_code": 1, "timeout": 1}
    assert (summary.completions, summary.passed, summary.skipped) == (5, 2, False)
    assert is_done(case.out)
    assert case.sandbox.closed
    assert case.opened == [("auto", None)]


def test_the_sandbox_is_opened_as_asked(case):
    case.verify(sandbox=FakeSandbox(), workers=3)
    assert case.opened == [("auto", 3)]


def test_events_tell_progress_and_what_the_tier_does_not_cover(case):
    case.verify()
    (started,) = case.of(StageStarted)
    assert (started.total, started.done) == (5, 0)
    (notice,) = case.of(Notice)
    assert notice.message == "Sandbox tier fake. It runs nothing. It is fake."
    last = case.of(StageProgress)[-1]
    assert last.done == 5
    assert (last.info["passed"], last.info["failed"], last.info["timeouts"]) == (2, 2, 1)
    (finished,) = case.of(StageFinished)
    assert finished.summary["passed"] == 2
    assert finished.summary["timeout"] == 1


@pytest.mark.parametrize("die_after", range(7))
def test_after_a_kill_only_what_is_owed_is_run(case, die_after):
    try:
        case.verify(FakeSandbox(die_after=die_after))
    except KeyboardInterrupt:
        assert not is_done(case.out)
        assert case.sandbox.closed
    before = set(case.statuses()) if case.out.exists() else set()
    case.verify()
    assert case.statuses() == EXPECTED
    assert before.isdisjoint(case.sandbox.seen)
    if case.of(StageStarted)[0].done < 5:
        assert case.of(StageStarted)[0].done == len(before)


def test_a_torn_verdict_is_owed_again(case):
    case.verify()
    whole = case.out.read_bytes()
    # Every byte is tried in tests/test_jsonl.py.
    for cut in range(0, len(whole), 9):
        case.out.write_bytes(whole[:cut])
        marker(case.out).unlink(missing_ok=True)
        case.verify()
        assert case.statuses() == EXPECTED


def test_a_finished_file_is_left_alone(case):
    case.verify()
    before = case.out.read_bytes()
    summary = case.verify()
    assert case.opened == []
    assert summary.skipped
    assert (summary.passed, summary.tier, summary.not_covered) == (
        2,
        "fake",
        ["It runs nothing.", "It is fake."],
    )
    assert case.of(StageFinished)[0].skipped
    assert case.out.read_bytes() == before


def test_only_the_marker_was_missing(case):
    case.verify()
    marker(case.out).unlink()
    summary = case.verify()
    assert case.opened == []
    assert is_done(case.out)
    assert (summary.passed, summary.skipped) == (2, False)


def test_completions_that_were_added_later_are_tested(case):
    case.verify()
    case.texts["b", 2] = "pass"
    summary = case.verify()
    assert case.sandbox.seen == [("b", 2)]
    assert case.statuses() == {**EXPECTED, ("b", 2): "passed"}
    assert (summary.completions, summary.passed) == (6, 3)
    assert case.verify().skipped


def test_our_own_faults_are_retried_and_recorded_only_if_they_stay(case):
    case.texts = {("a", 0): "broken", ("b", 0): "flaky pass", ("b", 1): "wrong"}
    summary = case.verify()
    assert case.sandbox.seen.count(("a", 0)) == 3
    assert case.sandbox.seen.count(("b", 0)) == 2
    assert case.sandbox.seen.count(("b", 1)) == 1
    assert case.statuses() == {("a", 0): "infra_error", ("b", 0): "passed", ("b", 1): "failed"}
    assert summary.counts["infra_error"] == 1
    assert "1 completions could not be judged" in case.of(Notice)[-1].message


def test_an_infra_error_is_not_written_before_its_retries(case):
    case.texts = {("a", 0): "broken"}
    with pytest.raises(KeyboardInterrupt):
        case.verify(FakeSandbox(die_after=2))
    assert case.statuses() == {}


def test_a_sandbox_that_answers_too_much_or_twice_makes_no_second_row(case):
    class Talkative(FakeSandbox):
        def run(self, jobs):
            for verdict in super().run(jobs):
                yield verdict
                yield verdict.model_copy(update={"status": "passed"})
                yield Verdict(problem_id="z", sample=0, status="passed")

    case.texts = {("a", 0): "wrong", ("b", 0): "pass"}
    case.verify(Talkative())
    assert case.statuses() == {("a", 0): "failed", ("b", 0): "passed"}


def test_a_sandbox_that_loses_completions_is_noticed(case):
    with pytest.raises(StageFailed, match=r"no verdict on 1 completions, such as \('a', 1\)"):
        case.verify(FakeSandbox(lose=[("a", 1)]))
    assert not is_done(case.out)
    case.verify()
    assert case.sandbox.seen == [("a", 1)]
    assert case.statuses() == EXPECTED


def test_problems_without_tests_never_pass_and_are_warned_of(case):
    case.problems[1] = case.problems[1].model_copy(update={"tests": None})
    case.texts["b", 0] = "pass"
    case.verify()
    assert case.statuses()["b", 0] == "failed"
    assert all(problem == "a" for problem, _ in case.sandbox.seen)
    assert case.of(Notice)[0].message == "1 of 2 problems have no tests: none of theirs can pass."
    assert case.of(Notice)[0].level == "warning"


def test_no_sandbox_no_verdicts(case):
    def refuse(kind, workers):
        raise SandboxUnavailable("none here")

    case.write()
    request = VerifyRequest(
        problems=str(case.folder / "problems.jsonl"),
        completions=case.folder / "completions.jsonl",
        out=case.out,
    )
    with pytest.raises(SandboxUnavailable):
        run(request, lambda event: None, open_sandbox=refuse)
    assert not is_done(case.out)


def test_verdicts_are_not_taken_for_those_of_other_completions_or_problems(case):
    case.verify()
    case.texts["a", 1] = "pass"
    with pytest.raises(ConfigError, match="was begun with other completions; choose another --out"):
        case.verify()
    case.texts["a", 1] = "```\nwrong\n```"
    assert case.verify().skipped
    case.problems[0] = case.problems[0].model_copy(update={"prompt": "Other."})
    with pytest.raises(ConfigError, match="was begun with other problems"):
        case.verify()
    case.out.unlink()
    assert case.verify().passed == 2


def test_a_torn_line_of_the_completions_may_be_finished_later(case):
    case.write()
    path = case.folder / "completions.jsonl"
    whole = path.read_bytes()
    request = VerifyRequest(
        problems=str(case.folder / "problems.jsonl"), completions=path, out=case.out
    )
    for cut in (len(whole) - 7, len(whole)):
        path.write_bytes(whole[:cut])
        run(request, lambda event: None, open_sandbox=lambda kind, workers: FakeSandbox())
    assert case.statuses() == EXPECTED


def test_files_that_do_not_fit_together_are_refused(case):
    case.texts = {("z", 0): "pass"}
    with pytest.raises(ConfigError, match=r"completions of z, which is not in .*problems.jsonl"):
        case.verify()
    case.texts = {("a", 0): "pass"}
    with pytest.raises(ConfigError, match="no such file; `localdistill generate`"):
        case.verify(completions=case.folder / "none.jsonl")
    case.write()
    path = case.folder / "twice.jsonl"
    path.write_bytes((case.folder / "completions.jsonl").read_bytes() * 2)
    with pytest.raises(ConfigError, match="holds sample 0 of a twice"):
        case.verify(completions=path)


def test_modules_that_candidates_lack_are_named(case):
    class Without(FakeSandbox):
        def run(self, jobs):
            for verdict in super().run(jobs):
                detail = f"ModuleNotFoundError: No module named '{self.module(verdict.key)}'"
                yield verdict.model_copy(update={"status": "runtime_error", "detail": detail})

        def module(self, key):
            return "numpy.linalg" if key[0] == "a" else "pandas"

    case.verify(Without())
    (notice,) = [n for n in case.of(Notice) if "cannot import" in n.message]
    assert "5 programs failed because candidates cannot import numpy (3), pandas (2)" in (
        notice.message
    )


def test_what_stands_in_a_completion_never_runs_here(case):
    case.texts = {("a", 0): "```\nraise SystemExit('ran')\n```"}
    assert case.verify().counts == {"failed": 1}


def test_progress_is_reported_now_and_then_only(case, monkeypatch):
    case.texts = {("a", n): "pass" for n in range(500)}
    monkeypatch.setattr(verify_progress, "_PROGRESS_S", 3600)
    case.verify()
    assert len(case.of(StageProgress)) == 1


def test_tests_that_reach_into_the_candidate_are_left_out_unless_asked_for(case):
    case.problems[1] = Problem(
        id="b",
        prompt="Write `f`.",
        entry_point="f",
        tests={"kind": "asserts", "asserts": ["assert f(Node(1)) == 1"]},
    )
    summary = case.verify()
    assert {key for key, status in case.statuses().items() if status == "infra_error"} == {
        ("b", 0),
        ("b", 1),
    }
    assert summary.counts["infra_error"] == 2
    assert {key for key, _ in case.sandbox.seen} == {"a"}
    warning = case.of(Notice)[0].message
    assert "1 of 2 problems are left out" in warning
    assert "b: the tests need Node from the candidate" in warning
    case.out.unlink()
    case.verify(inseparable=True)
    assert case.statuses() == EXPECTED


@pytest.mark.parametrize("confirm", [True, False])
def test_passes_are_confirmed_where_that_is_wanted(case, confirm):
    jobs = []

    class Recording(FakeSandbox):
        def run(self, given):
            given = list(given)
            jobs.extend(given)
            return super().run(given)

    case.verify(sandbox=Recording(), confirm=confirm)
    assert {job.confirm for job in jobs} == {confirm}


def test_a_stop_comes_after_a_verdict_and_the_next_call_goes_on(case, monkeypatch):
    asked = iter([True, True, True, True, True, True, False])  # five jobs are drawn at once
    with pytest.raises(Stopped), monkeypatch.context() as patched:
        patched.setattr(control, "goes_on", lambda: next(asked))
        case.verify()
    assert len(case.statuses()) == 2
    assert case.sandbox.closed and not is_done(case.out)
    case.verify()
    assert case.statuses() == EXPECTED
    assert len(case.sandbox.seen) == 4  # three that were owed, one of them tried again


def test_no_program_is_begun_after_a_stop(case, monkeypatch):
    monkeypatch.setattr(control, "goes_on", lambda: False)
    with pytest.raises(Stopped):
        case.verify()
    assert case.sandbox.seen == [] and case.statuses() == {}
