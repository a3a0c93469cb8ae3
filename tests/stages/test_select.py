import json
import random

import pytest

from localdistill import sandbox
from localdistill.errors import ConfigError, ProblemSetError, UserError
from localdistill.events import Notice, StageFinished, StageStarted
from localdistill.jsonl import JsonlWriter, read_rows
from localdistill.markers import is_done, marker
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.sandbox import Behaviour
from localdistill.selection.programs import Observed
from localdistill.stages.select import SelectRequest, run
from localdistill.types import Completion, Problem, TrainingExample, Verdict

ASSERTS = {"kind": "asserts", "asserts": ["assert f(1) == 1"]}


class Case:
    """Two problems with three completions each, in a temporary folder."""

    def __init__(self, folder):
        self.folder = folder
        self.problems = [
            Problem(id="b", prompt="Write `f`.", entry_point="f", tests=ASSERTS),
            Problem(id="a", prompt="Finish it.", starter_code="def f(x):", tests=ASSERTS),
        ]
        self.completions = [
            self.completion("a", 0, "no luck", -0.9),
            self.completion("a", 1, "```python\ndef f(x): return x\n```", -0.1, "length"),
            self.completion("a", 2, "", -0.5),
            self.completion("b", 0, "Sure:\n```\ndef f(x): return x\n```  \n", -0.3),
            self.completion("b", 1, "```\ndef f(x): return x\n```", -0.2),
            self.completion("b", 2, "```\ndef f(x): return 1\n```", -0.4),
        ]
        passed = {("a", 1), ("b", 0), ("b", 1), ("b", 2)}
        self.verdicts = [
            Verdict(
                problem_id=row.problem_id,
                sample=row.sample,
                status="passed" if row.key in passed else "failed",
            )
            for row in self.completions
        ]

    def completion(self, problem, sample, text, logprob, reason="stop"):
        return Completion(
            problem_id=problem,
            sample=sample,
            text=text,
            finish_reason=reason,
            token_count=3,
            mean_logprob=logprob,
            seed=1,
        )

    def write(self):
        for name in ("problems", "completions", "verdicts"):
            path = self.folder / f"{name}.jsonl"
            path.unlink(missing_ok=True)
            with JsonlWriter(path) as writer:
                writer.write(*getattr(self, name))

    def select(self, **changes):
        self.write()
        self.events = []
        request = {
            "problems": str(self.folder / "problems.jsonl"),
            "completions": self.folder / "completions.jsonl",
            "verdicts": self.folder / "verdicts.jsonl",
            "out": self.out,
        }
        return run(SelectRequest(**{**request, **changes}), self.events.append)

    @property
    def out(self):
        return self.folder / "selected.jsonl"

    def rows(self):
        return read_rows(self.out, TrainingExample)

    def keys(self):
        return [(row.problem_id, row.sample) for row in self.rows()]


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


def test_tests_writes_what_passed_in_the_order_of_the_problem_set(case):
    summary = case.select()
    assert case.keys() == [("b", 0), ("b", 2), ("a", 1)]
    assert summary.kept == 3
    assert summary.dropped == {"failed tests": 1, "no code": 1, "duplicate": 1}
    assert (summary.problems_covered, summary.problems, summary.completions) == (2, 2, 6)
    assert is_done(case.out)


def test_an_example_is_the_messages_that_were_sent_and_the_text_as_it_was_said(case):
    case.select()
    first, _, cut = case.rows()
    problem = load(str(case.folder / "problems.jsonl")).problems[0]
    assert first.messages[:-1] == messages(problem)
    assert [message.role for message in first.messages] == ["user", "assistant"]
    assert first.messages[-1].content == "Sure:\n```\ndef f(x): return x\n```  \n"
    assert (first.strategy, first.complete, first.mean_logprob) == ("tests", True, -0.3)
    assert not cut.complete
    assert "def f(x):" in cut.messages[0].content


def test_the_thinking_is_trained_on_as_it_was_drawn(case):
    tags = {"thinking_before": " <think>\n", "thinking_after": "</think>\n"}
    case.completions[3] = case.completions[3].model_copy(update={"thinking": "hm", **tags})
    # As of a server, or of an earlier version: what stood around it is not known.
    case.completions[5] = case.completions[5].model_copy(update={"thinking": "hm\n"})
    case.select()
    drawn, usual, plain = case.rows()
    assert drawn.messages[-1].content == (
        " <think>\nhm</think>\nSure:\n```\ndef f(x): return x\n```  \n"
    )
    assert usual.messages[-1].content == ("<think>\nhm\n</think>\n\n```\ndef f(x): return 1\n```")
    assert plain.messages[-1].content == case.completions[1].text
    assert [row.thinking_as_drawn for row in (drawn, usual, plain)] == [True, False, False]


