"""Ten watchers of one run: how soon they see what happens, and what they cost.

    python benchmarks/watchers.py [--windows N] [--runs N] [OPTIONS OF localdistill run ...]

First a fake run writes an event a second for 30 seconds, and ten watchers say when they saw each
(``latency_s``, the worst; it must be under 2). Their processor time a second, and what each took to
start, is taken with the dashboard on terminals of 80x24.

Then the seed model draws samples with all cores and tells of it four times a second, as a run
does, while the ten are stopped and let go on in turn, ten seconds each (``--windows``, 24 of both
together; 0: not at all). ``slowdown`` is the rate without them over the rate with them, the median
over all windows with them, each beside the mean of its two neighbours; ``slowdown_quartiles`` says
how much that scatters. What the same comparison gives between windows without watchers alone is
``noise_quartiles``.

With ``--runs`` whole runs are timed too, in turn without and with ten watchers, which includes
their starts: all times are printed. Speeds drift by more between runs than watchers take.
"""

import argparse
import json
import os
import pty
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from localdistill.backends.base import GenerationRequest, GenerationStats
from localdistill.cores import usable_cores
from localdistill.events import Recorded, RunStarted, StageProgress, StageStarted
from localdistill.jsonl import JsonlWriter
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.run_dir import RunDir
from localdistill.sampling import Sampling

WATCHERS, SECONDS = 10, 30
WINDOW_S = 10.0
SEED = Path(__file__).parents[1] / "models" / "seed"
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


def fake_run() -> tuple[float, float, float]:
    """(worst latency in s, share of a core that one watcher took, processor seconds of a start)."""
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
            start = before / WATCHERS
            share = used / (time.monotonic() - started) / WATCHERS
        for reader in readers:
            reader.join()
        for each in drawn:
            each.process.wait()
        return max(late), share, start


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


class Telling(threading.Thread):
    """Writes what a generation tells four times a second."""

    def __init__(self, writer: JsonlWriter, stats: GenerationStats) -> None:
        super().__init__(daemon=True)
        self._writer, self._stats = writer, stats
        self.over = threading.Event()

    def run(self) -> None:
        done = 0
        while not self.over.wait(0.25):
            done += 1
            info = {
                "tokens/s": round(self._stats.tokens_per_second, 1),
                "in flight": self._stats.in_flight,
                "prefill share": round(self._stats.prefill_share, 3),
            }
            event = StageProgress(stage="generate", done=done, total=10000, info=info)
            self._writer.write(Recorded(at=time.time(), event=event))


def rates(windows: int) -> list[float]:
    """Tokens a second in windows of ten seconds: the first without watchers, then by turns."""
    from localdistill.backends.llama_cpp import LlamaCppGenerator

    problems = load(str(SEED / "problems" / "train.jsonl")).problems
    wanted = (
        GenerationRequest(each.id, sample, messages(each), sample)
        for sample in range(1_000_000)
        for each in problems
    )
    generator = LlamaCppGenerator(
        SEED / "seed-q8_0.gguf", Sampling(max_tokens=160), slots=16, threads=usable_cores()
    )
    found: list[float] = []
    with generator, tempfile.TemporaryDirectory() as folder:
        directory = RunDir(Path(folder) / "run")
        with directory, JsonlWriter(directory.events) as writer:
            log = str(directory.log)
            began = RunStarted(model="m.gguf", directory=folder, log=log, rounds=1)
            stage = StageStarted(
                stage="generate", title="generate", total=10000, unit="completions"
            )
            for event in (began, stage):
                writer.write(Recorded(at=time.time(), event=event))
            drawn = [Drawn(directory.path) for _ in range(WATCHERS)]
            for each in drawn:
                each.begun.wait()
            telling = Telling(writer, generator.stats)
            signal_all(drawn, signal.SIGSTOP)
            at, tokens = 0.0, 0

            def tick(stats: GenerationStats) -> None:
                nonlocal at, tokens
                now = time.monotonic()
                if not at:  # the first forward pass has warmed up
                    telling.start()
                elif now - at < WINDOW_S:
                    return
                else:
                    found.append((stats.decoded_tokens - tokens) / (now - at))
                    signal_all(drawn, signal.SIGCONT if len(found) % 2 else signal.SIGSTOP)
                    if len(found) == windows:
                        raise _EnoughError
                at, tokens = time.monotonic(), stats.decoded_tokens

            generator.prepare([next(wanted) for _ in problems])
            try:
                for _ in generator.generate(ForEver(wanted), tick):
                    pass
            except _EnoughError:
                pass
            finally:
                signal_all(drawn, signal.SIGCONT)
            telling.over.set()
            telling.join()
        for each in drawn:
            each.process.wait()
    return found


class _EnoughError(Exception):
    pass


class ForEver:
    """A source of requests that are made when they are taken."""

    def __init__(self, requests: Iterator[GenerationRequest]) -> None:
        self._requests = requests

    def take(self, *, wait: bool) -> GenerationRequest | None:
        """The next one."""
        return next(self._requests)


def signal_all(watchers: list[Drawn], number: signal.Signals) -> None:
    """Stop all of them, or let them go on."""
    for each in watchers:
        os.kill(each.process.pid, number)


def compared(found: list[float]) -> dict[str, float | list[float]]:
    """Each window with watchers beside its neighbours without, and those beside each other."""
    with_them = [(found[n - 1] + found[n + 1]) / 2 / found[n] for n in range(1, len(found) - 1, 2)]
    alone = found[::2]
    noise = [(alone[n - 1] + alone[n + 1]) / 2 / alone[n] for n in range(1, len(alone) - 1)]
    return {
        "slowdown": round(statistics.median(with_them), 4),
        "slowdown_quartiles": [round(each, 4) for each in statistics.quantiles(with_them)],
        "noise_quartiles": [round(each, 4) for each in statistics.quantiles(noise)],
        "tokens_per_second": round(statistics.median(alone), 1),
    }


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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--windows", type=int, default=24, help="of ten seconds (24)")
    parser.add_argument("--runs", type=int, default=0, help="whole runs of each kind (0)")
    args, options = parser.parse_known_args()
    latency, share, start = fake_run()
    found: dict[str, object] = {
        "latency_s": round(latency, 2),
        "core_share_each": round(share, 4),
        "start_cpu_s_each": round(start, 2),
    }
    if args.windows:
        found |= compared(rates(max(7, args.windows | 1)))
    if args.runs:
        times = [[round(real_run(options or list(SMALL), n), 1) for n in (0, WATCHERS)]
                 for _ in range(args.runs)]  # fmt: skip
        found["runs_s"] = {"alone, watched": times}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
