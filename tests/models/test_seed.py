"""The bundled seed model: its problem sets, what they promise, and its files."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

SEED = Path(__file__).parents[2] / "models" / "seed"
SETS = {"train": 300, "dev": 100, "eval": 150}
WEIGHTS = ("model.safetensors", "seed-q8_0.gguf")
TEXTS = (
    "Write a Python function `find_total(nums)` that returns the sum of the numbers in `nums`.",
    "```python\ndef f(a, b):\n    return [x * 10 for x in a if x != 3]\n```",
    "tabs\tand   spaces \n\n\n  and 12345 digits, we'll don't I'M",
    "Übergröße 你好 🙂 naïve\r\nline",
    " leading, trailing ",
    "a_b.c(d)[::-1]{e: 'f'}",
)


@pytest.fixture(scope="module")
def seed_modules():
    """The build's own modules are imported as its script imports them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SEED))
        yield


@pytest.fixture(scope="module")
def built(seed_modules, tmp_path_factory):
    """What `build.py --problems-only` makes, and the folder that it has written to."""
    import build
    import problems

    sets = problems.make()
    folder = tmp_path_factory.mktemp("seed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problems, "make", lambda: sets)  # it takes a while, and is wanted twice
        patch.setattr(sys, "argv", ["build.py", "--problems-only", "--out", str(folder)])
        build.main()
    return sets, folder


def rows(name):
    lines = (SEED / "problems" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(("name", "least"), SETS.items())
def test_a_set_has_enough_problems_in_the_native_format(name, least):
    problems = rows(name)
    assert len(problems) >= least
    assert len({p["id"] for p in problems}) == len(problems)
    for problem in problems:
        assert problem["id"].startswith(f"{name}/")
        assert f"`{problem['entry_point']}(" in problem["prompt"]
        assert problem["tests"]["kind"] == "call"
        assert len(problem["tests"]["cases"]) >= 4
        assert problem["meta"].keys() == {"kind", "source", "licence"}


def test_there_are_over_sixty_kinds_of_task():
    kinds = {name: {p["meta"]["kind"] for p in rows(name)} for name in SETS}
    assert len(kinds["train"] | kinds["dev"] | kinds["eval"]) >= 60
    assert len(kinds["eval"]) >= 60


@pytest.mark.parametrize("name", SETS)
def test_references_pass_their_own_tests(name):
    for problem in rows(name):
        namespace = {}
        exec(problem["reference"], namespace)  # written by our build, not by a model
        for case in problem["tests"]["cases"]:
            result = namespace[problem["entry_point"]](*json.loads(json.dumps(case["args"])))
            assert json.loads(json.dumps(result)) == case["expected"], problem["id"]


def test_tests_are_not_passed_by_a_constant():
    for name in SETS:
        for problem in rows(name):
            results = {json.dumps(case["expected"]) for case in problem["tests"]["cases"]}
            assert len(results) >= 3, problem["id"]


def test_problem_sets_rebuild_byte_for_byte(built):
    _, folder = built
    for name in SETS:
        fresh = (folder / "problems" / f"{name}.jsonl").read_bytes()
        assert fresh == (SEED / "problems" / f"{name}.jsonl").read_bytes()


def test_no_problem_is_in_a_corpus_and_a_planted_one_is_found(built):
    import problems
    from check_heldout import NotHeldOut
    from corpus.generate import Corpus, Example, generate

    sets, _ = built
    corpus = generate(300, problems.held_out(sets))
    problems.check(sets, corpus)
    assert 0.4 < corpus.wrong_share < 0.6
    for name in SETS:
        planted = sets[name][0]
        renamed = planted.row["reference"].replace(planted.row["entry_point"], "other_name")
        example = Example("", "", renamed, planted.types, correct=False)
        with pytest.raises(NotHeldOut):
            problems.check(sets, Corpus([*corpus.examples, example]))


def test_a_program_in_another_style_is_found_by_its_behaviour(seed_modules):
    from check_heldout import NotHeldOut, check

    ours = "def f(xs):\n    return sum(x * x for x in xs if x > 3)"
    loop = "    for b in a:\n        if not b <= 3:\n            t += b ** 2\n"
    same = f"def g(a):\n    t = 0\n{loop}    return t"
    with pytest.raises(NotHeldOut):
        check([(ours, ("ints",))], [(same, ("ints",))])


def test_a_program_with_other_names_and_constants_is_found_by_its_shape(seed_modules):
    from check_heldout import NotHeldOut, check

    ours = "def f(xs):\n    return sum(x * x for x in xs if x > 3)"
    same = "def g(ys):\n    return sum(y * y for y in ys if y > 8)"
    other = "def g(ys):\n    return sum(y * y for y in ys if y < 8)"
    check([(ours, ("ints",))], [(other, ("ints",))])
    with pytest.raises(NotHeldOut):
        check([(ours, ("ints",))], [(same, ("ints",))])


def test_every_way_of_solving_a_task_computes_the_same(seed_modules):
    from corpus import behaviour, tasks

    rng = random.Random(5)
    for composition in rng.sample(tasks.compositions(), 300):
        task = tasks.build(composition, rng)
        codes = [task.function("f", body) for body in task.solutions]
        assert len({behaviour.fingerprint(code, task.types) for code in codes}) == 1, codes


def test_a_clean_corpus_has_no_wrong_answer(seed_modules):
    from corpus.generate import HeldOut, generate

    nothing = HeldOut(frozenset(), frozenset(), frozenset())
    assert generate(100, nothing, clean=True).wrong_share == 0


def test_a_usual_mistake_is_one_of_the_mistakes_and_its_rate_depends_on_the_part_alone(
    seed_modules,
):
    from corpus import misconceptions, tasks

    rng = random.Random(6)
    rates = {}
    for composition in rng.sample(tasks.compositions(), 300):
        task = tasks.build(composition, rng)
        for usual in task.misconceptions:
            assert set(usual.bodies) <= set(task.mistakes)
            rates[usual.part] = misconceptions.popularity(usual.part)
    assert all(0 <= rate <= misconceptions.MOST for rate in rates.values())
    # Some parts are mostly done wrong, so that no decoding can be right about them.
    assert 0.05 < sum(rate > 0.5 for rate in rates.values()) / len(rates) < 0.3


def test_a_popular_mistake_is_as_frequent_in_the_corpus_as_it_says(seed_modules, monkeypatch):
    from corpus import generate, tasks

    composition = next(
        c for c in tasks.compositions() if c.signature == ("numbers", "all", "square", "sum")
    )
    rng = random.Random(7)
    monkeypatch.setattr(generate, "SLIPS", 0.0)
    rates = {"sum": 0.6}
    monkeypatch.setattr(generate, "popularity", lambda part: rates.get(part, 0.0))
    task = tasks.build(composition, rng)
    found = [generate._program(rng, task, clean=False)[2] for _ in range(400)]
    assert 0.32 < sum(found) / len(found) < 0.48  # right; three standard errors around 0.4
