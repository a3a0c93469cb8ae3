"""The catalogue of models on the screen: a table, one entry whole, or JSON."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Sequence
from typing import Any, TextIO

from localdistill.catalogue import memory
from localdistill.catalogue.entry import Advice, Entry
from localdistill.catalogue.find import Found, OnDisk
from localdistill.catalogue.memory import Estimate

WIDTH = 100
_THINKS = (
    "It thinks before it answers, and what is cut off counts as wrong: raise generate.max_tokens "
    "and evaluate.max_tokens (512 unless set) to thousands."
)
_UNKNOWN_SHOWN = 10
_HEADINGS = ("model", "params", "licence", "Q4_K_M", "sample", "GPU", "CPU", "on this disk")
_NOTES = (
    "GB are 10^9 bytes. Q4_K_M: the file. sample: memory to sample with 8 slots of 2,048 tokens. "
    "GPU, CPU: memory to train with 4-bit QLoRA. All but params are estimates; - means that "
    "it cannot be trained here.",
    "`localdistill models NAME` shows one model whole. Nothing is ever downloaded.",
)


def show_table(entries: Sequence[Entry], disk: OnDisk, stream: TextIO, *, rich: bool) -> None:
    """All entries, and what else was found, on at most ``WIDTH`` columns."""
    rows = [_row(entry, disk) for entry in entries]
    if rich:
        _rich_table(rows, stream)
    else:
        widths = [max(len(row[i]) for row in [_HEADINGS, *rows]) for i in range(len(_HEADINGS))]
        for row in (_HEADINGS, *rows):
            _print(stream, "  ".join(_aligned(row, widths)).rstrip())
    _print(stream, "")
    for line in [*_others(disk), *(part for note in _NOTES for part in _wrapped(note))]:
        _print(stream, line)


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
        _gb(memory.training(a, gpu=gpu).total) if entry.trainable else "-" for gpu in (True, False)
    ]
    return (
        entry.name,
        _count(memory.parameters(a)),
        entry.licence.id.removeprefix("LicenseRef-"),
        _gb(memory.gguf_size(a)),
        _gb(memory.inference(a).total),
        *train,
        ", ".join(where) if where else "no",
    )


def _others(disk: OnDisk) -> list[str]:
    lines = []
    if disk.unknown:
        lines.append("Models that are not in the catalogue:")
        lines += [
            f"  {one.path} ({one.type}, {_gb(one.size)} GB; says that it is {one.says})"
            for one in disk.unknown[:_UNKNOWN_SHOWN]
        ]
        if len(disk.unknown) > _UNKNOWN_SHOWN:
            lines.append(f"  and {len(disk.unknown) - _UNKNOWN_SHOWN} more: see --json")
    if disk.unreadable:
        lines.append("Files that cannot be used:")
        for one in disk.unreadable[:_UNKNOWN_SHOWN]:
            lines += _wrapped(f"{one.path}: {one.reason}", "  ", hang=2)
        if len(disk.unreadable) > _UNKNOWN_SHOWN:
            lines.append(f"  and {len(disk.unreadable) - _UNKNOWN_SHOWN} more: see --json")
    return [*lines, ""] if lines else []


def show_entry(entry: Entry, found: Sequence[Found], stream: TextIO) -> None:
    """One entry whole, with sources, and what to do with it."""
    for line in _entry_lines(entry, found):
        _print(stream, line)


def _entry_lines(entry: Entry, found: Sequence[Found]) -> list[str]:
    a = entry.architecture
    published = (
        f" (published as {entry.published_parameters})" if entry.published_parameters else ""
    )
    attention = f"{a.heads} heads and {a.kv_heads} for keys and values of {a.head_dim}"
    lines = [
        f"{entry.title}  ({entry.name})",
        *_wrapped(entry.summary),
        "",
        f"weights        {memory.parameters(a):,}{published}",
        f"licence        {entry.licence.id}",
        *_wrapped(entry.licence.note or "", " " * 15),
        f"thinks         {entry.thinking}",
        f"architecture   {a.type}: {a.layers} layers of width {a.width:,}, {attention},",
        f"               vocabulary {a.vocabulary:,}, context {a.context:,} tokens",
    ]
    if entry.why_not_trainable:
        lines += _wrapped(f"can be trained no: {entry.why_not_trainable}", hang=15)
    lines += ["", "Memory in GB of 10^9 bytes (estimates: see docs/models.md)"]
    lines += _estimate("to sample, Q4_K_M", memory.inference(a))
    if entry.trainable:
        lines += _estimate("to train, GPU", memory.training(a, gpu=True))
        lines += _estimate("to train, CPU at most", memory.training(a, gpu=False))
    lines += ["", "Recommended sampling"]
    lines += _advice("self-distillation", entry.sampling.self_distillation)
    lines += _advice("evaluation", entry.sampling.evaluation)
    lines += ["", *_whereabouts(entry, found), "", "How to use it", *_how_to(entry, found)]
    if entry.sources or entry.unchecked:
        lines += ["", "Sources"]
        for fact, urls in entry.sources.items():
            lines += [f"  {fact:<18} {url}" for url in urls]
        for fact, reason in entry.unchecked.items():
            lines += _wrapped(f"{fact:<18} not checked: {reason}", "  ", hang=19)
    return lines


def _estimate(title: str, estimate: Estimate) -> list[str]:
    parts = ", ".join(f"{name} {_gb(size)}" for name, size in estimate.parts.items())
    return _wrapped(f"{title:<22} {_gb(estimate.total)}: {parts}", "  ", hang=23)


def _advice(title: str, advice: Advice) -> list[str]:
    told = "published" if advice.published else "untried"
    return _wrapped(f"{title:<22} {_flags(advice)} ({told}: {advice.note})", "  ", hang=23)


def _flags(advice: Advice) -> str:
    flags = [f"--temperature {advice.temperature:g}"]
    if advice.top_k:
        flags.append(f"--top-k {advice.top_k}")
    if advice.top_p < 1:
        flags.append(f"--top-p {advice.top_p:g}")
    if advice.min_p:
        flags.append(f"--min-p {advice.min_p:g}")
    return " ".join(flags)


def _settings(section: str, advice: Advice) -> str:
    flags = _flags(advice).removeprefix("--").split(" --")
    named = (flag.replace("-", "_").split(" ") for flag in flags)
    return " ".join(f"--set {section}.{name}={value}" for name, value in named)


def _whereabouts(entry: Entry, found: Sequence[Found]) -> list[str]:
    if not found:
        return ["On this disk: not found in the usual places; --look-in DIR looks further."]
    return [
        "On this disk, by what the files say of themselves (a fine-tune may say the same)",
        *(f"  {one.type:<12} {_gb(one.size):>6} GB  {one.path}  [{one.place}]" for one in found),
    ]


def _how_to(entry: Entry, found: Sequence[Found]) -> list[str]:
    lines = []
    if entry.bundled is not None:
        return ["  localdistill run"]
    if not found and entry.hub is not None:
        official = "" if entry.hub.gguf_official else "  (not by the model's makers)"
        lines += [
            "  Get it by hand; localdistill downloads nothing. The GGUF file is enough:",
            f"    hf download {entry.hub.gguf} {entry.hub.gguf_file} --local-dir .{official}",
        ]
        if entry.trainable:
            folder = entry.hub.weights.split("/")[1]
            lines += [
                "  With its weights in 16 bits training starts from those and not from the GGUF's:",
                f"    hf download {entry.hub.weights} --local-dir {folder}",
            ]
    file = entry.hub.gguf_file if entry.hub else ""
    model = shlex.quote(str(found[0].path)) if found else file
    if entry.trainable:
        lines += [
            f"  localdistill run --model {model} \\",
            "      --problems mbpp:mbpp.jsonl#train \\",
            "      --eval-problems humaneval:HumanEval.jsonl.gz \\",
            f"      {_settings('generate', entry.sampling.self_distillation)} \\",
            f"      {_settings('evaluate', entry.sampling.evaluation)}",
        ]
        if entry.thinking != "no":
            lines += _wrapped(_THINKS, "  ")
    else:
        lines += [
            f"  localdistill evaluate --model {model} \\",
            "      --problems humaneval:HumanEval.jsonl.gz --out evaluation.json \\",
            f"      {_flags(entry.sampling.evaluation)}",
        ]
    return lines


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
    _print(stream, json.dumps(content, indent=2, ensure_ascii=False))


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


def _wrapped(text: str, indent: str = "", hang: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + " " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f}" if size >= 95_000_000 else f"{size / 1e9:.3f}"


def _count(number: int) -> str:
    return f"{number / 1e9:.1f}B" if number >= 95_000_000 else f"{number / 1e6:.1f}M"


def _print(stream: TextIO, text: str) -> None:
    print(text, file=stream)
