import ast
import os
from pathlib import Path

import pytest

from localdistill.problems import humaneval, load, mbpp
from localdistill.problems.extract import extract_code
from localdistill.problems.prompt import messages
from tests.problems import rows


def test_an_mbpp_prompt_shows_the_first_assert_and_all_are_graded():
    problem = mbpp.to_problem(rows.mbpp())
    (message,) = messages(problem)
    assert message.content == (
        "Write a function to double a number.\n"
        "Your code should satisfy this test:\n"
        "assert twice(2) == 4"
    )
    assert problem.tests.asserts == rows.mbpp()["test_list"]
    assert "18" not in problem.model_dump_json()  # the challenge tests


def test_mbpp_lines_end_as_python_has_them():
    row = rows.mbpp(test_setup_code="a = 1\r\nb = 2", test_list=["assert f('\\r\\n') ==\\\r\n 1"])
    problem = mbpp.to_problem(row)
    assert "\r" not in problem.reference
    assert problem.tests.setup == "a = 1\nb = 2"
    assert problem.tests.asserts == ["assert f('\\r\\n') ==\\\n 1"]


@pytest.mark.parametrize(
    ("asserts", "reference", "expected"),
    [
        (["assert f(1) == 2"], "def f(x): pass", "f"),
        (["assert set(f(1)) == set([2])"], "def f(x): pass", "f"),
        (["assert int(f(1)) == 2"], "def f(x): pass", "f"),
        (["assert not f(1)"], "def f(x): pass", "f"),
        (["assert f(Pair(1, 2)) == g(3)", "assert f(0) == 1"], "def g(): 0\ndef f(): 0", "f"),
        (["assert f(Pair(1)) == 1"], "class Pair: pass\ndef f(x): pass", "f"),
        (["assert f(1) == 2"], "f = lambda x: x", "f"),
        (["assert sorted(f(1)) == [2]"], "this is not python", "f"),
        (["assert math.isclose(f(1), 2)"], "def f(x): pass", "f"),
        (["assert max(1, 2) == 2"], "def g(): pass", None),
        (["assert ("], "def g(): pass", None),
    ],
)
def test_the_entry_point_is_the_function_that_the_asserts_call(asserts, reference, expected):
    assert mbpp.entry_point(asserts, reference) == expected


def test_humaneval_setup_is_the_prompt_without_the_function():
    problem = humaneval.to_problem(rows.humaneval())
    assert problem.tests.setup == "import math\n\n\ndef shift(x: int) -> int:\n    return x + 1"
    assert "jump" not in problem.tests.setup
    assert problem.starter_code == rows.humaneval()["prompt"]
    ast.parse(problem.reference)
    assert problem.reference.endswith("    return shift(shift(x))\n")
    assert problem.entry_point == "jump"


def test_humaneval_setup_where_helpers_stand_behind_or_the_function_has_no_docstring():
    row = rows.humaneval(
        prompt="X = 1\n@cached\ndef jump(x):\n    '''a'''\n\ndef late():\n    pass\n"
    )
    assert humaneval.to_problem(row).tests.setup == "X = 1\n\ndef late():\n    pass"
    row = rows.humaneval(prompt="import math\n\ndef jump(x: int):\n")
    assert humaneval.to_problem(row).tests.setup == "import math"


def test_humaneval_asks_for_the_whole_program():
    (message,) = messages(humaneval.to_problem(rows.humaneval()))
    assert "`jump`" in message.content
    assert "```python\nimport math" in message.content
    assert message.content.endswith('"""\n```')


DATA = Path(os.environ.get("LOCALDISTILL_DATA", "/nowhere"))
real = pytest.mark.skipif(
    not (DATA / "mbpp.jsonl").is_file(),
    reason="set LOCALDISTILL_DATA to a folder with mbpp.jsonl and HumanEval.jsonl.gz",
)


@real
def test_the_real_mbpp():
    found = load(f"{DATA / 'mbpp.jsonl'}")
    assert len(found.problems) == 974
    sizes = [len(load(f"{found.spec}#{part}").problems) for part in ("train", "dev", "test")]
    assert sizes == [374, 90, 500]
    for problem in found.problems:
        # Every entry point is a function of its reference, and its code is what is extracted.
        names = {
            node.name
            for node in ast.parse(problem.reference).body
            if isinstance(node, ast.FunctionDef)
        }
        assert problem.entry_point in names
        assert all(
            f"{problem.entry_point}(" in text.replace(" ", "") for text in problem.tests.asserts
        )
        assert "\r" not in problem.model_dump_json().replace("\\\\r", "")
    by_id = {problem.id: problem for problem in found.problems}
    assert by_id["912"].entry_point == "lobb_num"  # its asserts wrap the call in int()


@real
def test_the_real_humaneval():
    found = load(f"{DATA / 'HumanEval.jsonl.gz'}")
    assert len(found.problems) == 164
    helped = []
    for problem in found.problems:
        ast.parse(problem.reference)
        setup = ast.parse(problem.tests.setup)
        assert problem.entry_point not in {getattr(node, "name", None) for node in setup.body}
        if any(isinstance(node, ast.FunctionDef) for node in setup.body):
            helped.append(problem.id)
        answer = f"Here it is:\n```python\n{problem.reference}```\nUse it:\n```\nprint(1)\n```\n"
        assert extract_code(answer, problem) == problem.reference
    assert helped == ["HumanEval/10", "HumanEval/32", "HumanEval/38", "HumanEval/50"]
