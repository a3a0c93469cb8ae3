"""Runs models over the same texts side by side, a part of their logits at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localdistill.quantization.reference import Reference
from localdistill.stages.parity.agreement import Agreement, Losses, log_probabilities
from localdistill.stages.parity.llama_logits import LlamaLogits, tokens_at_once, wanted_spans
from localdistill.stages.parity.positions import Row

Told = Callable[[], None]


@dataclass
class Compared:
    """A reference, a file made of it, and others, on the same positions."""

    # One for each file: of the first with the reference, of the others with the first.
    agreements: list[Agreement] = field(default_factory=list)
    losses: list[Losses] = field(default_factory=list)  # of the reference first


def compare(
    reference: Reference,
    hidden: Sequence[Any],
    files: Sequence[Path],
    rows: Sequence[Row],
    threads: int | None = None,
    on_row: Told = lambda: None,
) -> Compared:
    """Compare ``files`` with the weights that ``hidden`` (one tensor a row) was computed by.

    The first file is held against the weights, each other one against the first.
    """
    import torch

    found = Compared([Agreement() for _ in files], [Losses() for _ in range(len(files) + 1)])
    longest = max(len(row.tokens) for row in rows)
    with ExitStack() as stack, torch.inference_mode():
        opened = [stack.enter_context(LlamaLogits(file, longest, threads)) for file in files]
        for row, states in zip(rows, hidden, strict=True):
            fed = row.tokens[:-1]
            step = opened[0].step if opened else tokens_at_once(reference.vocabulary)
            logits = _of_reference(reference, states, len(fed), row.first, step)
            streams = [logits, *(file.slabs(fed, row.first) for file in opened)]
            parts = wanted_spans(len(fed), row.first, step)
            for (start, end), *slabs in zip(parts, *streams, strict=True):
                targets = torch.tensor(row.tokens[start + 1 : end + 1])
                known = [log_probabilities(slab) for slab in slabs]
                for loss, one in zip(found.losses, known, strict=True):
                    loss.add(one, targets)
                for number, agreement in enumerate(found.agreements):
                    agreement.add(known[min(number, 1)], known[number + 1])
            on_row()
    return found


def _of_reference(
    reference: Reference, states: Any, length: int, first: int, step: int
) -> Iterator[NDArray[np.float32]]:
    for start, end in wanted_spans(length, first, step):
        yield reference.logits(states[start:end])
