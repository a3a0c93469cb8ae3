"""How *generate* draws: all that is wanted, or by what comes out; freely, or in chunks.

In deterministic mode work is cut into fixed chunks. A chunk is decoded and written as a whole, and
one that was torn is decoded again as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from localdistill.backends.base import Generator, RequestSource
from localdistill.jsonl import JsonlWriter, cut_torn_tail, read_rows
from localdistill.stages import generate_resume as resume
from localdistill.stages.adaptive_planner import Planner
from localdistill.stages.adaptive_source import AdaptiveSource, RequestOf
from localdistill.stages.adaptive_waves import Waves, recorded
from localdistill.stages.generate_progress import Progress
from localdistill.stages.generate_until import Until, UntilSource, chunks_until
from localdistill.types import Completion

Took = Callable[[Completion], None]


@dataclass(frozen=True)
class Drawing:
    """A generator at work on one file."""

    generator: Generator
    out: Path
    progress: Progress

    def freely(self, requests: resume.Work | RequestSource, took: Took) -> None:
        """Draw all of ``requests``, each written as it is finished."""
        with JsonlWriter(self.out) as writer:
            for completion in self.generator.generate(requests, self.progress.tick):
                writer.write(completion)
                self.progress.finished(completion)
                took(completion)

    def in_chunks(self, chunks: Iterator[resume.Work], took: Took) -> None:
        """Draw chunk after chunk, each written as a whole, in the order of its requests."""
        with JsonlWriter(self.out) as writer:
            for chunk in chunks:
                order = {wanted.key: position for position, wanted in enumerate(chunk)}
                found = list(self.generator.generate(chunk, self.progress.tick))
                found.sort(key=lambda row: order[row.key])
                writer.write(*found)
                self.progress.finished(*found)
                for row in found:
                    took(row)


def fixed(
    drawing: Drawing, missing: resume.Work, chunk: int | None, until: Until | None = None
) -> None:
    """Draw ``missing``, in chunks of ``chunk`` if that is given; see ``generate_until``."""
    if chunk is not None:
        chunks = resume.in_chunks(missing, chunk)
        timed = chunks if until is None else chunks_until(chunks, until)
        drawing.in_chunks(iter(timed), lambda row: None)
    elif until is None:
        drawing.freely(missing, lambda row: None)
    else:
        rows = read_rows(drawing.out, Completion) if drawing.out.exists() else []
        source = UntilSource(missing, {row.problem_id for row in rows}, until)
        drawing.freely(source, source.completed)


def adaptive(drawing: Drawing, planner: Planner, request_of: RequestOf, chunk: int | None) -> None:
    """Draw as ``planner`` decides, going on from what stands in the file."""
    if chunk is not None:
        waves = _missing_in_waves(drawing.out, planner, request_of, chunk)
        drawing.in_chunks(waves, planner.sampled.completed)
    else:
        cut_torn_tail(drawing.out)
        rows = read_rows(drawing.out, Completion) if drawing.out.exists() else []
        source = AdaptiveSource(planner, request_of, planner.sampled.restore(rows))
        drawing.freely(source, source.completed)


def _missing_in_waves(
    out: Path, planner: Planner, request_of: RequestOf, size: int
) -> Iterator[resume.Work]:
    """The chunks that are not in ``out``; those that are there are told to the planner."""
    present = {row.key: row for row in read_rows(out, Completion)}
    for wave in Waves(out, planner):
        for chunk in resume.in_chunks([request_of(*key) for key in wave], size):
            if chunk[0].key in present:  # then all of it is: torn ones have been cut off
                for request in chunk:
                    planner.sampled.completed(present[request.key])
            else:
                yield chunk


def wave_chunks(out: Path, request_of: RequestOf, size: int) -> Iterator[resume.Work]:
    """The chunks of all waves of ``out`` that are written down."""
    for wave in recorded(out):
        yield from resume.in_chunks([request_of(*key) for key in wave], size)
