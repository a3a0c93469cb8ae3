"""Ten watchers of one run: how soon they see what happens, and what they cost.

    python benchmarks/watchers.py [--pairs N] [--starts N] [--runs N] [OPTIONS OF localdistill run]

First a fake run writes an event a second for 30 seconds, and ten watchers say when they saw each
(``latency_s``, the worst; it must be under 2). Their processor time a second, and what each took to
start, is taken with the dashboard on terminals of 80x24.

Then the seed model draws samples with all cores, and after that a copy of it is trained on one
batch again and again, and each tells of it once a second, as a run does. Meanwhile the ten are
stopped and let go on, so that windows of five seconds without and with them come in pairs
(``--pairs``, 60 of each work; 0: not at all), and every second pair the other way round.
``slowdown`` is the rate without them over the rate with them: the geometric mean over all pairs,
with its 95% interval. ``noise`` is the same of pairs that have nobody in both windows.

``starts_lose_s`` is what a run loses when ten watchers are started beside it at once: seconds of
drawing, in the same way, in windows of twelve seconds (``--starts`` pairs, 10).

With ``--runs`` whole runs are timed too, without and with ten watchers that are started with them,
in turn and back: a line each.
"""

import argparse
import json
import math
import os
import pty
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from localdistill.backends.base import GenerationRequest
from localdistill.cores import usable_cores
from localdistill.events import Recorded, RunStarted, StageFinished, StageProgress, StageStarted
from localdistill.jsonl import JsonlWriter
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.run_dir import RunDir
from localdistill.sampling import Sampling
from localdistill.watching import Recording

WATCHERS, SECONDS = 10, 30
WINDOW_S, START_WINDOW_S = 5.0, 12.0
Z95 = statistics.NormalDist().inv_cdf(0.975)
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
    """Writes what a stage tells, once a second as a run does."""

    def __init__(self, writer: JsonlWriter) -> None:
        super().__init__(daemon=True)
        self._writer = writer
        self.rate = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        done = 0
        while not self.over.wait(1):
            done += 1
            info: dict[str, Any] = {"tokens/s": round(self.rate, 1), "in flight": 16}
            event = StageProgress(stage="generate", done=done, total=10000, info=info)
            self._writer.write(Recorded(at=time.time(), event=event))


def drawing(tick: Callable[[int], None]) -> None:
    """Draw samples of the seed model for ever; ``tick`` is told how many tokens there are."""
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
    with generator:
        generator.prepare([next(wanted) for _ in problems])
        for _ in generator.generate(ForEver(wanted), lambda stats: tick(stats.decoded_tokens)):
            pass


