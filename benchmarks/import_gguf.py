"""Claim: a GGUF file becomes a trainable folder within seconds, a piece of one tensor at a time.

    python benchmarks/import_gguf.py --model FILE.gguf

`dequantise` of the whole file into a temporary folder, in a process of its own (``--repeats``).
Prints one line of JSON: seconds of the wall with the process's start, its seconds of processor
time, and its greatest resident memory (`getrusage`) in MB; medians.
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

IMPORT = """
import sys
from pathlib import Path
from localdistill.quantization.gguf_import import dequantise
dequantise(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="a folder for what is made")
    args = parser.parse_args()
    runs = [_measure(args.model, args.scratch) for _ in range(args.repeats)]
    found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    print(json.dumps({"model": args.model.name, **found}))


def _measure(model: Path, scratch: Path | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-c", IMPORT, model, Path(folder) / "master"])
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
    if status != 0:
        sys.exit("import_gguf: the import failed; its message stands above")
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "memory_mb": round(usage.ru_maxrss * 1024 / 1e6, 1),
    }


if __name__ == "__main__":
    main()
