"""Stage *generate*: sample completions of a problem set from a model.

The file of completions is the state: an interrupted stage reads it and draws what is missing. What
the rows were made with stands beside it in ``OUT.request.json``, so that a file is never continued
with other settings.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import psutil
from pydantic import BaseModel, ConfigDict, Field, model_validator

from localdistill import memory
from localdistill.backends.base import GenerationRequest, GenerationStats, Generator
from localdistill.events import (
    Callback,
    Notice,
    Scalar,
    StageFinished,
    StageProgress,
    StageStarted,
)
from localdistill.jsonl import (
    JsonlWriter,
    done_facts,
    is_done,
    mark_done,
    read_rows,
)
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.start import check_template
from localdistill.sampling import Sampling
from localdistill.stages import generate_resume as resume
from localdistill.types import Completion, Problem

DEFAULT_SLOTS = (
    16  # beyond it a CPU gains little: 0.5B model, 2 cores, 81 tok/s with 16, 85 with 32
)
MAX_SLOTS = 255  # llama.cpp allows 256 sequences, and one holds the prompt
MAX_THREADS = 512  # GGML_MAX_N_THREADS
_PROGRESS_S = 0.25  # least time between two reports


class GenerateRequest(BaseModel):
    """What to sample, from what, and where it goes."""

    model_config = ConfigDict(frozen=True)

    model: Path  # a GGUF file, or with ``server`` the model's name there
    server: str | None = None  # the URL of an OpenAI-compatible server to draw from
    problems: str  # a specification, see localdistill.problems
    limit: int | None = Field(default=None, ge=1)
    samples: int = Field(default=1, ge=1, le=100_000)  # completions a problem
    sampling: Sampling = Sampling()
    seed: int = 0  # of the run
    round: int = 0
    purpose: str = "generate"  # a word of the seed's derivation: other purposes draw other samples
    out: Path
    slots: int | None = Field(default=None, ge=1, le=MAX_SLOTS)  # samples decoded together
    threads: int | None = Field(default=None, ge=1, le=MAX_THREADS)  # None: usable_cores()
    deterministic: bool = False  # the same texts after a kill, for some speed

    @model_validator(mode="after")
    def _server_decides(self) -> Self:
        if self.server is not None and (self.deterministic or self.threads is not None):
            name = "--deterministic" if self.deterministic else "--threads"
            raise ValueError(f"{name} is the server's affair: leave it out with --server")
        return self


class GenerateSummary(BaseModel):
    """What is in the file, and how fast this run of the stage was."""

    model_config = ConfigDict(frozen=True)

    completions: int
    tokens: int  # sampled, end tokens included
    cut_by_length: int  # completions that end without an end token
    tokens_per_second: float  # of this run, 0 if it had nothing to do
    prefill_share: float  # of its time
    sampler_order: str
    slots: int
    threads: int
    skipped: bool = False  # the file was complete before
    notes: list[str] = []  # what a server may have done otherwise than asked, for a person


Open = Callable[[GenerateRequest, int, int], Generator]


def open_llama_cpp(request: GenerateRequest, slots: int, threads: int) -> Generator:
    """The generator that the command line uses."""
    from localdistill.backends.llama_cpp import LlamaCppGenerator

    return LlamaCppGenerator(request.model, request.sampling, slots=slots, threads=threads)


def open_by_request(request: GenerateRequest, slots: int, threads: int) -> Generator:
    """A server where the request names one, else the file in this process."""
    if request.server is None:
        return open_llama_cpp(request, slots, threads)
    from localdistill.backends.openai_server import OpenAIServerGenerator

    name = str(request.model)
    return OpenAIServerGenerator(request.server, name, request.sampling, slots=slots)


def run(
    request: GenerateRequest, callback: Callback, *, open_generator: Open = open_by_request
) -> GenerateSummary:
    """Write ``samples`` completions of each problem to ``request.out``, each exactly once.

    Raises:
        ConfigError: ``out`` was begun with other settings; the message names them.
        ProblemSetError, ModelError, UserError: what is wrong with problems, model or a prompt.
    """
    if request.server is None and not is_done(request.out):  # a finished file outlives its model
        check_model(request.model)  # before the whole file is read for its hash
    slots, threads = request.slots or DEFAULT_SLOTS, request.threads or usable_cores()
    wanted = _requests(request, load(request.problems, request.limit).problems)
    identity = _identity(request, wanted, slots, threads)
    resume.check_same(request.out, identity)
    if is_done(request.out):
        summary = GenerateSummary(**{**done_facts(request.out), "skipped": True})
        callback(_started(len(wanted), len(wanted)))
        callback(StageFinished(stage="generate", summary=_shown(summary), skipped=True))
        return summary
    if request.deterministic:
        missing = resume.missing_chunks(request.out, wanted, slots)
        chunks: Iterable[resume.Work] = resume.in_chunks(missing, slots)
    else:
        missing = resume.missing(request.out, wanted)
        chunks = [missing]
    done = len(wanted) - len(missing)
    callback(_started(len(wanted), done))
    generator = open_generator(request, slots, threads)
    try:
        # All of them and not the missing ones: the context must not depend on where we resume.
        generator.prepare(wanted)
        told = _tell(generator, callback, 0)
        resume.write_record(request.out, identity)
        _generate(generator, chunks, request, callback, done)
        _tell(generator, callback, told)
    finally:
        generator.close()
    summary = _summary(request, generator.stats, slots, generator.threads, _notes(generator))
    mark_done(request.out, **summary.model_dump(mode="json"))
    callback(StageFinished(stage="generate", summary=_shown(summary)))
    return summary


def check_model(path: Path, available: Callable[[], int] = memory.available_bytes) -> None:
    """Refuse a file that cannot be sampled, from its header, before C code reads it.

    Raises:
        ModelError: missing, damaged, split, or not a model with a chat template.
        MemoryShortage: its weights do not fit into memory, and no GPU may take them.
    """
    header = read_header(path)
    check_template(header)
    if not memory.has_gpu():
        weights = sum(tensor.size for tensor in header.tensors.values())
        memory.require(weights, path, "Close other programs, or take a smaller file.", available)


def seed_of(run_seed: int, round_: int, purpose: str, problem_id: str, sample: int) -> int:
    """The seed of one completion, 0 .. 2**32 - 2, the same on every machine.

    BLAKE2b of the five values as a JSON list. 2**32 - 1 is left out: llama.cpp takes it to mean
    "random".
    """
    text = json.dumps([run_seed, round_, purpose, problem_id, sample])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (2**32 - 1)


def usable_cores() -> int:
    """Physical cores, but not more than the processors that this process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed or 1))


