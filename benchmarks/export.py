"""Claim: a merged, quantised file costs half the time and a third of the memory of the usual way.

    python benchmarks/export.py --model HF_DIR|FILE.gguf [--adapter DIR] [--quant Q4_K_M]

Both make the quantised GGUF of the same 16-bit weights and the same adapter (without ``--adapter``
a random one on all linear layers), each step in a process of its own, in turn, there and back
(``--repeats``):

- ours: `merge` and `quantise`, as the stage *export* calls them. With `same` (or the type that the
  starting file has) tensors keep the types of that file, else all are made anew.
- peer: Unsloth's `save_pretrained_merged("merged_16bit")` of the model loaded in 16 bits,
  llama.cpp's `convert_hf_to_gguf.py`, and `llama_model_quantize`.

What the folder of a GGUF file, or the GGUF file of a folder, takes to be made is not counted. The
whole stage *export* (which loads the new file and looks at its values) is measured apart, without
its parity gate, which a random adapter would hardly pass. Seconds are of the wall,
starts of processes and imports included; without imports they are told as `work`, and those of
processors as `processor`. Memory is the largest resident set of any process (`getrusage`), mapped
files included.

Then the 16-bit weights are compared (``export_checks.py``): bits where training changed nothing,
roundings where it did, against the peer's F16 file and against float64 arithmetic.

Prints one line of JSON; ratios are ours / peer, medians of those within a repeat.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import export_checks
import export_steps

from localdistill.quantization.start import resolve_start

# Seconds of the wall, work (those without imports), processor (seconds), memory (bytes).
Run = dict[str, float]
OURS = ("merge_and_quantise",)
PEER = ("unsloth_merge", "convert", "quantise_whole")


def main() -> None:
    """Run each in turn and compare."""
    args = _arguments()
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        work = _prepare(args, Path(folder))
        runs: dict[str, list[Run]] = {"ours": [], "peer": [], "stage": []}
        for number in range(args.repeats):
            names = {"ours": OURS, "peer": PEER}
            for name in names if number % 2 == 0 else reversed(names):
                runs[name].append(_run(names[name], work))
                print(f"{number + 1} {name}: {runs[name][-1]}", file=sys.stderr, flush=True)
        runs["stage"].append(_run(("whole_stage",), work))
        checks = export_checks.compare(work) if "peer" in runs else {}
    found = {
        "time_ratio": _ratio(runs, "seconds"),
        "memory_ratio": _ratio(runs, "memory"),
        "work_ratio": _ratio(runs, "work"),
        "processor_ratio": _ratio(runs, "processor"),
        "model": args.model.name,
        "quant": args.quant,
        **checks,
        "runs": runs,
    }
    print(json.dumps(found))


def _prepare(args: argparse.Namespace, folder: Path) -> dict[str, str]:
    start = resolve_start(args.model.resolve(), folder / "start")
    adapter = args.adapter or export_steps.random_adapter(start.master, folder / "adapter")
    names = {"template": start.gguf, "master": start.master, "adapter": adapter.resolve()}
    for name in ("ours", "peer", "stage"):
        (folder / name).mkdir()
        names[name] = folder / name
    return {"quant": args.quant, **{name: str(path) for name, path in names.items()}}


def _run(steps: tuple[str, ...], work: dict[str, str]) -> Run:
    """All steps of one way, one after the other: seconds add up, of memory the largest counts."""
    parts = {step: _measure(step, work) for step in steps}
    total = {
        what: round(sum(part[what] for part in parts.values()), 2)
        for what in ("seconds", "work", "processor")
    }
    total["memory"] = max(part["memory"] for part in parts.values())
    if len(steps) > 1:
        total |= {f"{step} {what}": part[what] for step, part in parts.items() for what in part}
    return total


def _measure(step: str, work: dict[str, str]) -> Run:
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        child = subprocess.Popen(
            [sys.executable, export_steps.__file__, step],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        assert child.stdin is not None and child.stdout is not None
        with child.stdin as given:
            given.write(json.dumps(work))
        told = child.stdout.read().splitlines()
        # Of the child and of those that it has waited for: the largest, not the sum.
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        if status != 0:
            log.seek(0)
            sys.exit(f"export: {step} failed\n{''.join(log.readlines()[-20:])}")
    return {
        "seconds": round(seconds, 2),
        "work": round(float(told[-1]), 2),
        "processor": round(usage.ru_utime + usage.ru_stime, 2),
        "memory": usage.ru_maxrss * 1024.0,
    }


def _ratio(runs: dict[str, list[Run]], what: str) -> float:
    pairs = zip(runs["ours"], runs["peer"], strict=True)
    return round(statistics.median(ours[what] / peer[what] for ours, peer in pairs), 3)


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="GGUF or Hugging Face folder")
    parser.add_argument("--adapter", type=Path, help="PEFT folder; else a random one is made")
    parser.add_argument("--quant", default="Q4_K_M")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--scratch", type=Path, help="a folder for what is made (several GB)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
