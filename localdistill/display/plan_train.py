"""Shows what training will take: a table of machines, and the parts of the memory of this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TextIO

from localdistill.memory import size

_KEPT = {"all": "kept", "products": "products", "none": "computed again"}


@dataclass(frozen=True)
class Row:
    """What a machine can do; ``sizing`` is None where it does not fit, ``least`` what it takes."""

    machine: str
    free: int  # bytes
    sizing: Any  # stages.train_sizing.TrainSizing | None
    longest: int  # tokens of the longest example that could be trained on there


@dataclass(frozen=True)
class TrainPlan:
    """What is shown: the values of ``stages.train_sizing`` and of the machine."""

    name: str
    rank: int
    max_length: int
    rows: list[Row]  # the last one is this machine
    refusal: str | None  # why it does not fit here
    width: int  # bytes of a value of the computation on this CPU


def show_training(plan: TrainPlan, stream: TextIO) -> None:
    """Write ``plan`` to ``stream``, at most 80 columns wide but for a refusal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
    console.print(f"Training {plan.name}: 4-bit QLoRA")
    console.print(f"  rank {plan.rank}, examples of up to {plan.max_length:,} tokens")
    console.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  with free", no_wrap=True)
    for heading in ("fits", "activations", "at once", "peak", "longest"):
        right = heading in ("at once", "peak", "longest")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    for row in plan.rows:
        table.add_row(*_cells(row))
    console.print(table)
    console.print()
    for line in _notes(plan):
        console.print(line)


def _cells(row: Row) -> tuple[str, ...]:
    name, longest = f"  {row.machine}", f"{row.longest:,}" if row.longest else "-"
    if row.sizing is None:
        return name, "no", "", "", "", longest
    task, need = row.sizing.task, row.sizing.need
    return (name, "yes", _KEPT[task.kept], f"{task.together:,}", size(need.peak), longest)


def _notes(plan: TrainPlan) -> list[str]:
    bits = 8 * plan.width
    notes = [
        "At once: tokens of a pass. Longest: tokens of the longest example that fits.",
        "Products: the results of large products are kept, the rest is computed again.",
        f"A CPU computes as this one does, in {bits} bits. On GPUs nothing was measured.",
    ]
    here = plan.rows[-1]
    if here.sizing is None:
        return [*notes, "", f"Here: {plan.refusal}"]
    return [*notes, "", "Here", *(f"  {line}" for line in _parts(here.sizing))]


def _parts(sizing: Any) -> list[str]:
    need = sizing.need
    parts = [
        ("process", need.process, "CUDA" if sizing.place.gpu else "Python, PyTorch and Unsloth"),
        ("layers", need.layers, "in 4 bits"),
        ("embeddings", need.embeddings, f"and norms, in {8 * sizing.place.width} bits"),
        ("adapter", need.adapter, f"rank {sizing.task.rank}, gradients and moments"),
        ("activations", need.activations, f"of {sizing.task.together:,} tokens"),
        ("passing", need.passing, "gradients, a matrix, logits"),
        *([("fragments", need.fragments, "gaps of the allocator")] if need.fragments else []),
        ("in all", need.peak, f"of {size(sizing.free)} that are free"),
    ]
    lines = [f"{name:<11} {size(amount):>8}  {what}" for name, amount, what in parts]
    if need.resident > need.peak:
        lines.append(f"{'at most':<11} {size(need.resident):>8}  with pages of the model's file,")
        lines.append(f"{'':<22}which the kernel takes back if memory is short")
    return lines
