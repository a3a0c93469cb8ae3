"""What *generate* has to draw, found out before a model is loaded.

requests -> fixed or adaptive work -> draw with a generator (generate_draw)
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence

from localdistill.backends.base import GenerationRequest, Generator
from localdistill.events import Callback, StageStarted
from localdistill.problems.prompt import messages
from localdistill.stages import adaptive_record
from localdistill.stages import generate_draw as draw
from localdistill.stages import generate_resume as resume
from localdistill.stages.adaptive_planner import Planner
from localdistill.stages.adaptive_state import Sampled
from localdistill.stages.generate_progress import Progress
from localdistill.stages.generate_request import GenerateRequest
from localdistill.stages.generate_until import Until, shuffled
from localdistill.types import Problem

# Draws with a generator; returns how many problems stopped for which reason, if that was decided.
Work = Callable[[Generator], dict[str, int]]


def seed_of(run_seed: int, round_: int, purpose: str, problem_id: str, sample: int) -> int:
    """The seed of one completion, 0 .. 2**32 - 2, the same on every machine.

    BLAKE2b of the five values as a JSON list. 2**32 - 1 is left out: llama.cpp takes it to mean
    "random".
    """
    text = json.dumps([run_seed, round_, purpose, problem_id, sample])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (2**32 - 1)


def requests(request: GenerateRequest, problems: Sequence[Problem]) -> list[GenerationRequest]:
    """All that is wanted; of adaptive sampling, whose numbers nobody knows, one for each prompt."""
    samples = 1 if request.adaptive else request.samples
    found = []
    for problem in problems:
        prompt = messages(problem)
        for sample in range(samples):
            seed = seed_of(request.seed, request.round, request.purpose, problem.id, sample)
            found.append(GenerationRequest(problem.id, sample, prompt, seed, problem.entry_point))
    return found


def fixed(
    request: GenerateRequest,
    wanted: resume.Work,
    slots: int,
    callback: Callback,
) -> Work:
    """Find out what is missing, and say so; what is returned draws it."""
    chunk = slots if request.deterministic else None
    if request.until is not None and chunk is None:  # chunks that are there must stay as they are
        wanted = shuffled(wanted, request.seed)
    if chunk is None:
        missing = resume.missing(request.out, wanted)
    else:
        missing = resume.missing_chunks(request.out, wanted, chunk)
    done, tokens = resume.done_in(request.out)
    callback(started(len(wanted), done))

    def work(generator: Generator) -> dict[str, int]:
        progress = Progress(callback, done, tokens, lambda now: len(wanted) - now)
        drawing = draw.Drawing(generator, request.out, progress)
        until = None
        if request.until is not None:
            turns = math.ceil(request.samples / (generator.stats.slots or slots))
            until = Until(request.until, request.samples, turns)
        draw.fixed(drawing, missing, chunk, until)
        progress.report()
        return {}

    return work


def adaptive(
    request: GenerateRequest,
    problems: Sequence[Problem],
    wanted: resume.Work,
    slots: int,
    callback: Callback,
) -> Work:
    """As ``fixed``, but which samples are drawn depends on what passes."""
    by_id = {first.problem_id: first for first in wanted}

    def request_of(problem_id: str, sample: int) -> GenerationRequest:
        seed = seed_of(request.seed, request.round, request.purpose, problem_id, sample)
        first = by_id[problem_id]
        return GenerationRequest(problem_id, sample, first.messages, seed, first.entry_point)

    assert request.verdicts is not None  # noqa: S101 - run has refused it
    rule = request.rule(len(problems))
    sampled = Sampled(problems, rule, request.verdicts, callback)
    planner = Planner(sampled)
    if request.deterministic:
        resume.keep_whole_chunks(request.out, draw.wave_chunks(request.out, request_of, slots))
    done, tokens = resume.done_in(request.out)
    callback(started(None, done))

    def work(generator: Generator) -> dict[str, int]:
        adaptive_record.begin(request.out, rule)
        progress = Progress(
            callback,
            done,
            tokens,
            lambda now: sampled.drawn - now + planner.samples_left(),
            estimated=True,
        )
        drawing = draw.Drawing(generator, request.out, progress)
        draw.adaptive(drawing, planner, request_of, slots if request.deterministic else None)
        progress.report()
        return adaptive_record.finish(request.out, sampled)

    return work


def started(total: int | None, done: int) -> StageStarted:
    """The event with which the stage begins."""
    return StageStarted(
        stage="generate", title="generate", total=total, done=done, unit="completions"
    )
