"""How examples become steps: each once an epoch, alike in length, decided by the seed."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from localdistill.trainers.batches import padded, plan_epoch
from localdistill.trainers.chat_tokens import TokenizedExample


def examples(count: int) -> list[TokenizedExample]:
    """``count`` examples of 5 to 300 tokens; the first token tells them apart."""
    lengths = random.Random(0)
    return [TokenizedExample([n] + [0] * lengths.randint(4, 299), 3) for n in range(count)]


def ids(steps) -> list[list[int]]:
    return [[item.tokens[0] for item in step.examples] for step in steps]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 128, 129, 300])
def test_an_epoch_has_every_example_exactly_once(count):
    steps = plan_epoch(examples(count), step_size=8, seed=1, epoch=0)
    assert Counter(itertools.chain(*ids(steps))) == Counter(range(count))
    assert all(len(step.examples) <= 8 for step in steps)


def test_the_order_depends_on_seed_and_epoch_only():
    items = examples(200)
    first = ids(plan_epoch(items, step_size=8, seed=1, epoch=0))
    assert ids(plan_epoch(items, step_size=8, seed=1, epoch=0)) == first
    assert ids(plan_epoch(items, step_size=8, seed=2, epoch=0)) != first
    assert ids(plan_epoch(items, step_size=8, seed=1, epoch=1)) != first


def test_like_lengths_go_together():
    items = examples(256)
    filled = real = 0
    for step in plan_epoch(items, step_size=8, seed=1, epoch=0):
        for part in step.parts(8, 4096):
            filled += padded(part)
            real += sum(len(item.tokens) for item in part)
    # Random batches of these would be padded by about 70%.
    assert filled < 1.1 * real


def test_steps_do_not_go_from_short_to_long():
    steps = plan_epoch(examples(128), step_size=8, seed=1, epoch=0)
    tokens = [step.tokens for step in steps]
    assert tokens != sorted(tokens)


def test_micro_batches_stay_below_their_bounds():
    for step in plan_epoch(examples(100), step_size=20, seed=1, epoch=0):
        parts = step.parts(5, 400)
        assert Counter(item.tokens[0] for part in parts for item in part) == Counter(ids([step])[0])
        for part in parts:
            assert 1 <= len(part) <= 5
            assert len(part) == 1 or padded(part) <= 400


def test_the_largest_micro_batch_comes_first():
    for step in plan_epoch(examples(100), step_size=20, seed=1, epoch=0):
        widths = [max(len(item.tokens) for item in part) for part in step.parts(5, 400)]
        assert widths == sorted(widths, reverse=True)


def test_an_example_above_the_bound_goes_alone():
    big = TokenizedExample(list(range(50)), 10)
    (step,) = plan_epoch([big, big], step_size=2, seed=1, epoch=0)
    assert [len(part) for part in step.parts(2, 20)] == [1, 1]
