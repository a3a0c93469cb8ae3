"""Ten watchers of one run: how soon they see what happens, and what they cost.

    python benchmarks/watchers.py [--runs N] [OPTIONS OF localdistill run ...]

First a fake run writes an event a second for 30 seconds, and ten watchers say when they saw each
(``latency_s``, the worst; it must be under 2). Their processor time a second is taken with the
dashboard on terminals of 80x24. Then real runs on the seed model are timed in turn without and with
ten watchers (N of each, 3 by default): ``slowdown`` is the ratio of the medians.
"""

import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from localdistill.events import Recorded, RunStarted, StageProgress, StageStarted
from localdistill.jsonl import JsonlWriter
from localdistill.run_dir import RunDir

WATCHERS, SECONDS = 10, 30
SMALL = ("--set", "generate.samples=4", "--set", "evaluate.samples=2")
CODE = "from localdistill.cli import main; main()"
BEGUN = -1.0  # told by a watcher that has started
TICKS = os.sysconf("SC_CLK_TCK")


def command(*arguments: str) -> list[str]:
    """The command line in this interpreter."""
    return [sys.executable, "-c", CODE, *arguments]


def own_seconds(pid: int) -> float:
    """Processor time of process ``pid``."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Drawn:
    """A watcher with the dashboard on a terminal that nobody looks at."""

    def __init__(self, run_dir: Path) -> None:
        self.screen, terminal = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            command("watch", str(run_dir), "--progress", "live"),
            stdin=subprocess.DEVNULL, stdout=terminal, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        self.begun = threading.Event()
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        try:
            while os.read(self.screen, 65536):
                self.begun.set()
        except OSError:
            return


def fake_run() -> tuple[float, float]:
    """(worst latency in seconds, share of a core that one watcher took)."""
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDir(Path(folder) / "run")
        with directory, JsonlWriter(directory.events) as writer:
            log = str(directory.log)
            began = RunStarted(model="m.gguf", directory=folder, log=log, rounds=1)
            stage = StageStarted(stage="generate", title="generate", total=1000, unit="completions")
            for event in (began, stage):
                writer.write(Recorded(at=time.time(), event=event))
            told = [
                subprocess.Popen(
                    command("watch", str(directory.path), "--progress", "json"),
                    stdout=subprocess.PIPE, text=True,
                )
                for _ in range(WATCHERS)
            ]  # fmt: skip
            late: list[float] = []
            readers = [threading.Thread(target=listen, args=(each, late)) for each in told]
            for reader in readers:
                reader.start()
            drawn = [Drawn(directory.path) for _ in range(WATCHERS)]
            for each in drawn:
                each.begun.wait()
            while sum(1 for each in late if each == BEGUN) < WATCHERS:
                time.sleep(0.1)
            late.clear()
            before = sum(own_seconds(each.process.pid) for each in drawn)
            started = time.monotonic()
            for number in range(SECONDS):
                # When it was written stands in the event itself.
                event = StageProgress(stage="generate", done=number, info={"at": time.time()})
                writer.write(Recorded(at=time.time(), event=event))
                time.sleep(1)
            used = sum(own_seconds(each.process.pid) for each in drawn) - before
            share = used / (time.monotonic() - started) / WATCHERS
        for reader in readers:
            reader.join()
        for each in drawn:
            each.process.wait()
        return max(late), share


def listen(watcher: subprocess.Popen[str], late: list[float]) -> None:
    """Note how old each event is when it is told."""
    assert watcher.stdout is not None
    for line in watcher.stdout:
        event = json.loads(line)
        at = event.get("info", {}).get("at")
        if at is not None:
            late.append(time.time() - at)
        elif event["kind"] == "stage_started":
            late.append(BEGUN)


def real_run(options: list[str], watchers: int) -> float:
    """Seconds that a run took with so many watchers."""
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
        for each in drawn:
            each.process.wait()
        return seconds


def main() -> None:
    """Measure all and print one line."""
    options, times = sys.argv[1:], 3
    if options[:1] == ["--runs"]:
        times, options = int(options[1]), options[2:]
    latency, share = fake_run()
    found = {"latency_s": round(latency, 2), "core_share_each": round(share, 4)}
    if times:
        pairs = [[real_run(options or list(SMALL), n) for n in (0, WATCHERS)] for _ in range(times)]
        alone, watched = (statistics.median(column) for column in zip(*pairs, strict=True))
        found |= {"slowdown": round(watched / alone, 3), "alone_s": round(alone, 1)}
    print(json.dumps(found))


main()
