"""What is held out: whole problems, few of them, by the seed."""

from __future__ import annotations

import random

import pytest

from localdistill.trainers.chat_tokens import TokenizedExample
from localdistill.trainers.held_out import divide


def row(problem: object, *, prompt: int | None = None, answer: int = 10) -> TokenizedExample:
    """An example of ``problem`` with ``answer`` tokens after a prompt of its own."""
    own = prompt if prompt is not None else int(str(problem))
    return TokenizedExample([1000 + own, 1] + [2] * answer, 2, str(problem))


def rows(problems: int, each: int = 3, answer: int = 10) -> list[TokenizedExample]:
    return [row(number, answer=answer) for number in range(problems) for _ in range(each)]


def ids(examples) -> set[str]:
    return {example.problem_id for example in examples}


@pytest.mark.parametrize("problems", [10, 33, 200])
@pytest.mark.parametrize("seed", range(5))
def test_no_problem_is_on_both_sides(problems, seed):
    division = divide(rows(problems), 0.2, seed)
    assert division.held_out
    assert not ids(division.train) & ids(division.held_out)
    assert len(division.train) + len(division.held_out) == 3 * problems
    assert len(ids(division.held_out)) == division.problems <= 0.2 * problems


def test_an_equal_prompt_is_the_same_problem_whatever_its_id():
    # 20 pairs of ids that share a prompt; one id has two prompts, which binds two pairs.
    examples = [row(number, prompt=number // 2) for number in range(40)]
    examples.append(row(0, prompt=19))
    for seed in range(30):
        division = divide(examples, 0.5, seed)
        held_out = {example.tokens[0] for example in division.held_out}
        assert held_out
        assert not held_out & {example.tokens[0] for example in division.train}
        assert not ids(division.train) & ids(division.held_out)


def test_as_few_problems_as_give_enough_tokens():
    division = divide(rows(100, each=4, answer=150), 0.9, 1)
    # 600 answer tokens a problem: four of them are the first to have 2,000.
    assert (division.problems, division.positions) == (4, 2400)


def test_at_most_the_given_share_of_problems():
    division = divide(rows(30, answer=5), 0.1, 1)
    assert (division.problems, division.all_problems) == (3, 30)
    assert division.positions == 3 * 3 * 5


@pytest.mark.parametrize(("problems", "share"), [(9, 0.5), (1, 0.9), (50, 0.0), (15, 0.05)])
def test_nothing_is_held_out_of_little(problems, share):
    examples = rows(problems)
    division = divide(examples, share, 1)
    assert division.train == examples
    assert not division.held_out


def test_the_seed_chooses_and_the_order_of_examples_does_not():
    examples = rows(40)
    chosen = ids(divide(examples, 0.1, 1).held_out)
    mixed = examples.copy()
    random.Random(0).shuffle(mixed)
    assert ids(divide(mixed, 0.1, 1).held_out) == chosen
    assert len({frozenset(ids(divide(examples, 0.1, seed).held_out)) for seed in range(5)}) > 1
