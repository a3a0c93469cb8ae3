"""docs/problems.md says how native problems are written, and its examples are some."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from localdistill.problems import load
from localdistill.sandbox import separable
from localdistill.sandbox.task import MAX_MEMORY_BYTES, MAX_TIME_S
from localdistill.types import CallCase, Problem, StdinCase, Tests

PAGE = (Path(__file__).parents[2] / "docs" / "problems.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^    (\{.*\})$", PAGE, re.MULTILINE)
KINDS = get_args(get_args(Tests)[0])


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(EXAMPLES) + "\n", encoding="utf-8")
    return load(str(path)).problems


def test_each_example_is_a_problem_with_no_field_that_would_be_ignored(problems):
    for line, problem in zip(EXAMPLES, problems, strict=True):
        told = json.loads(line)
        kept = problem.model_dump(mode="json")
        assert set(told) <= set(kept)
        assert set(told.get("tests", ())) <= set(kept["tests"] or ())


def test_there_is_one_of_each_kind_which_can_be_tested_apart(problems):
    tested = [problem for problem in problems if problem.tests]
    kinds = [problem.tests.kind for problem in tested]
    assert sorted(kinds) == sorted(kind.model_fields["kind"].default for kind in KINDS)
    assert [separable.reason(problem) for problem in tested] == [None] * len(kinds)


def test_the_examples_have_every_field_and_so_do_the_tables(problems):
    shown = {name for problem in problems for name in problem.model_fields_set}
    assert shown == set(Problem.model_fields)
    cases = [CallCase, StdinCase]
    fields = [name for each in (Problem, *KINDS, *cases) for name in each.model_fields]
    assert [name for name in fields if f"`{name}`" not in PAGE] == []


def test_the_limits_are_as_told():
    row = r"^\| `{}` \| .*\bat most ([0-9]+).* \| ([0-9]+) \|$"
    seconds = re.search(row.format("time_limit_s"), PAGE, re.MULTILINE)
    mebibytes = re.search(row.format("memory_limit_mb"), PAGE, re.MULTILINE)
    usual = [Problem.model_fields[name].default for name in ("time_limit_s", "memory_limit_mb")]
    assert [float(seconds[1]), float(seconds[2])] == [MAX_TIME_S, usual[0]]
    assert [int(mebibytes[1]) << 20, int(mebibytes[2])] == [MAX_MEMORY_BYTES, usual[1]]


def test_ids_of_the_examples_end_in_numbers_so_a_part_can_be_named(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(EXAMPLES), encoding="utf-8")
    assert [problem.id for problem in load(f"{path}#2-3").problems] == ["mine/2", "mine/3"]
