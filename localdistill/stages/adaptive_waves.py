"""Adaptive sampling in deterministic mode: in waves, each decided on when the last one is judged.

A wave is written down before it is drawn, in ``OUT.waves``, and drawn in fixed chunks. A call that
goes on with the file draws the same waves in the same chunks, and decides on the next one only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from localdistill.jsonl import JsonlWriter, cut_torn_tail, read_rows
from localdistill.stages.adaptive_planner import Planner
from localdistill.stages.adaptive_state import Key
from localdistill.types import Row


class Wave(Row):
    """How many samples of each problem were drawn together, after those drawn before."""

    samples: dict[str, int]


def waves_path(out: Path) -> Path:
    """Where the waves of ``out`` are written down."""
    return out.with_name(out.name + ".waves")


def recorded(out: Path) -> list[list[Key]]:
    """The samples of each wave that is written down."""
    path, drawn = waves_path(out), Counter[str]()
    cut_torn_tail(path)
    found = []
    for wave in read_rows(path, Wave) if path.exists() else []:
        numbers = {name: range(drawn[name], drawn[name] + n) for name, n in wave.samples.items()}
        found.append([(name, number) for name in numbers for number in numbers[name]])
        drawn.update(wave.samples)
    return found


class Waves:
    """The waves of one file, those that are written down first."""

    def __init__(self, out: Path, planner: Planner) -> None:
        self._out = out
        self._planner = planner

    def __iter__(self) -> Iterator[list[Key]]:
        """Yield the samples of each wave. All of it has to be drawn before the next is asked for.

        What the caller has drawn of it, it has told ``sampled.completed``.
        """
        sampled = self._planner.sampled
        for keys in recorded(self._out):
            yield [sampled.hand_out(name) for name, _ in keys]
        with JsonlWriter(waves_path(self._out)) as writer:
            while True:
                while sampled.pending:
                    sampled.wait()
                wave = self._decide()
                if not wave.samples:
                    break
                writer.write(wave)
                writer.sync()
                yield [sampled.hand_out(name) for name, n in wave.samples.items() for _ in range(n)]
        self._planner.end()

    def _decide(self) -> Wave:
        planner = self._planner
        left = planner.rule.budget - planner.sampled.drawn
        found: dict[str, int] = {}
        fresh = planner.fresh()
        if not fresh:
            planner.reckon()
        while left > 0 and (name := fresh.pop(0) if fresh else planner.next_problem()):
            size = min(left, planner.rule.wave(planner.sampled.tallies[name]))
            found[name] = size
            left -= size
        order = list(planner.sampled.tallies)
        return Wave(samples={name: found[name] for name in order if name in found})
