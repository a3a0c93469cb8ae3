"""Work that has all cores busy, in windows without and with watchers: part of ``watchers.py``.

    python benchmarks/watchers_windows.py drawing|training|starts PAIRS

Windows come as without, with, with, without, and again: what drifts evenly falls out of each four.
Prints one line of JSON. ``watchers.py`` says what the figures are.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pty
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from watched_run import watched_run

from localdistill.backends.base import GenerationRequest
from localdistill.bootstrap import difference_interval
from localdistill.cores import usable_cores
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.run_dir import RunDir
from localdistill.sampling import Sampling

WATCHERS = 10
WINDOW_S, START_WINDOW_S, SETTLE_S = 5.0, 12.0, 1.0
APART_S = 0.075  # between two that are let go on: not all at once, as none were started at once
TO_SEE_S = 2.0  # what a watcher has to see a figure
SEED = Path(__file__).parents[1] / "models" / "seed"
CODE = "from localdistill.cli import main; main()"
MARK = re.compile(rb"([\d,]+) mark")  # as the dashboard has it
PAINTED = b"\x1b[?2026l"  # what it ends a painting with
TICKS = os.sysconf("SC_CLK_TCK")


def command(*arguments: str) -> list[str]:
    """The command line in this interpreter."""
    return [sys.executable, "-c", CODE, *arguments]


def own_seconds(pid: int) -> float:
    """Processor time of process ``pid``."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Drawn:
    """A watcher with the dashboard on a terminal of 80x24, and when it has shown which mark."""

    def __init__(self, run_dir: Path) -> None:
        self.screen, terminal = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            command("watch", str(run_dir), "--progress", "live"),
            stdin=subprocess.DEVNULL, stdout=terminal, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        self.begun = threading.Event()
        self.shown: list[tuple[float, int]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        try:
            while block := os.read(self.screen, 65536):
                rest = rest[-20:] + block
                if PAINTED in rest:
                    self.begun.set()
                if found := MARK.findall(rest):
                    self.shown.append((time.time(), int(found[-1].replace(b",", b""))))
        except OSError:
            pass
        finally:
            self.begun.set()
            os.close(self.screen)


def watched(window: int) -> bool:
    """Without, with, with, without, and again."""
    return window % 4 in (1, 2)


class Beside:
    """Ten watchers that are stopped and let go on."""

    def __init__(self) -> None:
        self.drawn: list[Drawn] = []
        self.spans: list[tuple[float, float]] = []  # in which all were let go on

    def begin(self, directory: RunDir) -> None:
        """Start them, and wait until each has painted."""
        self.drawn = [Drawn(directory.path) for _ in range(WATCHERS)]
        for each in self.drawn:
            each.begun.wait()

    def change(self, window: int) -> None:
        """Stop them or let them go on, as ``window`` is to be."""
        on = watched(window)
        if not on and window and watched(window - 1):
            self.spans[-1] = (self.spans[-1][0], time.time())
        if on and not (window and watched(window - 1)):
            self.spans.append((time.time() + SETTLE_S, math.inf))
        number = signal.SIGCONT if on else signal.SIGSTOP
        threading.Thread(target=self._signal, args=(number,), daemon=True).start()

    def _signal(self, number: signal.Signals) -> None:
        for each in self.drawn:
            os.kill(each.process.pid, number)
            if number == signal.SIGCONT:
                time.sleep(APART_S)

    def open(self, window: int) -> None:
        """Nothing is to be done when a window begins."""

    def end(self) -> None:
        """Let them see that the run is over."""
        for each in self.drawn:
            each.process.send_signal(signal.SIGCONT)
        for each in self.drawn:
            each.process.wait()

    def latency(self, written: Sequence[float]) -> float:
        """The longest that a mark took from the file to the screen of one of them, in seconds.

        Marks count that were written while all were let go on, and stayed so for long enough.
        """
        ages = [
            min(at for at, shown in each.shown if shown >= mark) - born
            for mark, born in enumerate(written)
            for begun, over in self.spans
            if begun <= born <= over - TO_SEE_S
            for each in self.drawn
        ]
        return max(ages)


class Starting:
    """Ten watchers that are started when a window begins, and ended after it."""

    def __init__(self) -> None:
        self.drawn: list[Drawn] = []
        self.begun: list[int] = []  # of ten, by the end of their window
        self._directory = Path()
        self._start = threading.Thread()

    def begin(self, directory: RunDir) -> None:
        """Remember what they are to watch."""
        self._directory = directory.path

    def change(self, window: int) -> None:
        """End those there are."""
        if self.drawn:
            self._start.join()
            self.begun.append(sum(each.begun.is_set() for each in self.drawn))
        self.end()

    def open(self, window: int) -> None:
        """Start ten, beside the work, if ``window`` is to have them."""
        if watched(window):
            self._start = threading.Thread(target=self._start_ten)
            self._start.start()

    def _start_ten(self) -> None:
        for _ in range(WATCHERS):
            self.drawn.append(Drawn(self._directory))

    def end(self) -> None:
        """End those there are."""
        for each in self.drawn:
            each.process.kill()
            each.process.wait()
        self.drawn = []


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


class ForEver:
    """A source of requests that are made when they are taken."""

    def __init__(self, requests: Iterator[GenerationRequest]) -> None:
        self._requests = requests

    def take(self, *, wait: bool) -> GenerationRequest | None:
        """The next one."""
        return next(self._requests)


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


class _EnoughError(Exception):
    pass


class Windows:
    """Takes the rate of some work in one window after the other, in the process that does it.

    Before each there is a moment in which the watchers change. Who has them is told on stdout.
    """

    def __init__(self, number: int, length: float) -> None:
        self._number, self._length = number, length
        self.rates: list[float] = []  # tokens a second
        self.waits: list[float] = []  # share of all cores' time in which a thread waited for a core
        self._next = 0.0  # when the next window may begin
        self._opened: tuple[float, int, float] | None = None  # when and with what this one has

    def tick(self, done: int) -> None:
        """Take how much has been done by now."""
        if not self._next:  # the first forward pass has warmed up
            print("begin", flush=True)
            sys.stdin.readline()  # until all watch
            self._change()
        now = time.monotonic()
        if self._opened is None:
            if now >= self._next:
                print(f"open {len(self.rates)}", flush=True)
                self._opened = now, done, waited()
        elif now - self._opened[0] >= self._length:
            began, before, waited_before = self._opened
            self.rates.append((done - before) / (now - began))
            self.waits.append((waited() - waited_before) / (now - began) / usable_cores())
            if len(self.rates) == self._number:
                raise _EnoughError
            self._opened = None
            self._change()

    def _change(self) -> None:
        print(f"change {len(self.rates)}", flush=True)
        self._next = time.monotonic() + SETTLE_S


def waited() -> float:
    """Seconds for which this process's threads were ready and had no core, all together.

    Source: ``run_delay`` of ``/proc/PID/task/TID/schedstat`` (Documentation/scheduler/
    sched-stats.rst of the kernel).
    """
    found = 0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # it has ended
            found += int(path.read_text().split()[1])
    return found / 1e9


def work(name: str, number: int, length: float) -> None:
    """Do the work ``name`` for so many windows, in this process; prints what was found."""
    windows = Windows(number, length)
    with contextlib.suppress(_EnoughError):
        {"drawing": drawing, "training": training}[name](windows.tick)
    print("found", json.dumps([windows.rates, windows.waits]), flush=True)


@dataclass(frozen=True)
class Found:
    """What windows of some work have shown, and when marks were told beside it."""

    rates: list[float]
    waits: list[float]
    written: list[float]


def beside(name: str, number: int, length: float, ten: Beside | Starting) -> Found:
    """Have the work ``name`` done in a process of its own, with ``ten`` as its windows want them.

    What terminals do with what watchers write is done in this process.
    """
    arguments = [sys.executable, __file__, "work", name, str(number), str(length)]
    rates, waits = [], []
    with contextlib.ExitStack() as stack:
        stack.callback(ten.end)  # last: they end when the run is over
        directory, telling = stack.enter_context(watched_run())
        worker = stack.enter_context(
            subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        assert worker.stdin is not None and worker.stdout is not None
        for line in worker.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "begin":
                telling.start()
                ten.begin(directory)
                worker.stdin.write("go\n")
                worker.stdin.flush()
            elif word == "change":
                ten.change(int(rest))
            elif word == "open":
                ten.open(int(rest))
            elif word == "found":
                rates, waits = json.loads(rest)
    if not rates:
        sys.exit(f"{name} ended with exit code {worker.returncode}")
    return Found(rates, waits, telling.written)


def interval(values: list[float]) -> list[float]:
    """(mean, low, high): 95%, by the bootstrap; ``values`` lie between -1 and 1."""
    low, high = difference_interval(np.array(values))
    return [statistics.fmean(values), low, high]


def fours(found: list[float]) -> list[tuple[float, float]]:
    """(rate without, rate with) of each four windows: geometric means."""
    return [
        (math.sqrt(found[n] * found[n + 3]), math.sqrt(found[n + 1] * found[n + 2]))
        for n in range(0, len(found) - 3, 4)
    ]


def compared(name: str, pairs: int) -> dict[str, Any]:
    """How much slower the work ``name`` is with ten watchers, and how late they see a mark."""
    ten = Beside()
    found = beside(name, 2 * pairs, WINDOW_S, ten)
    slower = [math.log(alone / seen) for alone, seen in fours(found.rates)]
    # The last of four and the first of the next are both without; every second pair turned round.
    rates = found.rates
    pairs_alone = [(rates[n], rates[n + 1]) for n in range(3, len(rates) - 1, 4)]
    noise = [math.log(one / other) * (-1) ** n for n, (one, other) in enumerate(pairs_alone)]
    waits: list[list[float]] = [[], []]
    for number, wait in enumerate(found.waits):
        waits[watched(number)].append(wait)
    return {
        "slowdown": [round(math.exp(each), 4) for each in interval(slower)],
        "noise": [round(math.exp(each), 4) for each in interval(noise)],
        "waiting_share": [round(statistics.fmean(each), 4) for each in waits],
        "tokens_per_second": round(statistics.median(alone for alone, _ in fours(rates)), 1),
        "latency_s": round(ten.latency(found.written), 2),
    }


def starts(pairs: int) -> dict[str, Any]:
    """What a run loses in the first seconds beside ten watchers that are started."""
    ten = Starting()
    found = beside("drawing", 2 * pairs, START_WINDOW_S, ten)
    lost = interval([1 - seen / alone for alone, seen in fours(found.rates)])
    return {
        "starts_lose_s": [round(START_WINDOW_S * each, 2) for each in lost],
        "begun_of_ten": min(ten.begun),
    }


def main() -> None:
    """Measure one part, or do the work of one in this process."""
    part, *rest = sys.argv[1:]
    if part == "work":
        work(rest[0], int(rest[1]), float(rest[2]))
        return
    pairs = int(rest[0])
    print(json.dumps(starts(pairs) if part == "starts" else compared(part, pairs)))


if __name__ == "__main__":
    main()
