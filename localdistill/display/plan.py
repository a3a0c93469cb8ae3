"""Shows what generation will take: a few lines and a table of memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from localdistill.memory import size


@dataclass(frozen=True)
class Plan:
    """What is shown: the values of ``stages.sizing`` and of the machine."""

    path: Path
    shape: Any  # backends.llama_memory.ModelShape
    task: Any  # stages.sizing.Task
    sizing: Any  # stages.sizing.Sizing
    threads: int
    gpus: list[Any]  # gpus.Gpu
    offload: bool  # llama.cpp was built to use a GPU


def show(plan: Plan, stream: TextIO) -> None:
    """Write ``plan`` to ``stream``."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
    console.print(f"Generation with {plan.path.name} on this machine")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for name, amount, what in rows(plan):
        table.add_row(name, size(amount), what)
    console.print(table)
    for line in lines(plan):
        console.print(line)


def rows(plan: Plan) -> list[tuple[str, int, str]]:
    """Name, bytes and explanation of each part of the memory."""
    need, sizing = plan.sizing.need, plan.sizing
    parts = [
        ("process", need.process, "Python and llama.cpp"),
        ("weights", need.weights, _repacked(plan)),
        ("vocabulary", need.vocabulary, f"{plan.shape.vocabulary:,} tokens"),
        ("cache", need.cache, f"keys and values of {sizing.cells:,} tokens"),
        ("compute", need.compute, f"passes of {sizing.batch} tokens"),
        ("logits", need.logits, f"of {sizing.slots + 1} sequences"),
    ]
    if sizing.there:
        parts.append(("on GPUs", -sizing.there, "of weights and cache"))
    free = f"of {size(sizing.free)} that are free; swap is not counted"
    parts.append(("in all", sizing.taken, free))
    return parts


def _repacked(plan: Plan) -> str:
    if plan.sizing.weights == "f16":
        return "unpacked to 16 bits, to be computed with"
    repacked = plan.shape.repacked
    return (
        f"of which {size(repacked)} are a copy for this processor" if repacked else "as in the file"
    )


def lines(plan: Plan) -> list[str]:
    """What else was chosen."""
    sizing, task = plan.sizing, plan.task
    found = [
        f"{sizing.slots} samples at once, {plan.threads} threads; up to {task.max_tokens:,} tokens "
        f"after prompts of up to {task.prompt:,}.",
    ]
    if sizing.cells < sizing.slots * task.max_tokens + 2 * task.prompt:
        found.append("Not all can have their greatest length at once: then the youngest wait.")
    if not plan.gpus:
        found.append("GPU: none that NVML knows.")
    for gpu in plan.gpus:
        found.append(f"GPU: {gpu.name}, {size(gpu.free)} of {size(gpu.memory)} free.")
    if plan.gpus and not plan.offload:
        found.append("This llama.cpp was built without CUDA and does not use it: docs/docker.md.")
    elif plan.gpus:
        every = plan.shape.layers + 1  # the output matrix counts as one
        layers = "all" if sizing.gpu_layers < 0 else f"{sizing.gpu_layers} of {every}"
        found.append(f"Layers on the GPU: {layers} (by calculation; not measured on a GPU).")
    return found
