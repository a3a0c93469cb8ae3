"""Shows what a run will take on the disk, part by part, against what is free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from localdistill.memory import size


def show_disk(
    parts: Mapping[str, int], rounds: int, free: int, where: object, stream: TextIO
) -> None:
    """Write ``parts`` (bytes by name) of a run of ``rounds`` rounds to ``stream``."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)
    many = "round" if rounds == 1 else "rounds"
    console.print(
        f"Disk of a run of {rounds} {many}, at the most (without --compare and --controls)"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, amount in parts.items():
        table.add_row(name, size(amount))
    whole = sum(parts.values())
    table.add_row("together", size(whole))
    console.print(table)
    if whole > free:
        lacking = f"{size(whole - free)} more than the {size(free)} that are free"
        console.print(f"That is {lacking} at {where}: make room, or give another --run-dir to run.")
    else:
        console.print(f"{size(free)} are free at {where}.")
