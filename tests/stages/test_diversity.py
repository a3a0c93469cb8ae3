"""Different right programs among a round's samples."""

import json

import pytest

from localdistill.audit.canonical import program
from localdistill.errors import ConfigError
from localdistill.jsonl import stopped_record
from localdistill.stages import diversity
from localdistill.types import Completion, Diversity, Verdict


@pytest.fixture
def request_of(tmp_path):
    def make(**programs):
        """Of each problem its samples: a program, with ``!`` before it where it fails."""
        tests = {"kind": "call", "cases": [{"args": [1], "expected": 1}]}
        problems, completions, verdicts = [], [], []
        for name, samples in programs.items():
            row = {"id": name, "prompt": name, "entry_point": "f", "tests": tests}
            problems.append(json.dumps(row))
            for number, text in enumerate(samples):
                code, failed = text.removeprefix("!"), text.startswith("!")
                completions.append(
                    Completion(
                        problem_id=name, sample=number, text=f"```python\n{code}\n```", seed=0,
                        finish_reason="stop", token_count=1, mean_logprob=None,
                    ).model_dump_json()
                )  # fmt: skip
                status = "failed" if failed else "passed"
                verdict = Verdict(problem_id=name, sample=number, status=status)
                verdicts.append(verdict.model_dump_json())
        paths = {}
        rows = {"problems": problems, "completions": completions, "verdicts": verdicts}
        for kind, lines in rows.items():
            paths[kind] = tmp_path / f"{kind}.jsonl"
            paths[kind].write_text("".join(line + "\n" for line in lines))
        paths["problems"] = str(paths["problems"])
        return diversity.DiversityRequest(**paths, out=tmp_path / "diversity.json")

    return make


def test_right_programs_are_counted_once_each_whatever_their_names(request_of):
    request = request_of(
        a=["def f(x):\n    return x + 1", "def f(n):\n    'Adds.'\n    return n + 1  # one",
           "def f(x):\n    return 1 + x", "!def f(x):\n    return 0"],
        b=["!def f(x):\n    return 0"] * 4,
    )  # fmt: skip
    found = diversity.run(request, lambda event: None)
    assert found == Diversity(problems=2, distinct=1.0, pass_at_1=0.375, pass_at_k=0.5, k=4)
    assert Diversity.model_validate_json(request.out.read_text()) == found
    assert diversity.run(request, lambda event: None) == found


def test_what_was_drawn_adaptively_is_not_measured(request_of):
    request = request_of(a=["def f(x):\n    return x"])
    stopped_record(request.completions).write_text("{}")
    with pytest.raises(ConfigError, match="drawn adaptively"):
        diversity.run(request, lambda event: None)


def test_of_no_samples_there_is_nothing_to_tell(request_of):
    assert diversity.run(request_of(a=[]), lambda event: None).problems == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("def f(a):\n    b = a\n    return b", "def f(x):\n    y = x\n    return y", True),
        ("def f(a: int) -> int:\n    pass\n    return a", "def f(a):\n    return a", True),
        ("def f(a):\n    x: int = a\n    return x", "def f(a):\n    x: str = a\n    return x",
         True),
        ("def f(a):\n    def g(b): return b\n    return g(a)",
         "def f(a):\n    def h(c): return c\n    return h(a)", True),
        ("def f(a, b):\n    return a - b", "def f(a, b):\n    return b - a", False),
        ("def f(a):\n    return a", "import os\ndef f(a):\n    return a", False),
        ("def f(a):\n    return len(a)", "def f(a):\n    return sum(a)", False),
    ],
)  # fmt: skip
def test_two_programs_are_one_where_their_trees_are(one, other, same):
    assert (program(one) == program(other)) == same


def test_what_is_no_program_has_no_form():
    assert program("def f(:") is None
    assert program("f = " + "(" * 5000) is None
    assert program("x = " + " + ".join(["1"] * 20_000)) is None