def training(tick: Callable[[int], None]) -> None:
    """Train a copy of the seed model on one batch for ever; ``tick`` is told of the tokens."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(usable_cores())
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(SEED, dtype=torch.float32)
    tokens = torch.randint(0, model.config.vocab_size, (4, 128))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    done = 0
    while True:
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        done += tokens.numel()
        tick(done)


def watched(window: int) -> bool:
    """Without, with, with, without, and again: whatever drifts evenly falls out."""
    return window % 4 in (1, 2)


class Beside:
    """Ten watchers that are stopped and let go on."""

    def __init__(self) -> None:
        self.drawn: list[Drawn] = []

    def change(self, window: int, directory: RunDir) -> None:
        """Stop them or let them go on, as ``window`` is to be."""
        if not self.drawn:
            self.drawn = [Drawn(directory.path) for _ in range(WATCHERS)]
            for each in self.drawn:
                each.begun.wait()
        for each in self.drawn:
            os.kill(each.process.pid, signal.SIGCONT if watched(window) else signal.SIGSTOP)

    def end(self) -> None:
        """Let them see that the run is over."""
        for each in self.drawn:
            os.kill(each.process.pid, signal.SIGCONT)
        for each in self.drawn:
            each.process.wait()


class Starting:
    """Ten watchers that are started for a window and ended after it."""

    def __init__(self) -> None:
        self.drawn: list[Drawn] = []

    def change(self, window: int, directory: RunDir) -> None:
        """End those there are, and start others if ``window`` is to have them."""
        self.end()
        if watched(window):
            self.drawn = [Drawn(directory.path) for _ in range(WATCHERS)]

    def end(self) -> None:
        """End those there are."""
        for each in self.drawn:
            each.process.kill()
            each.process.wait()
        self.drawn = []


Work = Callable[[Callable[[int], None]], None]


def rates(work: Work, windows: int, length: float, ten: Beside | Starting) -> list[float]:
    """Tokens a second of ``work`` in so many windows of ``length`` seconds, some with watchers."""
    found: list[float] = []
    at, tokens = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDir(Path(folder) / "run")
        with directory, JsonlWriter(directory.events) as writer:
            log = str(directory.log)
            began = RunStarted(model="m.gguf", directory=folder, log=log, rounds=1)
            stage = StageStarted(
                stage="generate", title="generate", total=10000, unit="completions"
            )
            for event in (began, stage):
                writer.write(Recorded(at=time.time(), event=event))
            telling = Telling(writer)

            def tick(done: int) -> None:
                nonlocal at, tokens
                now = time.monotonic()
                if not at:  # the first forward pass has warmed up
                    telling.start()
                elif now - at < length:
                    return
                else:
                    telling.rate = (done - tokens) / (now - at)
                    found.append(telling.rate)
                    if len(found) == windows:
                        raise _EnoughError
                ten.change(len(found), directory)
                at, tokens = time.monotonic(), done

            try:
                work(tick)
            except _EnoughError:
                pass
            finally:
                telling.over.set()
                telling.join()
        ten.end()
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


def pairs(found: list[float]) -> list[tuple[float, float]]:
    """(rate without, rate with) of windows that follow each other."""
    return [
        (found[n + 1], found[n]) if watched(n) else (found[n], found[n + 1])
        for n in range(0, len(found) - 1, 2)
    ]


def with_interval(values: list[float]) -> tuple[float, float, float]:
    """(mean, low, high): 95%, by the normal distribution."""
    mean = statistics.fmean(values)
    half = Z95 * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def compared(work: Work, number: int) -> dict[str, Any]:
    """How much slower ``work`` is with ten watchers."""
    found = rates(work, 2 * number, WINDOW_S, Beside())
    logs = [math.log(alone / seen) for alone, seen in pairs(found)]
    # Windows 3 and 4, 7 and 8, ... follow each other without watchers.
    alone = [math.log(found[n] / found[n + 1]) for n in range(3, len(found) - 1, 4)]
    return {
        "slowdown": [round(math.exp(each), 4) for each in with_interval(logs)],
        "noise": [round(math.exp(each), 4) for each in with_interval(alone)],
        "tokens_per_second": round(statistics.median(each for each, _ in pairs(found)), 1),
    }


def starts(number: int) -> dict[str, Any]:
    """What a run loses while ten watchers start."""
    found = rates(drawing, 2 * number, START_WINDOW_S, Starting())
    lost = [START_WINDOW_S * (1 - seen / alone) for alone, seen in pairs(found)]
    return {"starts_lose_s": [round(each, 2) for each in with_interval(lost)]}


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
    """Measure all and print one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=60, help="of windows, at least 4 (60)")
    parser.add_argument("--starts", type=int, default=10, help="pairs of windows, at least 2 (10)")
    parser.add_argument("--runs", type=int, default=0, help="whole runs of each kind (0)")
    args, options = parser.parse_known_args()
    latency, share, start = fake_run()
    found: dict[str, object] = {
        "latency_s": round(latency, 2),
        "core_share_each": round(share, 4),
        "start_cpu_s_each": round(start, 2),
    }
    if args.pairs:
        found |= {each.__name__: compared(each, args.pairs) for each in (drawing, training)}
    if args.starts:
        found |= starts(args.starts)
    print(json.dumps(found), flush=True)
    if args.runs:
        orders = [(0, WATCHERS), (WATCHERS, 0)]
        for number in range(args.runs):
            for watchers in orders[number % 2]:
                took = real_run(options or list(SMALL), watchers)
                print(json.dumps({"watchers": watchers} | took), flush=True)


if __name__ == "__main__":
    main()
