"""Problems in other words: planted ones are found, unrelated ones are not."""

import ast
import random
import re

import pytest

from localdistill.audit import canonical
from localdistill.audit.leakage import near_duplicates
from localdistill.models import models_dir
from localdistill.problems import load
from localdistill.types import AssertTests, CallCase, CallTests, Problem

SETS = models_dir() / "seed" / "problems"


def renamed(source, names):
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda match: names.get(match[0], match[0]), source)


def paraphrase(problem, number):
    """Another id, other names, the request in another order, the cases in another order."""
    tree = ast.parse(problem.reference)
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    names = {name: f"value_{index}" for index, name in enumerate(sorted(own))}
    names[problem.entry_point] = f"solution_{number}"
    ask, _, what = problem.prompt.partition(problem.entry_point)
    signature, _, what = what.partition("`")
    name = names[problem.entry_point]
    text = f"Given {renamed(signature, names)}: {renamed(what, names)} Call it {name}. {ask}"
    cases = list(problem.tests.cases)
    random.Random(number).shuffle(cases)
    return problem.model_copy(
        update={
            "id": f"planted/{number}",
            "prompt": text,
            "entry_point": names[problem.entry_point],
            "reference": renamed(problem.reference, names),
            "tests": CallTests(cases=cases),
        }
    )


def without(problem, *fields):
    return problem.model_copy(update=dict.fromkeys(fields))


@pytest.fixture(scope="module")
def evaluation():
    return load(str(SETS / "eval.jsonl")).problems


@pytest.fixture(scope="module")
def training():
    return load(str(SETS / "train.jsonl")).problems


@pytest.mark.parametrize(
    "hidden", [(), ("tests",), ("reference",)], ids=["all", "no tests", "no reference"]
)
def test_of_twenty_planted_problems_at_least_eighteen_are_found(evaluation, training, hidden):
    chosen = random.Random(7).sample(evaluation, 20)
    planted = [
        without(paraphrase(problem, number), *hidden) for number, problem in enumerate(chosen)
    ]
    found = near_duplicates(evaluation, [*training, *planted])
    pairs = {(pair.problem, pair.like) for pair in found}
    right = {(problem.id, f"planted/{number}") for number, problem in enumerate(chosen)}
    assert len(pairs & right) >= 18
    assert len(pairs - right) <= 2


def test_of_five_hundred_unrelated_pairs_at_most_two_are_taken_for_one(evaluation, training):
    chooser = random.Random(11)
    mine = chooser.sample(evaluation, 25)
    kinds = {problem.meta["kind"] for problem in mine}
    others = chooser.sample([p for p in training if p.meta["kind"] not in kinds], 20)
    assert len(near_duplicates(mine, others)) <= 2
    # Each pair by itself, as one problem may be taken for several others.
    alone = [pair for one in mine for other in others for pair in near_duplicates([one], [other])]
    assert len(alone) <= 2


def problem(name, prompt, reference=None, tests=None, entry_point="f"):
    return Problem(
        id=name, prompt=prompt, reference=reference, tests=tests, entry_point=entry_point
    )


def test_operands_in_another_order_are_another_program():
    minus = canonical.statements("def f(a, b):\n    return [x - y for x, y in zip(a, b)]")
    swapped = canonical.statements("def g(p, q):\n    return [t - s for s, t in zip(p, q)]")
    again = canonical.statements("def g(p, q):\n    return [s - t for s, t in zip(p, q)]")
    assert minus == again != swapped


def test_order_names_annotations_and_docstrings_do_not_matter():
    one = "def f(a):\n    'Doc.'\n    x = 1\n    y = a * 2\n    return y + x"
    other = "import os\ndef g(b: int) -> int:\n    q = b * 2\n    p = 1\n    return q + p"
    assert canonical.statements(one) == canonical.statements(other)
    assert canonical.statements("no python") == canonical.statements(None) == {}


def test_short_solutions_alike_by_chance_are_not_one_problem():
    first = problem("a", "The length of a list of rivers.", "def f(x):\n    return len(x)")
    second = problem("b", "How many vowels there are, as a number.", "def g(y):\n    return len(y)")
    assert near_duplicates([first], [second]) == []


def test_the_asserts_of_one_function_under_two_names():
    first = AssertTests(asserts=["assert area(3, 4) == 12", "assert area(1, 9) == 9"])
    second = AssertTests(asserts=["assert fl(1, 9) == 9", "assert fl(3, 4) == 12"])
    one = problem("a", "Surface of a plot.", None, first, "area")
    other = problem("b", "Multiply both sides of a field.", None, second, "fl")
    (pair,) = near_duplicates([one], [other])
    assert (pair.problem, pair.like, pair.sign, pair.likeness) == ("a", "b", "tests", 1.0)


def test_a_case_that_everybody_asks_for_proves_nothing():
    def asks(name, text):
        cases = [CallCase(args=[[]], expected=0), CallCase(args=[[1]], expected=1)]
        return problem(name, text, None, CallTests(cases=cases))

    texts = ["length of a list", "largest number", "sum of odd ones", "digits of the last"]
    problems = [asks(str(number), text) for number, text in enumerate(texts)]
    assert near_duplicates(problems[:1], problems[1:]) == []


def test_what_cannot_be_parsed_is_still_compared_by_its_words():
    text = "Reverse the bytes of a 32-bit register and count the leading zeros"
    one, other = problem("a", text, "def f(:"), problem("b", text + ".", "fn f() {}")
    assert [pair.sign for pair in near_duplicates([one], [other])] == ["prompt"]


def test_sentences_in_another_order_with_other_names_are_the_same_words():
    one = "Given `rows(a)`, return its widest row. Ties go to the first. An empty grid has none."
    other = "An empty grid has none. Ties go to the first. Given `grid(b)`, return its widest row."
    unlike = "Given `rows(a)`, return the sum of its diagonal. Ties are impossible. None is empty."
    (pair,) = near_duplicates([problem("a", one)], [problem("b", unlike), problem("c", other)])
    assert (pair.like, pair.sign) == ("c", "prompt")


def test_nothing_to_compare():
    assert near_duplicates([], [problem("a", "x")]) == near_duplicates([problem("a", "")], []) == []


def test_deeply_nested_programs_are_passed_over():
    long = " + ".join(["x"] * 600)
    problem = Problem(
        id="a", prompt="Add x very often.", entry_point="f",
        reference=f"def f(x):\n    return {long}",
        tests=AssertTests(asserts=[f"assert f(1) == {long}"]),
    )  # fmt: skip
    assert not canonical.statements(problem.reference)
    assert not canonical.cases(problem)
    assert len(near_duplicates([problem], [problem])) == 1  # by its words
