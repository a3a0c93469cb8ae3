"""How examples are put together: steps of the optimiser, each of padded micro-batches.

Examples of like length go together, so that little is padded; which ones and in which order depends
on the seed and the epoch only.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from localdistill.trainers.chat_tokens import TokenizedExample

IGNORED = -100  # the label that PyTorch's cross entropy passes over
# Steps of the optimiser that are sorted by length together. More pad less, but bind the same
# examples to each other in every epoch.
_SORTED_TOGETHER = 16


@dataclass(frozen=True)
class MicroBatch:
    """Examples that go through the model together: ``rows`` x ``width`` token ids and labels."""

    tokens: list[list[int]]
    labels: list[list[int]]


@dataclass(frozen=True)
class Step:
    """All examples of one step of the optimiser, from the shortest to the longest."""

    examples: list[TokenizedExample]

    @property
    def response_tokens(self) -> int:
        """Tokens that the loss of the whole step is a mean over."""
        return sum(example.response_length for example in self.examples)

    @property
    def tokens(self) -> int:
        """Tokens that go through the model, without padding."""
        return sum(len(example.tokens) for example in self.examples)

    def parts(self, max_rows: int, max_tokens: int) -> list[list[TokenizedExample]]:
        """Micro-batches of at most ``max_rows`` rows and ``max_tokens`` tokens, padding included.

        One example is always allowed. The largest comes first: if it does not fit into memory, the
        least time is lost, and the smaller ones find room in what it gives back.
        """
        return split(self.examples, max_rows, max_tokens)[::-1]


def plan_epoch(
    examples: Sequence[TokenizedExample], *, step_size: int, seed: int, epoch: int
) -> list[Step]:
    """The steps of one epoch: each example exactly once, ``step_size`` of them a step."""
    chooser = random.Random(f"{seed} {epoch}")  # noqa: S311 - an order, not a secret
    shuffled = list(examples)
    chooser.shuffle(shuffled)
    pool_size = step_size * _SORTED_TOGETHER
    steps: list[Step] = []
    for start in range(0, len(shuffled), pool_size):
        pool = sorted(shuffled[start : start + pool_size], key=lambda item: len(item.tokens))
        steps += [Step(pool[first : first + step_size]) for first in range(0, len(pool), step_size)]
    # Else every epoch would go from short to long.
    chooser.shuffle(steps)
    return steps


def split(
    ascending: Sequence[TokenizedExample], max_rows: int, max_tokens: int
) -> list[list[TokenizedExample]]:
    """Cut examples of growing length into micro-batches; see ``Step.parts``."""
    parts: list[list[TokenizedExample]] = [[]]
    for example in ascending:
        rows = len(parts[-1]) + 1
        if parts[-1] and (rows > max_rows or rows * len(example.tokens) > max_tokens):
            parts.append([])
        parts[-1].append(example)
    return parts


def padded(part: Sequence[TokenizedExample]) -> int:
    """Tokens of a micro-batch, padding included."""
    return len(part) * max(len(example.tokens) for example in part)


def pad(examples: Sequence[TokenizedExample], pad_token: int) -> MicroBatch:
    """Fill up on the right. Attention is causal, so no token ever sees what stands behind it."""
    width = max(len(example.tokens) for example in examples)
    tokens, labels = [], []
    for example in examples:
        missing = width - len(example.tokens)
        tokens.append(example.tokens + [pad_token] * missing)
        labels.append(example.labels(IGNORED) + [IGNORED] * missing)
    return MicroBatch(tokens, labels)