def _requests(request: GenerateRequest, problems: Sequence[Problem]) -> list[GenerationRequest]:
    found = []
    for problem in problems:
        prompt = messages(problem)
        for sample in range(request.samples):
            seed = seed_of(request.seed, request.round, request.purpose, problem.id, sample)
            found.append(GenerationRequest(problem.id, sample, prompt, seed, problem.entry_point))
    return found


def _generate(
    generator: Generator,
    chunks: Iterable[resume.Work],
    request: GenerateRequest,
    callback: Callback,
    done: int,
) -> None:
    reported = time.monotonic()

    def tick(stats: GenerationStats) -> None:
        nonlocal reported
        now = time.monotonic()
        if now - reported >= _PROGRESS_S:
            reported = now
            speed = round(stats.tokens_per_second, 1)
            info: dict[str, Scalar] = {"tokens/s": speed, "in flight": stats.in_flight}
            callback(StageProgress(stage="generate", done=done, info=info))

    with JsonlWriter(request.out) as writer:
        for chunk in chunks:
            order = {wanted.key: position for position, wanted in enumerate(chunk)}
            together: list[Completion] = []
            for completion in generator.generate(chunk, tick):
                if request.deterministic:
                    together.append(completion)
                else:
                    writer.write(completion)
                    done += 1
            together.sort(key=lambda row: order[row.key])
            writer.write(*together)
            done += len(together)
    callback(StageProgress(stage="generate", done=done))


def _identity(
    request: GenerateRequest, wanted: resume.Work, slots: int, threads: int
) -> dict[str, Any]:
    """What the completions depend on, by names that a user knows."""
    found: dict[str, Any] = {
        "model": None if request.server else resume.model_digest(request.model),
        "problems": resume.prompts_digest(wanted),
        **request.model_dump(include={"samples", "seed", "round", "purpose", "deterministic"}),
        **request.sampling.model_dump(),
    }
    if request.server:  # its name and not the URL: a server that has moved is the same one
        found |= {"model": str(request.model), "drawn_by": "server"}
    if request.deterministic:
        found |= {"slots": slots, "threads": threads}
    return found


def _started(total: int, done: int) -> StageStarted:
    return StageStarted(
        stage="generate", title="generate", total=total, done=done, unit="completions"
    )


def _summary(
    request: GenerateRequest,
    stats: GenerationStats,
    slots: int,
    threads: int,
    notes: list[str],
) -> GenerateSummary:
    rows = read_rows(request.out, Completion)
    return GenerateSummary(
        completions=len(rows),
        tokens=sum(row.token_count for row in rows),
        cut_by_length=sum(row.finish_reason == "length" for row in rows),
        tokens_per_second=round(stats.tokens_per_second, 2),
        prefill_share=round(stats.prefill_share, 4),
        sampler_order=request.sampling.order,
        slots=slots,
        threads=threads,
        notes=notes,
    )


def _notes(generator: Generator) -> list[str]:
    return list(getattr(generator, "notes", []))


def _tell(generator: Generator, callback: Callback, told: int) -> int:
    """Pass on the notes after the first ``told``; how many there are now."""
    notes = _notes(generator)
    for note in notes[told:]:
        callback(Notice(level="warning", message=note))
    return len(notes)


def _shown(summary: GenerateSummary) -> dict[str, Scalar]:
    return {
        "completions": summary.completions,
        "tokens": summary.tokens,
        "tokens/s": summary.tokens_per_second,
        "cut by length": summary.cut_by_length,
    }
