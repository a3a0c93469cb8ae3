"""Ten watchers of one run: how soon they see what happens, and what they cost.

    python benchmarks/watchers.py [--pairs N] [--starts N] [--runs N] [OPTIONS OF localdistill run]

First ten watch, on terminals of 80x24, what a run that only tells writes for 30 seconds; their
screen is as full as that of a real run in its second round (``watched_run.py``):
``core_share_each`` is their processor time a second, ``start_cpu_s_each`` what each took to start.

Then the seed model draws samples with all cores, and in another process a copy of it is trained on
one batch again and again. Meanwhile ten watchers are stopped and let go on, so that windows of five
seconds without and with them come in pairs (``--pairs``, 40 of each work; 0: not at all).
``waiting_share`` is the part of all cores' time in which the work's threads were ready and had no
core, without and with watchers: what these take from it, whatever else the machine does.
``slowdown`` is the rate without them over the rate with them: the geometric mean with its 95%
interval, by the bootstrap over fours of windows. ``noise`` is the same of two windows that both
have nobody. ``latency_s`` is the longest that a figure took from the file to one of the screens;
with the second that a run waits before it writes progress it must stay below two.

``starts_lose_s``: seconds of drawing that are lost in the first twelve seconds beside ten watchers
that are started at once, with what they take otherwise (``--starts`` pairs, 12).

With ``--runs`` whole runs are timed too, without and with ten watchers that are started with them,
in turn and back. Each result is printed as a line of JSON when it is there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from watched_run import watched_run
from watchers_windows import TICKS, WATCHERS, Drawn, command, own_seconds

from localdistill.events import StageFinished, StageStarted
from localdistill.run_dir import RunDir
from localdistill.watching import Recording

SECONDS = 30
FEWEST = 12  # pairs: six fours of windows, with fewer an interval shows nothing
WINDOWS = Path(__file__).with_name("watchers_windows.py")
SMALL = ("--set", "generate.samples=4", "--set", "evaluate.samples=2")
# As the trainer has it; read by OpenMP when it is loaded.
OF_TRAINING = {"OMP_WAIT_POLICY": "PASSIVE"}


def cost() -> dict[str, float]:
    """What one watcher takes of a core while it watches, and to start."""
    with watched_run() as (directory, telling):
        drawn = [Drawn(directory.path) for _ in range(WATCHERS)]
        for each in drawn:
            each.begun.wait()
        before = sum(own_seconds(each.process.pid) for each in drawn)
        started = time.monotonic()
        telling.start()
        time.sleep(SECONDS)
        used = sum(own_seconds(each.process.pid) for each in drawn) - before
        share = used / (time.monotonic() - started) / WATCHERS
    for each in drawn:
        each.process.wait()
    return {
        "core_share_each": round(share, 4),
        "start_cpu_s_each": round(before / WATCHERS, 2),
    }


def part(name: str, pairs: int, environment: dict[str, str]) -> dict[str, Any]:
    """What ``watchers_windows.py`` measures, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(WINDOWS), name, str(pairs)],
        stdout=subprocess.PIPE, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"{name} ended with exit code {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"part": name} | found


def real_run(options: list[str], watchers: int) -> dict[str, Any]:
    """A run with so many watchers: its seconds, those of each kind of stage, and what else took."""
    stolen = steal()
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        began = time.monotonic()
        run = subprocess.Popen(
            command("run", "--run-dir", str(run_dir), "--progress", "none", *options)
        )
        while watchers and not (run_dir / "events.jsonl").exists() and run.poll() is None:
            time.sleep(0.05)
        drawn = [Drawn(run_dir) for _ in range(watchers)]
        if run.wait() != 0:
            sys.exit(f"the run ended with {run.returncode}")
        seconds = time.monotonic() - began
        used = 0.0
        for each in drawn:
            usage = os.wait4(each.process.pid, 0)[2]
            used += usage.ru_utime + usage.ru_stime
        return {
            "s": round(seconds, 1),
            "stages_s": stages(RunDir(run_dir)),
            "watchers_cpu_s": round(used, 1),
            "steal_s": round(steal() - stolen, 1),
        }


def stages(directory: RunDir) -> dict[str, float]:
    """Seconds that each kind of stage took."""
    found: dict[str, float] = {}
    began: dict[str, float] = {}
    for each in Recording(directory).new():
        if isinstance(each.event, StageStarted):
            began[each.event.stage] = each.at
        elif isinstance(each.event, StageFinished) and each.event.stage in began:
            took = each.at - began.pop(each.event.stage)
            found[each.event.stage] = round(found.get(each.event.stage, 0) + took, 1)
    return found


def steal() -> float:
    """Seconds that the machine's host has given to others than this machine."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / TICKS


def main() -> None:
    """Measure all, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=40, help="of windows of each work (40)")
    parser.add_argument("--starts", type=int, default=12, help="pairs of windows (12)")
    parser.add_argument("--runs", type=int, default=0, help="whole runs of each kind (0)")
    args, options = parser.parse_known_args()
    for pairs in (args.pairs, args.starts):
        if pairs and (pairs < FEWEST or pairs % 2):
            parser.error(f"pairs must be an even number from {FEWEST} on, or 0")
    print(json.dumps(cost()), flush=True)
    if args.pairs:
        print(json.dumps(part("drawing", args.pairs, {})), flush=True)
        print(json.dumps(part("training", args.pairs, OF_TRAINING)), flush=True)
    if args.starts:
        print(json.dumps(part("starts", args.starts, {})), flush=True)
    orders = [(0, WATCHERS), (WATCHERS, 0)]
    for number in range(args.runs):
        for watchers in orders[number % 2]:
            took = real_run(options or list(SMALL), watchers)
            print(json.dumps({"watchers": watchers} | took), flush=True)


if __name__ == "__main__":
    main()
