"""How examples become steps: each once an epoch, alike in length, decided by the seed."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from localdistill.trainers.batches import plan_epoch
from localdistill.trainers.chat_tokens import TokenizedExample

BOUNDS = {"step_size": 8, "max_rows": 8, "max_tokens": 4096}


def examples(count: int) -> list[TokenizedExample]:
    """``count`` examples of 5 to 300 tokens; the first token tells them apart."""
    lengths = random.Random(0)
    return [TokenizedExample([n] + [0] * lengths.randint(4, 299), 3) for n in range(count)]


def ids(steps) -> list[list[int]]:
    return [[item.tokens[0] for part in step.parts for item in part] for step in steps]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 128, 129, 300])
def test_an_epoch_has_every_example_exactly_once(count):
    steps = plan_epoch(examples(count), **BOUNDS, seed=1, epoch=0)
    assert Counter(itertools.chain(*ids(steps))) == Counter(range(count))
    assert sum(step.examples for step in steps) == count
    assert all(step.examples <= 8 for step in steps)


def test_the_order_depends_on_seed_and_epoch_only():
    items = examples(200)
    first = ids(plan_epoch(items, **BOUNDS, seed=1, epoch=0))
    assert ids(plan_epoch(items, **BOUNDS, seed=1, epoch=0)) == first
    assert ids(plan_epoch(items, **BOUNDS, seed=2, epoch=0)) != first
    assert ids(plan_epoch(items, **BOUNDS, seed=1, epoch=1)) != first


def test_like_lengths_go_together():
    items = examples(256)
    padded = real = 0
    for step in plan_epoch(items, **BOUNDS, seed=1, epoch=0):
        for part in step.parts:
            padded += len(part) * max(len(item.tokens) for item in part)
            real += sum(len(item.tokens) for item in part)
    # Random batches of these would be padded by about 70%.
    assert padded < 1.1 * real


def test_steps_do_not_go_from_short_to_long():
    steps = plan_epoch(examples(128), **BOUNDS, seed=1, epoch=0)
    tokens = [step.tokens for step in steps]
    assert tokens != sorted(tokens)


def test_micro_batches_stay_below_their_bounds():
    items = examples(100)
    steps = plan_epoch(items, step_size=20, max_rows=5, max_tokens=400, seed=1, epoch=0)
    for step in steps:
        for part in step.parts:
            assert 1 <= len(part) <= 5
            assert len(part) == 1 or len(part) * max(len(i.tokens) for i in part) <= 400
    # All micro-batches of a step share one divisor.
    assert steps[0].response_tokens == sum(
        item.response_length for part in steps[0].parts for item in part
    )


def test_an_example_above_the_bound_goes_alone():
    big = TokenizedExample(list(range(50)), 10)
    steps = plan_epoch([big, big], step_size=2, max_rows=2, max_tokens=20, seed=1, epoch=0)
    assert [len(part) for part in steps[0].parts] == [1, 1]
