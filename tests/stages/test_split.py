"""The three splits are disjoint, and evaluation never loses to training."""

import json

import pytest

from localdistill.errors import ProblemSetError
from localdistill.jsonl import read_rows
from localdistill.stages import split
from localdistill.types import Problem


def write_set(path, prompts):
    rows = [
        {
            "id": f"{path.stem}/{index}",
            "prompt": prompt,
            "entry_point": "f",
            "tests": {"kind": "call", "cases": [{"args": [1], "expected": 1}]},
        }
        for index, prompt in enumerate(prompts)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def run(request, callback):
    """As a run does it."""
    if not split.is_written(request):
        split.write(request, split.separate(request, callback))


@pytest.fixture
def request_for(tmp_path):
    def make(train, dev=None, evaluation=None, limit=None):
        def one(name, prompts):
            return write_set(tmp_path / f"{name}.jsonl", prompts) if prompts is not None else None

        return split.SplitRequest(
            problems=one("train", train),
            dev_problems=one("dev", dev),
            eval_problems=one("eval", evaluation),
            limit=limit,
            seed=0,
            out={name: tmp_path / "out" / f"{name}.jsonl" for name in ("train", "dev", "eval")},
        )

    return make


def test_problems_without_tests_are_not_compared_on(tmp_path):
    rows = [{"id": str(i), "prompt": f"p{i}", "entry_point": "f"} for i in range(10)]
    path = tmp_path / "untested.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    request = split.SplitRequest(
        problems=str(path),
        dev_problems=None,
        eval_problems=str(path),
        limit=None,
        seed=0,
        out={name: tmp_path / "out" / f"{name}.jsonl" for name in ("train", "dev", "eval")},
    )
    with pytest.raises(ProblemSetError, match="no problem has tests"):
        run(request, lambda event: None)


def test_infinite_expected_values_survive(tmp_path, request_for):
    request = request_for(["a"], evaluation=["e"], dev=["d"])
    path = tmp_path / "train.jsonl"
    row = json.loads(path.read_text())
    row["tests"]["cases"][0]["expected"] = float("inf")
    path.write_text(json.dumps(row) + "\n")
    run(request, lambda event: None)
    assert read_rows(request.out["train"], Problem)[0].tests.cases[0].expected == float("inf")


def prompts(request, name):
    return [problem.prompt for problem in read_rows(request.out[name], Problem)]


def test_a_share_of_train_is_held_out_where_no_dev_set_is_given(request_for):
    request = request_for([f"p{i}" for i in range(20)], evaluation=["e"])
    events = []
    run(request, events.append)
    train, dev = prompts(request, "train"), prompts(request, "dev")
    assert len(dev) == 3
    assert sorted(train + dev) == sorted(f"p{i}" for i in range(20))


def test_the_same_prompt_stays_in_eval_and_leaves_the_others(request_for):
    request = request_for(["a", "b", "c"], dev=["b", "d"], evaluation=["a", "d "])
    events = []
    run(request, events.append)
    assert prompts(request, "eval") == ["a", "d "]
    assert prompts(request, "dev") == ["b"]
    assert prompts(request, "train") == ["c"]
    assert [event.level for event in events] == ["warning"] * 3


def test_without_an_eval_set_the_user_is_told_what_is_compared(request_for):
    request = request_for([f"p{i}" for i in range(10)])
    events = []
    run(request, events.append)
    assert len(prompts(request, "eval")) == 2
    assert not set(prompts(request, "eval")) & {
        *prompts(request, "dev"),
        *prompts(request, "train"),
    }
    assert "held out" in events[0].message


def test_a_second_call_changes_nothing(request_for):
    request = request_for([f"p{i}" for i in range(10)], evaluation=["e"])
    first = run(request, lambda event: None)
    before = request.out["train"].read_bytes()
    events = []
    assert run(request, events.append) == first
    assert request.out["train"].read_bytes() == before
    assert events == []


def test_nothing_left_to_train_on_is_refused(request_for):
    with pytest.raises(ProblemSetError, match="no problem is left"):
        run(request_for(["a"], evaluation=["a"]), lambda event: None)


def test_limit_bounds_each_set(request_for):
    request = request_for(["a", "b", "c", "d"], dev=["x", "y", "z"], evaluation=["e", "f"], limit=1)
    run(request, lambda event: None)
    assert [len(prompts(request, name)) for name in ("train", "dev", "eval")] == [1, 1, 1]


