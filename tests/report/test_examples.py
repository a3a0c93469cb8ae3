"""Examples of newly solved and newly broken problems."""

from localdistill.report import examples, problems, reading
from tests.report.making import RIGHT, WRONG


def read(making):
    run = reading.read(making.path)
    return run, problems.pairs(run.evaluation)


def test_newly_solved_are_those_that_never_passed_the_surest_first(finished):
    run, pairs = read(finished)
    found = examples.newly_solved(run, pairs)
    assert [(each.problem, each.after) for each in found.shown] == [
        ("p0", (4, 4)), ("p1", (3, 4)), ("p10", (2, 4)),
    ]  # fmt: skip
    assert found.total == 3
    first = found.shown[0]
    assert not first.old.passed
    assert first.new.passed
    assert first.prompt == "Write f(x) for p0."


def test_newly_broken_are_those_that_never_pass_now(finished):
    (broken,) = examples.newly_broken(*read(finished)).shown
    assert broken.problem == "p7"
    assert broken.old.passed
    assert not broken.new.passed
    assert broken.new.detail.startswith("case 1: expected 14")


def test_only_the_program_is_shown_and_lines_that_differ_are_marked(finished):
    example = examples.newly_solved(*read(finished)).shown[0]
    assert example.old.lines == [
        ("same", "def f(x):"), ("same", "    # twice"), ("gone", "    return x + 3"),
    ]  # fmt: skip
    assert example.new.lines[-1] == ("new", "    return 2 * x")


def test_an_answer_without_code_is_shown_as_it_is(finished):
    finished.evaluated(texts=("I do not know.", RIGHT))
    example = examples.newly_solved(*read(finished)).shown[0]
    assert example.old.lines == [("gone", "I do not know.")]


def test_a_very_long_answer_is_cut(finished):
    long = WRONG.replace("    return x + 3", "    x += 1\n" * 500 + "    return x")
    finished.evaluated(texts=(long, RIGHT))
    example = examples.newly_solved(*read(finished)).shown[0]
    assert example.old.cut
    assert len(example.old.lines) == 120
    assert not example.new.cut


def test_without_completions_there_is_a_count_and_nothing_to_show(finished):
    (finished.path / "scores" / "eval" / "base" / "completions.jsonl").unlink()
    found = examples.newly_solved(*read(finished))
    assert found.total == 3
    assert found.shown == []
