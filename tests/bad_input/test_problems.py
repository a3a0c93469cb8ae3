"""Problem files with something wrong in them: the line is named; and sets without tests."""

from __future__ import annotations

import json

import pytest

from tests.bad_input.conftest import problem, write_rows

GOOD = [json.dumps(problem(number)).encode() for number in range(3)]


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in problem(9).items() if key != name}).encode()


# What stands in the third line, and what the message must say beside "line 3".
BROKEN = {
    "half a line": (b'{"id": "x", "prompt":', "not JSON"),
    "not UTF-8": (b'{"id": "x", "prompt": "\xff\xfe"}', "UTF-8"),
    "a list": (b"[1, 2]", "not a JSON object"),
    "a missing field": (without("prompt"), "prompt"),
    "a missing entry point": (without("entry_point"), "entry_point"),
    "another type": (json.dumps(problem(9, prompt=["a"])).encode(), "prompt"),
    "an unknown kind of tests": (json.dumps(problem(9, tests={"kind": "cal"})).encode(), "call"),
    "tests without a case": (
        json.dumps(problem(9, tests={"kind": "call", "cases": []})).encode(),
        "tests",
    ),
    "an id given before": (GOOD[1], "line 2 already"),
    "an empty id": (json.dumps(problem(9, id="")).encode(), "id is empty"),
    "too deep": (b'{"id": "x", "prompt": "p", "meta": ' + b"[" * 99_999 + b"}", "not JSON"),
}


@pytest.fixture
def broken(world):
    def write(kind):
        lines = [*GOOD[:2], BROKEN[kind][0], json.dumps(problem(5)).encode()]
        path = world / "broken.jsonl"
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write


@pytest.mark.parametrize("kind", BROKEN)
def test_run_names_the_broken_line(refused, tiny, broken, kind):
    line = refused("run", "--model", tiny.gguf, "--problems", broken(kind))
    assert "broken.jsonl, line 3" in line
    assert BROKEN[kind][1] in line


@pytest.mark.parametrize("option", ["--dev-problems", "--eval-problems"])
def test_run_names_the_broken_line_of_any_set(refused, tiny, problems, broken, option):
    file = broken("half a line")
    line = refused("run", "--model", tiny.gguf, "--problems", problems, option, file)
    assert "broken.jsonl, line 3" in line


@pytest.mark.parametrize("command", ["generate", "evaluate", "verify", "select"])
def test_stage_commands_name_the_broken_line(refused, tiny, broken, completions, command):
    given = {
        "generate": ("--model", tiny.gguf),
        "evaluate": ("--model", tiny.gguf),
        "verify": ("--completions", completions),
        "select": ("--completions", completions, "--strategy", "none"),
    }[command]
    file = broken("not UTF-8")
    line = refused(command, *given, "--problems", file, "--out", "new/out.jsonl")
    assert "broken.jsonl, line 3" in line


@pytest.mark.parametrize(
    ("content", "name", "hint"),
    [
        (b"", "p.jsonl", "holds no problem"),
        (b"\n\n", "p.jsonl", "holds no problem"),
        (b'[\n {"id": 1}\n]\n', "p.json", "line 1"),
        (b'{"question": "x"}\n', "p.jsonl", "line 1: of no known format"),
        (without("prompt") + b"\n", "p.jsonl", "prompt"),
        (b"no gzip", "p.jsonl.gz", "plain or .gz"),
        (GOOD[0].decode().encode("utf-16"), "p.jsonl", "UTF-8"),
    ],
)
def test_files_that_are_no_problem_sets(refused, world, tiny, content, name, hint):
    (world / name).write_bytes(content)
    line = refused("run", "--model", tiny.gguf, "--problems", world / name)
    assert name in line
    assert hint in line


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("none.jsonl", "no such file"),
        ("tmp", "a folder"),
        ("mbbp:problems.jsonl", "did you mean mbpp"),
        ("problems.jsonl#trian", "a range is #11-510"),
        ("problems.jsonl#9-2", "smaller id first"),
        ("problems.jsonl#700-800", "none of its 10 problems"),
    ],
)
def test_specifications_that_mean_nothing(refused, tiny, problems, spec, hint):
    assert hint in refused("run", "--model", tiny.gguf, "--problems", spec)


def test_more_held_out_than_there_is(refused, world, tiny):
    one = write_rows(world / "one.jsonl", [problem(1)])
    line = refused("run", "--model", tiny.gguf, "--problems", one, "--eval-problems", one)
    assert "name more problems" in line


@pytest.fixture
def untested(world):
    rows = [{"id": str(number), "prompt": f"Do {number}."} for number in range(10)]
    return write_rows(world / "untested.jsonl", rows)


@pytest.mark.parametrize("evaluation", [(), ("--eval-problems", "problems.jsonl")])
def test_run_refuses_to_select_by_tests_that_are_not_there(
    refused, tiny, problems, untested, evaluation
):
    line = refused(
        "run", "--model", tiny.gguf, "--problems", untested, *evaluation, "--select", "tests"
    )
    assert "no tests" in line
    assert "use --select none or confidence" in line


def test_select_refuses_to_select_by_tests_that_are_not_there(refused, completions, untested):
    line = refused(
        "select", "--completions", completions, "--problems", untested, "--out", "s.jsonl"
    )
    assert "select with none or confidence" in line


def test_nothing_can_be_compared_without_tests(refused, tiny, untested):
    line = refused("run", "--model", tiny.gguf, "--problems", untested, "--select", "none")
    assert "--eval-problems" in line
    line = refused("evaluate", "--model", tiny.gguf, "--problems", untested, "--out", "e.json")
    assert "no tests" in line


def test_several_rounds_need_something_to_choose_by(refused, tiny, problems, untested):
    line = refused(
        "run", "--model", tiny.gguf, "--problems", untested, "--eval-problems", problems,
        "--select", "none", "--rounds", 2,
    )  # fmt: skip
    assert "--dev-problems" in line


@pytest.mark.parametrize(
    ("command", "content", "hint"),
    [
        ("verify", b"{}\n", "line 1: problem_id"),
        ("select", b"half a row\n", "line 1"),
        ("verify", b"\xff\xfe\n", "line 1"),
        ("verify", None, "localdistill generate"),
    ],
)
def test_completions_that_are_none(refused, world, problems, command, content, hint):
    path = world / "c.jsonl"
    if content is not None:
        path.write_bytes(content)
    more = ("--strategy", "none") if command == "select" else ()
    line = refused(
        command, "--completions", path, "--problems", problems, *more, "--out", "o.jsonl"
    )
    assert hint in line


@pytest.mark.parametrize(
    ("content", "hint"), [(b"", "Draw more samples"), (b"{}\n", "line 1"), (None, "select")]
)
def test_training_data_that_are_none(refused, world, tiny, content, hint):
    path = world / "selected.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert hint in refused("train", "--model", tiny.master, "--data", path, "--out", "adapter")
