"""Stage *evaluate*: is the candidate model better than the baseline on held-out problems?

Both models are sampled with the same derivation of seeds, and with the same decoding and number of
samples unless one has its own, and tested in the same sandbox. The comparison is paired by problem.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from localdistill import metrics
from localdistill.errors import ModelError
from localdistill.events import Callback, StageFinished, StageStarted
from localdistill.markers import refuse_foreign, write_whole
from localdistill.power import minimum_detectable_effect
from localdistill.quantization.file_type import UNKNOWN, file_type_of
from localdistill.quantization.gguf_file import read_header
from localdistill.sampling import Sampling
from localdistill.stages.scoring import (
    VERDICTS,
    ModelUnderTest,
    ScoringRequest,
    ids_to_score,
    percent,
    verdicts_on,
)
from localdistill.types import DecodingScore, EvalResult, Opening, Verdict

__all__ = ["VERDICTS", "EvaluateRequest", "ModelUnderTest", "percent", "run"]


class EvaluateRequest(ScoringRequest):
    """What to compare, on what, and how it is sampled."""

    candidate: ModelUnderTest
    baseline: ModelUnderTest | None = None
    sampling: Sampling
    out: Path
    # What the result is to tell besides: how the decodings were chosen, and how often the set has
    # been looked at.
    choices: list[DecodingScore] = Field(default_factory=list)
    openings: list[Opening] = Field(default_factory=list)


def run(request: EvaluateRequest, callback: Callback) -> EvalResult:
    """Score the candidate, and the baseline if there is one, and write ``evaluation.json``.

    Raises:
        ConfigError: pass@k is asked for with k above the number of samples, no problem has tests,
            or ``out`` is something else.
        ModelError, SandboxUnavailable: before anything is sampled.
    """
    refuse_foreign(request.out)
    # There is no shortcut for a result that is there: the completions know what they were drawn
    # from, and a comparison of finished ones costs a second.
    models = [request.candidate, *([request.baseline] if request.baseline else [])]
    ids = ids_to_score(request, *models)
    sampling = request.sampling
    candidate, *others = (verdicts_on(request, each, sampling, callback) for each in models)
    title = f"evaluate ({request.name})"
    callback(StageStarted(stage="evaluate", title=title, total=len(ids), unit="problems"))
    result = compare(request, ids, candidate, others[0] if others else None)
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
    how = request.confidence
    mine = metrics.score(candidate, request.candidate.label, ids, request.ks, how)
    told: dict[str, Any] = {
        "level": how.level,
        "interval_method": how.method,
        "candidate_decoding": _decoding(request, request.candidate),
        "candidate_type": _type(request.candidate),
        "choices": request.choices,
        "openings": request.openings,
    }
    if baseline is None or request.baseline is None:
        return EvalResult(problem_set=request.name, candidate=mine, **told)
    theirs = metrics.score(baseline, request.baseline.label, ids, request.ks, how)
    # As many samples as the model with fewer has: so the figure is no promise too many.
    fewest = min(
        model.samples or request.samples for model in (request.candidate, request.baseline)
    )
    both = mine.counts.keys() & theirs.counts.keys()  # what cannot be told of is not compared
    if both:
        told["detectable"] = minimum_detectable_effect(len(both), fewest, how=how)
    told["baseline_decoding"] = _decoding(request, request.baseline)
    told["baseline_type"] = _type(request.baseline)
    return metrics.compare(request.name, mine, theirs, how).model_copy(update=told)


def _type(model: ModelUnderTest) -> str | None:
    """The type of its file; None where that does not say it, or is gone: its answers outlive it."""
    try:
        found = file_type_of(read_header(model.gguf))
    except ModelError:
        return None
    return None if found == UNKNOWN else found


def _decoding(request: EvaluateRequest, model: ModelUnderTest) -> dict[str, Any]:
    return (model.sampling or request.sampling).model_dump(mode="json")


def summarise(result: EvalResult) -> dict[str, str | int | float | bool | None]:
    """What the evaluation found, for the display."""
    shown: dict[str, str | int | float | bool | None] = {
        result.candidate.model: percent(result.candidate)
    }
    if result.baseline is not None:
        shown = {result.baseline.model: percent(result.baseline), **shown}
    return shown
