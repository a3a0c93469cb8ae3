"""One entry of the catalogue, whole: its numbers, how to use it, and where they come from."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TextIO

from localdistill.catalogue import memory
from localdistill.catalogue.entry import Advice, Entry
from localdistill.catalogue.find import Found
from localdistill.catalogue.memory import Estimate
from localdistill.display.catalogue_layout import gigabytes, printable, wrapped

_THINKS = (
    "It thinks before it answers, and what is cut off counts as wrong: raise generate.max_tokens "
    "and evaluate.max_tokens (512 unless set) to thousands."
)


def show_entry(entry: Entry, found: Sequence[Found], stream: TextIO) -> None:
    """One entry whole, with sources, and what to do with it."""
    for line in _entry_lines(entry, found):
        print(line, file=stream)


def _entry_lines(entry: Entry, found: Sequence[Found]) -> list[str]:
    a = entry.architecture
    published = (
        f" (published as {entry.published_parameters})" if entry.published_parameters else ""
    )
    attention = f"{a.heads} heads and {a.kv_heads} for keys and values of {a.head_dim}"
    lines = [
        f"{entry.title}  ({entry.name})",
        *wrapped(entry.summary),
        "",
        f"weights        {memory.parameters(a):,}{published}",
        f"licence        {entry.licence.id}",
        *wrapped(entry.licence.note or "", " " * 15),
        f"thinks         {entry.thinking}",
        f"architecture   {a.type}: {a.layers} layers of width {a.width:,}, {attention},",
        f"               vocabulary {a.vocabulary:,}, context {a.context:,} tokens",
    ]
    if entry.why_not_trainable:
        lines += wrapped(f"can be trained no: {entry.why_not_trainable}", hang=15)
    lines += ["", "Memory in GB of 10^9 bytes (estimates: see docs/models.md)"]
    lines += _estimate("to sample, Q4_K_M", memory.inference(a))
    if entry.trainable:
        lines += _estimate("to train, GPU", memory.training(a, gpu=True))
        lines += _estimate("to train, CPU", memory.training(a, gpu=False))
    lines += ["", "Recommended sampling"]
    lines += _advice("self-distillation", entry.sampling.self_distillation)
    lines += _advice("evaluation", entry.sampling.evaluation)
    lines += ["", *_whereabouts(entry, found), "", "How to use it", *_how_to(entry, found)]
    if entry.sources or entry.unchecked:
        lines += ["", "Sources"]
        for fact, urls in entry.sources.items():
            lines += [f"  {fact:<18} {url}" for url in urls]
        for fact, reason in entry.unchecked.items():
            lines += wrapped(f"{fact:<18} not checked: {reason}", "  ", hang=19)
    return lines


def _estimate(title: str, estimate: Estimate) -> list[str]:
    parts = ", ".join(f"{name} {gigabytes(size)}" for name, size in estimate.parts.items())
    return wrapped(f"{title:<22} {gigabytes(estimate.total)}: {parts}", "  ", hang=23)


def _advice(title: str, advice: Advice) -> list[str]:
    told = "published" if advice.published else "untried"
    return wrapped(f"{title:<22} {_flags(advice)} ({told}: {advice.note})", "  ", hang=23)


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
        *(
            f"  {one.type:<12} {gigabytes(one.size):>6} GB  "
            + printable(f"{one.path}  [{one.place}]")
            for one in found
        ),
    ]


def _how_to(entry: Entry, found: Sequence[Found]) -> list[str]:
    lines = []
    if entry.bundled is not None:
        return ["  localdistill run"]
    if not found and entry.hub is not None:
        official = "" if entry.hub.gguf_official else "  (not by the model's makers)"
        lines += [
            "  Its GGUF file is enough:",
            f"    hf download {entry.hub.gguf} {entry.hub.gguf_file} --local-dir .{official}",
        ]
        if entry.trainable:
            lines += [
                "  Training starts better from its 16-bit weights, which `run` fetches itself with",
                f"    --model {entry.hub.weights}",
            ]
    file = entry.hub.gguf_file if entry.hub else ""
    model = shlex.quote(printable(found[0].path)) if found else file
    if entry.trainable:
        lines += [
            f"  localdistill run --model {model} \\",
            "      --problems mbpp:mbpp.jsonl#train \\",
            "      --eval-problems humaneval:HumanEval.jsonl.gz \\",
            f"      {_settings('generate', entry.sampling.self_distillation)} \\",
            f"      {_settings('evaluate', entry.sampling.evaluation)}",
        ]
        if entry.thinking != "no":
            lines += wrapped(_THINKS, "  ")
    else:
        lines += [
            f"  localdistill evaluate --model {model} \\",
            "      --problems humaneval:HumanEval.jsonl.gz --out evaluation.json \\",
            f"      {_flags(entry.sampling.evaluation)}",
        ]
    return lines
