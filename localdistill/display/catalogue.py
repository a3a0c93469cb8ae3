"""The catalogue of models on the screen: as a table, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TextIO

from localdistill.catalogue import memory
from localdistill.catalogue.entry import Entry
from localdistill.catalogue.find import OnDisk
from localdistill.display.catalogue_layout import WIDTH, count, gigabytes, printable, wrapped

_UNKNOWN_SHOWN = 10
_HEADINGS = ("model", "params", "licence", "Q4_K_M", "sample", "GPU", "CPU", "on this disk")
_NOTES = (
    "GB are 10^9 bytes. Q4_K_M: the file. sample: memory to sample with 8 slots of 2,048 tokens. "
    "GPU, CPU: memory to train with 4-bit QLoRA. All but params are estimates; - means that "
    "it cannot be trained here.",
    "`localdistill models NAME` shows one model whole. This command downloads nothing.",
)


def show_table(entries: Sequence[Entry], disk: OnDisk, stream: TextIO, *, rich: bool) -> None:
    """All entries, and what else was found, on at most ``WIDTH`` columns."""
    rows = [_row(entry, disk) for entry in entries]
    if rich:
        _rich_table(rows, stream)
    else:
        widths = [max(len(row[i]) for row in [_HEADINGS, *rows]) for i in range(len(_HEADINGS))]
        for row in (_HEADINGS, *rows):
            print("  ".join(_aligned(row, widths)).rstrip(), file=stream)
    print(file=stream)
    for line in [*_others(disk), *(part for note in _NOTES for part in wrapped(note))]:
        print(line, file=stream)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    numbers = range(3, 7)
    return [
        text.rjust(width) if i == 1 or i in numbers else text.ljust(width)
        for i, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


def _rich_table(rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, highlight=False, markup=False)
    console.width = min(console.width, WIDTH)
    gap = 2 if console.width == WIDTH else 1  # all names fit into 80 columns
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    for i, heading in enumerate(_HEADINGS):
        justify: Any = "right" if 0 < i < len(_HEADINGS) - 1 and i != 2 else "left"
        table.add_column(heading, justify=justify, no_wrap=i < len(_HEADINGS) - 1, overflow="fold")
    for row in rows:
        table.add_row(*row, style=None if row[-1] == "no" else "bold")
    console.print(table)


def _row(entry: Entry, disk: OnDisk) -> tuple[str, ...]:
    a = entry.architecture
    found = disk.of(entry)
    where = sorted({one.type for one in found})
    train = [
        gigabytes(memory.training(a, gpu=gpu).total) if entry.trainable else "-"
        for gpu in (True, False)
    ]
    return (
        entry.name,
        count(memory.parameters(a)),
        entry.licence.id.removeprefix("LicenseRef-"),
        gigabytes(memory.gguf_size(a)),
        gigabytes(memory.inference(a).total),
        *train,
        ", ".join(where) if where else "no",
    )


def _others(disk: OnDisk) -> list[str]:
    lines = []
    if disk.unknown:
        lines.append("Models that are not in the catalogue:")
        lines += [
            f"  {printable(one.path)} ({one.type}, {gigabytes(one.size)} GB; says that it is "
            f"{printable(one.says)})"
            for one in disk.unknown[:_UNKNOWN_SHOWN]
        ]
        if len(disk.unknown) > _UNKNOWN_SHOWN:
            lines.append(f"  and {len(disk.unknown) - _UNKNOWN_SHOWN} more: see --json")
    if disk.unreadable:
        lines.append("Files that cannot be used:")
        for one in disk.unreadable[:_UNKNOWN_SHOWN]:
            lines += wrapped(printable(f"{one.path}: {one.reason}"), "  ", hang=2)
        if len(disk.unreadable) > _UNKNOWN_SHOWN:
            lines.append(f"  and {len(disk.unreadable) - _UNKNOWN_SHOWN} more: see --json")
    return [*lines, ""] if lines else []


def show_json(entries: Sequence[Entry], disk: OnDisk, stream: TextIO) -> None:
    """Everything as one JSON object; sizes are in bytes."""
    content = {
        "models": [
            {
                **entry.model_dump(mode="json"),
                "parameters": memory.parameters(entry.architecture),
                "trainable": entry.trainable,
                "why_not_trainable": entry.why_not_trainable,
                "memory_estimates": _estimates(entry),
                "on_this_disk": [one.model_dump(mode="json") for one in disk.of(entry)],
            }
            for entry in entries
        ],
        "not_in_the_catalogue": [one.model_dump(mode="json") for one in disk.unknown],
        "unusable": [one.model_dump(mode="json") for one in disk.unreadable],
    }
    print(json.dumps(content, indent=2), file=stream)


def _estimates(entry: Entry) -> dict[str, Any]:
    a = entry.architecture
    named = {"sampling": memory.inference(a)}
    if entry.trainable:
        named["training_gpu"] = memory.training(a, gpu=True)
        named["training_cpu"] = memory.training(a, gpu=False)
    return {
        "q4_k_m_file": memory.gguf_size(a),
        **{name: {"total": e.total, "parts": e.parts} for name, e in named.items()},
    }