def test_where_there_is_no_thinking_files_say_nothing_of_its_tags(case):
    case.select()
    for name in ("selected", "completions"):
        assert "thinking_" not in (case.folder / f"{name}.jsonl").read_text()


def test_what_is_one_program_is_so_whatever_was_thought(case):
    for number, thought in ((3, "a"), (4, "b")):
        changed = case.completions[number].model_copy(update={"thinking": thought})
        case.completions[number] = changed
    assert case.select().dropped["duplicate"] == 1


def test_what_other_trainers_read_is_there(case):
    case.select()
    row = json.loads(case.out.read_text().splitlines()[0])
    assert [sorted(message) for message in row["messages"]] == [["content", "role"]] * 2


@pytest.mark.parametrize("strategy", ["none", "tests", "confidence"])
def test_the_result_does_not_depend_on_the_order_of_lines(case, strategy):
    case.select(strategy=strategy)
    before = case.out.read_bytes()
    for seed in range(5):
        random.Random(seed).shuffle(case.completions)
        random.Random(seed).shuffle(case.verdicts)
        case.select(strategy=strategy)
        assert case.out.read_bytes() == before


def test_none_and_confidence_do_without_verdicts_and_tests(case):
    case.problems = [problem.model_copy(update={"tests": None}) for problem in case.problems]
    assert case.select(strategy="none", verdicts=None).kept == 5
    assert case.keys() == [("b", 0), ("b", 1), ("b", 2), ("a", 0), ("a", 1)]
    case.select(strategy="confidence", verdicts=None)
    assert case.keys() == [("b", 1), ("a", 0)]  # the surer one of a was cut by its length


def test_tests_says_what_it_lacks(case):
    with pytest.raises(ConfigError, match=r"needs verdicts: give --verdicts FILE.*none or conf"):
        case.select(verdicts=None)
    case.problems = [problem.model_copy(update={"tests": None}) for problem in case.problems]
    with pytest.raises(ConfigError, match=r"have no tests.*select with none or confidence"):
        case.select()


def test_the_cap_and_the_share_are_options(case):
    assert case.select(max_per_problem=1).kept == 2
    assert case.select(strategy="confidence", confidence_share=1.0).kept == 4


def test_the_same_again_is_skipped_and_anything_else_is_not(case):
    case.select()
    again = case.select()
    assert again.skipped
    assert again.kept == 3
    assert isinstance(case.events[-1], StageFinished)
    assert case.events[-1].skipped
    case.verdicts[3] = case.verdicts[3].model_copy(update={"status": "failed"})
    changed = case.select()
    assert not changed.skipped
    assert case.keys() == [("b", 1), ("b", 2), ("a", 1)]
    assert not case.select(strategy="none").skipped


def test_a_kill_at_any_step_of_the_replacement_is_done_over(case):
    case.select()
    before = case.out.read_bytes()
    half = case.out.with_name(case.out.name + ".tmp")
    half.write_bytes(before[:50])  # killed while writing, before the marker ...
    case.out.unlink()
    for killed in (lambda: marker(case.out).unlink(), lambda: None):  # ... and after it
        killed()
        assert not case.select().skipped
        assert case.out.read_bytes() == before
        assert not half.exists()
        case.out.unlink()


def test_a_file_of_somebody_elses_is_not_replaced(case):
    case.out.write_text("notes")
    with pytest.raises(ConfigError, match="not made by this command"):
        case.select()
    assert case.out.read_text() == "notes"


def test_nothing_kept_is_a_warning_that_says_why(case):
    case.verdicts = [row.model_copy(update={"status": "failed"}) for row in case.verdicts]
    assert case.select().kept == 0
    assert case.out.read_bytes() == b""
    (notice,) = [event for event in case.events if isinstance(event, Notice)]
    assert notice.level == "warning"
    assert "5 failed tests, 1 no code" in notice.message


def test_events_tell_the_strategy_and_the_reasons(case):
    case.select()
    assert isinstance(case.events[0], StageStarted)
    assert (case.events[0].title, case.events[0].total) == ("select (tests)", 6)
    assert case.events[-1].summary["kept"] == 3
    assert case.events[-1].summary["duplicate"] == 1


def test_files_that_do_not_fit_together_are_refused(case):
    case.verdicts = [row.model_copy(update={"problem_id": "z"}) for row in case.verdicts]
    with pytest.raises(ConfigError, match="none of its verdicts is on a completion"):
        case.select()
    case.completions.append(case.completions[0])
    with pytest.raises(ConfigError, match="holds sample 0 of a twice"):
        case.select()
    case.completions = [case.completion("z", 0, "x", -1.0)]
    with pytest.raises(ConfigError, match=r"completions of z, which is not in .*problems.jsonl"):
        case.select()
    with pytest.raises(ConfigError, match="no such file; `localdistill generate`"):
        case.select(completions=case.folder / "none.jsonl")
    with pytest.raises(ConfigError, match="no such file; `localdistill verify`"):
        case.select(verdicts=case.folder / "none.jsonl")
    with pytest.raises(ConfigError, match="Did you mean tests"):
        case.select(strategy="test")
    with pytest.raises(ProblemSetError):
        case.select(problems=str(case.folder / "none.jsonl"))
    assert not case.out.exists()