def test_problems_in_other_words_are_left_out_and_listed(tmp_path, request_for):
    request = request_for(
        ["Reverse the words of a sentence. Do it in place.", "Sum all prime factors of a number"],
        dev=["Count how many vowels stand in a text"],
        evaluation=["Do it in place. Reverse the words of a sentence."],
    )
    said = []
    run(request, said.append)
    assert prompts(request, "train") == ["Sum all prime factors of a number"]
    assert len(prompts(request, "eval")) == 1
    (row,) = read_rows(tmp_path / "out" / split.LEFT_OUT, split.LeftOut)
    assert (row.problem, row.split, row.like, row.kept_in) == ("train/0", "train", "eval/0", "eval")
    assert any("in other words: left out of train" in event.message for event in said)


def test_one_sentence_for_all_problems_does_not_make_them_one(tmp_path):
    """As HumanEval has it: what is asked for stands in the docstring that is to be completed."""
    asked = [
        "the sum of all even numbers", "the longest word of the text", "whether it is a palindrome",
        "the greatest common divisor", "all vowels in capitals", "the second largest value",
        "the days between two dates", "the mode of the list", "the roman numeral",
        "the digits in reverse", "the median", "how often each letter occurs",
    ]  # fmt: skip
    rows = [
        {
            "id": f"p{number}",
            "prompt": f"Complete the function `f{number}` as its docstring says.",
            "starter_code": f'def f{number}(x):\n    """Return {what}."""\n',
            "entry_point": f"f{number}",
            "tests": {"kind": "call", "cases": [{"args": [number], "expected": 7 * number}]},
        }
        for number, what in enumerate(asked)
    ]
    rows.append({**rows[0], "id": "again"})
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    request = split.SplitRequest(
        problems=str(path),
        dev_problems=None,
        eval_problems=None,
        limit=None,
        seed=3,
        out={name: tmp_path / "out" / f"{name}.jsonl" for name in ("train", "dev", "eval")},
    )
    found = split.separate(request, lambda event: None)
    assert {each.problem for each in found.left_out} <= {"p0", "again"}
    assert sum(map(len, found.splits.values())) >= len(asked)


def test_an_equal_prompt_beside_other_code_is_the_same_problem(tmp_path, request_for):
    request = request_for(
        ["Add two numbers.", "other"], dev=["dev"], evaluation=["Add two numbers."]
    )
    path = tmp_path / "eval.jsonl"
    row = json.loads(path.read_text())
    row["starter_code"] = 'def f(a, b):\n    """Long words that nobody else has said before."""\n'
    path.write_text(json.dumps(row) + "\n")
    found = split.separate(request, lambda event: None)
    assert [problem.prompt for problem in found.splits["train"]] == ["other"]


def test_only_problems_with_tests_are_held_out_and_a_share_of_those(tmp_path, request_for):
    request = request_for([f"{word} {n}" for n, word in enumerate(WORDS)])
    path = tmp_path / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[8:]:
        del row["tests"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = split.separate(request.model_copy(update={"needs_tests": True}), lambda event: None)
    assert (len(found.splits["dev"]), len(found.splits["eval"])) == (1, 1)
    assert sum(problem.tests is not None for problem in found.splits["train"]) == 6


def test_tests_that_reach_into_the_program_compare_nothing(tmp_path, request_for):
    request = request_for(["one thing"], dev=["some other", "dev"], evaluation=["eval", "third"])
    for name in ("dev", "eval"):
        path = tmp_path / f"{name}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        rows[0]["entry_point"] = "Solution.f"
        rows[0]["tests"] = {"kind": "asserts", "asserts": ["assert Solution().f(1) == 1"]}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = []
    found = split.separate(request, lambda event: told.append(event.message))
    assert [problem.prompt for problem in found.splits["dev"]] == ["dev"]
    assert [problem.prompt for problem in found.splits["eval"]] == ["third"]
    assert any("1 problems of eval have tests that reach into" in text for text in told)


WORDS = (
    "apple", "bridge", "candle", "desert", "engine", "forest", "garden", "harbour", "island",
    "jungle", "kettle", "ladder", "market", "needle", "office", "palace", "quarry", "river",
)  # fmt: skip
