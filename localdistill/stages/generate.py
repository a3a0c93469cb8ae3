"""Stage *generate*: sample completions of a problem set from a model.

The file of completions is the state: an interrupted stage reads it and draws what is missing. What
the rows were made with stands beside it in ``OUT.request.json``, so that a file is never continued
with other settings.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from localdistill import control, memory
from localdistill.backends.base import Generator
from localdistill.backends.draw import chain
from localdistill.cores import usable_cores
from localdistill.errors import ConfigError, MemoryShortage, ModelError
from localdistill.events import Callback, Notice, Scalar, StageFinished
from localdistill.jsonl import read_rows
from localdistill.markers import done_facts, is_done, mark_done, marker
from localdistill.problems import load
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.start import check_template
from localdistill.sampling import Weights
from localdistill.stages import generate_resume as resume
from localdistill.stages.adaptive_rule import FIRST_WAVE
from localdistill.stages.f16_weights import f16_copy
from localdistill.stages.generate_request import GenerateRequest
from localdistill.stages.generate_server import notes_of, open_server, tell
from localdistill.stages.generate_work import adaptive, fixed, requests, seed_of, started
from localdistill.stages.sizing import DEFAULT_SLOTS, Task, longest_prompt
from localdistill.stages.this_machine import choose_here
from localdistill.stages.writer_lock import WriterLock
from localdistill.types import Completion

__all__ = [
    "GenerateRequest",
    "GenerateSummary",
    "check_model",
    "run",
    "seed_of",
]


class GenerateSummary(BaseModel):
    """What is in the file, and how fast this run of the stage was."""

    model_config = ConfigDict(frozen=True)

    completions: int
    tokens: int  # sampled, end tokens included
    cut_by_length: int  # completions that end without an end token
    tokens_per_second: float  # of this run, 0 if it had nothing to do
    prefill_share: float  # of its time
    sampler_order: str
    sampler_chain: list[str]  # how tokens were drawn, step by step; empty: by a server
    slots: int
    threads: int  # 0: a server's affair
    cells: int  # tokens of the cache; 0 where it is not ours
    gpu_layers: int  # -1: all
    weights: str = ""  # stored or f16: the form that was computed with; empty: by a server
    # Of adaptive sampling: how many problems stopped for which reason.
    stopped: dict[str, int] = {}
    left_out: int = 0  # problems for which there was no time
    skipped: bool = False  # the file was complete before
    notes: list[str] = []  # what a server may have done otherwise than asked, for a person


Open = Callable[[GenerateRequest, int, int], Generator]


def open_llama_cpp(request: GenerateRequest, slots: int, threads: int) -> Generator:
    """The generator that the command line uses, as large as memory has room for.

    Raises:
        MemoryShortage: there is not enough for one sample, or for the slots that were asked for.
    """
    from localdistill.backends.llama_cpp import LlamaCppGenerator

    problems = load(request.problems, request.limit).problems
    task = Task(
        request.sampling.max_tokens,
        longest_prompt(problems),
        # Texts that are promised to be the same depend on how batches are composed.
        slots if request.slots or request.deterministic else None,
        requests=len(problems) * request.samples,
        samples=1 if request.adaptive else request.samples,
        exact=request.deterministic,
        gpu_layers=request.gpu_layers,
        threads=threads,
        path=request.model,
        weights=_weights(request),
    )
    sizing = choose_here(read_header(request.model), task)

    def opened(weights: Path | None) -> Generator:
        return LlamaCppGenerator(
            request.model,
            request.sampling,
            slots=sizing.slots,
            threads=threads,
            cells=sizing.cells,
            batch=sizing.batch,
            gpu_layers=sizing.gpu_layers,
            weights=weights,
        )

    if sizing.weights == "f16":
        try:
            with f16_copy(request.model, threads) as weights:
                return opened(weights)
        except (MemoryShortage, ModelError):
            if request.deterministic:
                raise
    return opened(None)


def _weights(request: GenerateRequest) -> Weights:
    """Texts that are promised to be the same do not depend on what memory is free."""
    undecided = request.deterministic and request.weights == "auto"
    return "stored" if undecided else request.weights


def _as_begun(request: GenerateRequest) -> GenerateRequest:
    """``request`` with as many layers on the GPU as there were when its file was begun.

    Texts that are promised to be the same do not depend on what memory of a GPU is free now.
    """
    if not request.deterministic or request.server is not None or request.gpu_layers is not None:
        return request
    layers = resume.begun_with(request.out, "gpu_layers")
    return request if layers is None else request.model_copy(update={"gpu_layers": layers})


def _see_weights(request: GenerateRequest, generator: Generator, callback: Callback) -> None:
    """Tell where weights are not computed with as they were to be.

    Raises:
        ConfigError: the same texts were promised.
    """
    if _weights(request) != "f16" or generator.stats.weights == "f16":
        return
    text = f"{request.model.name}: its weights are not unpacked to 16 bits"
    if request.deterministic:
        raise ConfigError(
            f"{text} by this llama.cpp, which --weights f16 and --deterministic call for; give "
            "--weights stored and another --out"
        )
    callback(Notice(message=f"{text}: there is no room for it now, or no use"))


def open_by_request(request: GenerateRequest, slots: int, threads: int) -> Generator:
    """A server where the request names one, else the file in this process."""
    if request.server is None:
        return open_llama_cpp(request, slots, threads)
    return open_server(request.server, request.model, request.sampling, slots)


def run(
    request: GenerateRequest, callback: Callback, *, open_generator: Open = open_by_request
) -> GenerateSummary:
    """Write ``samples`` completions of each problem to ``request.out``, each exactly once.

    With ``adaptive``, as many of each problem as its verdicts call for.

    Raises:
        ConfigError: ``out`` was begun with other settings; the message names them.
        WriterGone: adaptive, and whoever wrote the verdicts has ended.
        ProblemSetError, ModelError, UserError: what is wrong with problems, model or a prompt.
    """
    if request.adaptive and request.verdicts is None:
        raise ConfigError("--adaptive goes by verdicts: give --verdicts, as `verify --follow` has.")
    if request.adaptive and request.samples < FIRST_WAVE:
        raise ConfigError(
            f"--adaptive draws {FIRST_WAVE} samples of each problem before it chooses: "
            f"give --samples {FIRST_WAVE} or more, which it shares out."
        )
    if request.server is None and not is_done(request.out):  # a finished file outlives its model
        check_model(request.model)  # before the whole file is read for its hash
    request = _as_begun(request)
    slots, threads = request.slots or DEFAULT_SLOTS, request.threads or usable_cores()
    problems = load(request.problems, request.limit).problems
    wanted = requests(request, problems)
    identity = _identity(request, wanted, slots, threads)
    resume.check_same(request.out, identity)
    if is_done(request.out):
        summary = GenerateSummary(**{**done_facts(request.out), "skipped": True})
        callback(started(summary.completions, summary.completions))
        callback(StageFinished(stage="generate", summary=_shown(summary), skipped=True))
        return summary
    with WriterLock(request.out):
        # Of a file that was cut short since: who follows it must not take it for finished.
        marker(request.out).unlink(missing_ok=True)
        if request.adaptive:
            work = adaptive(request, problems, wanted, slots, callback)
        else:
            work = fixed(request, wanted, slots, callback)
        generator = open_generator(request, slots, threads)
        try:
            # All of them and not the missing ones: the context must not depend on where we resume.
            generator.prepare(wanted)
            _see_weights(request, generator, callback)
            told = tell(generator, callback)
            if request.deterministic and request.server is None:
                identity["gpu_layers"] = generator.stats.gpu_layers
            resume.write_record(request.out, identity)
            with control.cooperative():
                stopped = work(generator)
            tell(generator, callback, told)
        finally:
            generator.close()
        summary = _summary(request, generator, slots, stopped, len(problems))
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


def _identity(
    request: GenerateRequest, wanted: resume.Work, slots: int, threads: int
) -> dict[str, Any]:
    """What the completions depend on, by names that a user knows."""
    # The same problems have the same digest, however many of their samples are known now.
    times = request.samples if request.adaptive else 1
    prompts = [each for each in wanted for _ in range(times)]
    found: dict[str, Any] = {
        "model": None if request.server else resume.model_digest(request.model),
        "problems": resume.prompts_digest(prompts),
        **request.model_dump(include={"samples", "seed", "round", "purpose", "deterministic"}),
        **request.sampling.model_dump(),
    }
    if request.server:  # its name and not the URL: a server that has moved is the same one
        found |= {"model": str(request.model), "drawn_by": "server"}
    if request.deterministic:
        found |= {"slots": slots, "threads": threads}
        if request.gpu_layers is not None:
            found["gpu_layers"] = request.gpu_layers
        if (weights := _weights(request)) != "stored":
            found["weights"] = weights
    if request.adaptive:
        found |= {"adaptive": True, **request.model_dump(include={"keep", "cap"})}
    return found


def _summary(
    request: GenerateRequest,
    generator: Generator,
    slots: int,
    stopped: dict[str, int],
    problems: int,
) -> GenerateSummary:
    stats = generator.stats
    rows = read_rows(request.out, Completion)
    left_out = problems - len({row.problem_id for row in rows}) if request.until is not None else 0
    return GenerateSummary(
        completions=len(rows),
        tokens=sum(row.token_count for row in rows),
        cut_by_length=sum(row.finish_reason == "length" for row in rows),
        tokens_per_second=round(stats.tokens_per_second, 2),
        prefill_share=round(stats.prefill_share, 4),
        sampler_order=request.sampling.order,
        sampler_chain=[] if request.server else chain(request.sampling),
        slots=stats.slots or slots,
        threads=generator.threads,
        cells=stats.cells,
        gpu_layers=stats.gpu_layers,
        weights=stats.weights,
        stopped=stopped,
        left_out=left_out,
        notes=notes_of(generator),
    )


def _shown(summary: GenerateSummary) -> dict[str, Scalar]:
    stopped = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in summary.stopped.items())
    return {
        "completions": summary.completions,
        "tokens": summary.tokens,
        "tokens/s": summary.tokens_per_second,
        "cut by length": summary.cut_by_length,
        **({"problems": stopped} if stopped else {}),
        **({"problems left out": summary.left_out} if summary.left_out else {}),
    }