def test_a_broken_row_is_named(case):
    case.write()
    path = case.folder / "verdicts.jsonl"
    other = case.folder / "broken.jsonl"
    other.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(UserError, match="line 7"):
        case.select(verdicts=other)


def test_completions_that_were_not_judged_are_counted_as_such(case):
    case.verdicts = case.verdicts[:3]
    assert case.select().dropped == {"not judged": 3, "failed tests": 1, "no code": 1}


def test_agreement_has_candidates_run_and_looks_at_no_verdict(case):
    ran = []

    def run_programs(programs):
        for each in programs:
            ran.append((each.key, each.calls[0]))
            yield Observed(each.key, ("x" if "return x" in each.code else each.code,))

    case.write()
    request = SelectRequest(
        problems=str(case.folder / "problems.jsonl"),
        completions=case.folder / "completions.jsonl",
        strategy="agreement",
        out=case.out,
    )
    summary = run(request, lambda event: None, run_programs=run_programs)
    assert case.keys() == [("b", 0)]
    assert summary.dropped == {"no inputs": 2, "duplicate": 1, "outvoted": 1, "no code": 1}
    # The arguments of the assert, as no prompt shows a call; of two equal programs the first. The
    # other problem names no function to call.
    assert sorted(ran) == [(("b", 0), (1,)), (("b", 2), (1,))]


def test_agreement_knows_a_failure_of_the_sandbox_from_one_of_the_program(case, monkeypatch):
    class Broken:
        tier, not_covered, unsafe = "3", (), False

        def observe(self, jobs):
            for job in jobs:
                failed = job.key == ("b", 2)
                yield Behaviour(job.key, None, "infra_error" if failed else "timeout")

        def close(self):
            pass

    monkeypatch.setattr(sandbox, "open_sandbox", lambda kind, workers: Broken())
    dropped = case.select(strategy="agreement").dropped
    assert dropped == {"no inputs": 2, "did not run": 2, "not judged": 1, "no code": 1}


def test_the_shortest_answers_of_all_problems_are_dropped(case):
    summary = case.select(strategy="none", drop_shortest=0.3)
    assert summary.dropped == {"no code": 1, "among the shortest": 1}
    assert case.keys() == [("b", 0), ("b", 1), ("b", 2), ("a", 1)]  # without "no luck"


def test_a_loop_is_counted_as_one_and_taught_by_none_only(case):
    case.completions[1] = case.completions[1].model_copy(update={"ended_by": "repetition"})
    assert case.select().dropped["in a loop"] == 1
    assert case.keys() == [("b", 0), ("b", 2)]
    case.select(strategy="none")
    assert [row.complete for row in case.rows() if row.problem_id == "a"] == [True, False]


@pytest.mark.parametrize("strategy", ["none", "tests", "confidence"])
def test_text_that_the_model_did_not_say_is_not_trained_on(case, strategy):
    cut = case.completions[1]
    case.completions[1] = cut.model_copy(update={"text": cut.text + " # \ufffd"})
    case.completions[4] = case.completions[4].model_copy(update={"thinking": "caf\ufffd"})
    summary = case.select(strategy=strategy, confidence_share=1.0)
    assert summary.dropped["broken text"] == 2
    assert {("a", 1), ("b", 1)}.isdisjoint(case.keys())
    # A model that is asked about that character may say it.
    asked = case.problems[1].model_copy(update={"prompt": "Replace \ufffd."})
    case.problems[1] = asked
    assert case.select(strategy=strategy, confidence_share=1.0).dropped["broken text"] == 1
    assert {("a", 1)}.issubset(case.keys())


@pytest.mark.parametrize("strategy", ["none", "tests", "confidence", "hybrid", "balanced"])
def test_what_a_person_reads_adds_up_to_all_completions(case, strategy):
    case.completions[1] = case.completions[1].model_copy(update={"ended_by": "repetition"})
    case.completions[3] = case.completions[3].model_copy(update={"text": "`\ufffd`"})
    summary = case.select(strategy=strategy, max_per_problem=1)
    assert summary.kept + sum(summary.dropped.values()) == summary.completions == 6
    shown = dict(case.events[-1].summary)
    assert shown.pop("problems")
    assert sum(shown.values()) == 6
