"""Stage *evaluate*: is the candidate model better than the baseline on held-out problems?

Both models are sampled with the same decoding, the same number of samples and the same derivation
of seeds, and tested in the same sandbox. The comparison is paired by problem.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from localdistill import metrics
from localdistill.errors import ConfigError
from localdistill.events import Callback, Event, StageFinished, StageProgress, StageStarted
from localdistill.jsonl import is_done, refuse_foreign, write_whole
from localdistill.problems import load
from localdistill.sampling import Sampling
from localdistill.stages import generate, verify
from localdistill.types import EvalResult, ModelScore, Verdict

_COMPLETIONS, VERDICTS = "completions.jsonl", "verdicts.jsonl"


class ModelUnderTest(BaseModel):
    """A GGUF file, what to call it, and where its completions and verdicts are kept."""

    model_config = ConfigDict(frozen=True)

    label: str
    gguf: Path
    work_dir: Path


class EvaluateRequest(BaseModel):
    """What to compare, on what, and how it is sampled."""

    model_config = ConfigDict(frozen=True)

    candidate: ModelUnderTest
    baseline: ModelUnderTest | None = None
    problems: str
    limit: int | None = Field(default=None, ge=1)
    name: str = "eval"  # of the problem set, for people
    samples: int = Field(ge=1)
    ks: list[Annotated[int, Field(ge=1)]] = Field(default=[1], min_length=1)
    sampling: Sampling
    seed: int
    round: int = 0
    slots: int | None = Field(default=None, ge=1, le=generate.MAX_SLOTS)
    threads: int | None = Field(default=None, ge=1, le=generate.MAX_THREADS)
    deterministic: bool = False
    sandbox: str = "auto"
    workers: int | None = Field(default=None, ge=1, le=verify.MAX_WORKERS)
    out: Path


def run(request: EvaluateRequest, callback: Callback) -> EvalResult:
    """Score the candidate, and the baseline if there is one, and write ``evaluation.json``.

    Raises:
        ConfigError: pass@k is asked for with k above the number of samples, no problem has tests,
            or ``out`` is something else.
        ModelError, SandboxUnavailable: before anything is sampled.
    """
    too_large = [k for k in request.ks if k > request.samples]
    if too_large:
        message = f"pass@{too_large[0]} needs at least {too_large[0]} samples a problem"
        raise ConfigError(f"{message}, not {request.samples}.")
    refuse_foreign(request.out)
    # There is no shortcut for a result that is there: the completions know what they were drawn
    # from, and a comparison of finished ones costs a second.
    problems = load(request.problems, request.limit)
    if all(problem.tests is None for problem in problems.problems):
        message = f"{request.problems}: its problems have no tests to compare by"
        raise ConfigError(f"{message}; name a set that has.")
    ids = [problem.id for problem in problems.problems]
    models = [request.candidate, *([request.baseline] if request.baseline else [])]
    for model in models:
        if not is_done(model.work_dir / _COMPLETIONS):  # a finished file outlives its model
            generate.check_model(model.gguf)
    if not all(is_done(model.work_dir / VERDICTS) for model in models):
        # Before hours of sampling: without a sandbox none of it can be judged.
        verify.try_sandbox(request.sandbox)
    candidate = _verdicts(request, request.candidate, callback)
    baseline = _verdicts(request, request.baseline, callback) if request.baseline else None
    title = f"evaluate ({request.name})"
    callback(StageStarted(stage="evaluate", title=title, total=len(ids), unit="problems"))
    result = compare(request, ids, candidate, baseline)
    write_whole(request.out, result.model_dump_json(indent=2) + "\n")
    callback(StageFinished(stage="evaluate", summary=summarise(result)))
    return result


def compare(
    request: EvaluateRequest,
    ids: list[str],
    candidate: list[Verdict],
    baseline: list[Verdict] | None,
) -> EvalResult:
    """Turn verdicts into scores with intervals and, with a baseline, a paired comparison."""
    mine = metrics.score(candidate, request.candidate.label, ids, request.ks)
    if baseline is None or request.baseline is None:
        return EvalResult(problem_set=request.name, candidate=mine)
    theirs = metrics.score(baseline, request.baseline.label, ids, request.ks)
    return metrics.compare(request.name, mine, theirs)


def _verdicts(request: EvaluateRequest, model: ModelUnderTest, callback: Callback) -> list[Verdict]:
    """Sample ``model`` on the problems and test what it says; both resume where they were."""
    completions = model.work_dir / _COMPLETIONS
    verdicts = model.work_dir / VERDICTS

    def relabel(event: Event, /) -> None:
        # The inner stages are steps of this one: their results are not a round's.
        if isinstance(event, StageStarted):
            title = f"evaluate ({request.name}): {event.title}, {model.label}"
            event = event.model_copy(update={"stage": "evaluate", "title": title})
        elif isinstance(event, StageProgress | StageFinished):
            event = event.model_copy(update={"stage": "evaluate"})
        callback(event)

    generate.run(
        generate.GenerateRequest(
            model=model.gguf,
            problems=request.problems,
            limit=request.limit,
            samples=request.samples,
            sampling=request.sampling,
            seed=request.seed,
            round=request.round,
            purpose=f"evaluate {request.name}",
            out=completions,
            slots=request.slots,
            threads=request.threads,
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


def summarise(result: EvalResult) -> dict[str, str | int | float | bool | None]:
    """What the evaluation found, for the display."""
    shown: dict[str, str | int | float | bool | None] = {
        result.candidate.model: percent(result.candidate)
    }
    if result.baseline is not None:
        shown = {result.baseline.model: percent(result.baseline), **shown}
    return shown
