"""What the stages that score models share: sampling one on a problem set and testing what it says.

Completions and verdicts resume where they were, and know what they were drawn from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from localdistill import metrics
from localdistill.bootstrap import Confidence, Method
from localdistill.config import MAX_SLOTS, MAX_THREADS, MAX_WORKERS
from localdistill.errors import ConfigError
from localdistill.events import Callback, Event, StageFinished, StageProgress, StageStarted
from localdistill.markers import is_done
from localdistill.problems import load
from localdistill.sampling import Sampling, Weights
from localdistill.stages import generate, verify
from localdistill.types import ModelScore, Verdict

COMPLETIONS, VERDICTS = "completions.jsonl", "verdicts.jsonl"


class ModelUnderTest(BaseModel):
    """A GGUF file, what to call it, and where its completions and verdicts are kept."""

    model_config = ConfigDict(frozen=True)

    label: str
    gguf: Path
    work_dir: Path
    sampling: Sampling | None = None  # its own way of decoding; None: the request's
    samples: int | None = Field(default=None, ge=1)  # for each problem; None: the request's


class ScoringRequest(BaseModel):
    """On what a model is scored, and how it is sampled and tested."""

    model_config = ConfigDict(frozen=True)

    problems: str
    limit: int | None = Field(default=None, ge=1)
    name: str = "eval"  # of the problem set, for people; other names draw other samples
    samples: int = Field(ge=1)
    ks: list[Annotated[int, Field(ge=1)]] = Field(default=[1], min_length=1)
    seed: int
    round: int = 0
    slots: int | None = Field(default=None, ge=1, le=MAX_SLOTS)
    threads: int | None = Field(default=None, ge=1, le=MAX_THREADS)
    gpu_layers: int | None = Field(default=None, ge=-1)
    weights: Weights = "auto"
    deterministic: bool = False
    sandbox: str = "auto"
    workers: int | None = Field(default=None, ge=1, le=MAX_WORKERS)
    level: float = Field(default=0.95, ge=0.5, le=0.9999)  # of the intervals
    interval: Method = "percentile"

    @property
    def confidence(self) -> Confidence:
        """How intervals are made."""
        return Confidence(self.level, self.interval)


def ids_to_score(request: ScoringRequest, *models: ModelUnderTest) -> list[str]:
    """The ids of the problems; refuses what scoring ``models`` would fail on.

    Raises:
        ConfigError: pass@k is asked for with k above the number of samples, or no problem has
            tests.
        ModelError, SandboxUnavailable: before anything is sampled.
    """
    fewest = min([request.samples, *(each.samples for each in models if each.samples)])
    too_large = [k for k in request.ks if k > fewest]
    if too_large:
        message = f"pass@{too_large[0]} needs at least {too_large[0]} samples a problem"
        raise ConfigError(f"{message}, not {fewest}.")
    problems = load(request.problems, request.limit)
    if all(problem.tests is None for problem in problems.problems):
        message = f"{request.problems}: its problems have no tests to compare by"
        raise ConfigError(f"{message}; name a set that has.")
    for model in models:
        if not is_done(model.work_dir / COMPLETIONS):  # a finished file outlives its model
            generate.check_model(model.gguf)
    if not all(is_done(model.work_dir / VERDICTS) for model in models):
        # Before hours of sampling: without a sandbox none of it can be judged.
        verify.try_sandbox(request.sandbox)
    return [problem.id for problem in problems.problems]


def verdicts_on(
    request: ScoringRequest, model: ModelUnderTest, sampling: Sampling, callback: Callback
) -> list[Verdict]:
    """Sample ``model`` on the problems, with its own decoding or ``sampling``, and test it all."""
    completions = model.work_dir / COMPLETIONS
    verdicts = model.work_dir / VERDICTS
    sampling = model.sampling or sampling
    nothing_to_do = is_done(completions) and is_done(verdicts)

    def relabel(event: Event, /) -> None:
        # The inner stages are steps of this one: their results are not a round's.
        if isinstance(event, StageStarted | StageProgress | StageFinished) and nothing_to_do:
            return
        if isinstance(event, StageStarted):
            title = f"evaluate ({request.name}): {event.title}, {model.label}"
            title += f", {sampling.told()}" if model.sampling else ""
            event = event.model_copy(update={"stage": "evaluate", "title": title})
        elif isinstance(event, StageProgress | StageFinished):
            event = event.model_copy(update={"stage": "evaluate"})
        callback(event)

    generate.run(
        generate.GenerateRequest(
            model=model.gguf,
            problems=request.problems,
            limit=request.limit,
            samples=model.samples or request.samples,
            sampling=sampling,
            seed=request.seed,
            round=request.round,
            purpose=f"evaluate {request.name}",
            out=completions,
            slots=request.slots,
            threads=request.threads,
            gpu_layers=request.gpu_layers,
            weights=request.weights,
            deterministic=request.deterministic,
        ),
        relabel,
    )
    verify.run(
        verify.VerifyRequest(
            problems=request.problems,
            limit=request.limit,
            completions=completions,
            out=verdicts,
            sandbox=request.sandbox,
            workers=request.workers,
            confirm=False,  # nothing is trained on them
        ),
        relabel,
    )
    return metrics.fixed_verdicts(completions, verdicts)


def percent(score: ModelScore) -> str:
    """``pass@1 41.2% (38.0 to 44.5)``."""
    first = score.pass_at[0]
    interval = f"{100 * first.low:.1f} to {100 * first.high:.1f}"
    return f"pass@{first.k} {100 * first.value:.1f}% ({interval})"
