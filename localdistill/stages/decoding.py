"""Stage *decoding*: with which way of decoding does a model do best on the dev problems?

Each is sampled and tested as in a comparison, with equal numbers of samples (one where it is
greedy) and the same derivation of seeds for every model. The highest pass@1 is chosen; of equal
ones the first, so that a model's own section of the settings wins over what is tried beside it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from localdistill import metrics
from localdistill.decodings import samples_of
from localdistill.events import Callback, StageFinished, StageStarted
from localdistill.markers import refuse_foreign, write_whole
from localdistill.sampling import Sampling
from localdistill.stages.scoring import (
    ModelUnderTest,
    ScoringRequest,
    ids_to_score,
    percent,
    verdicts_on,
)
from localdistill.types import DecodingChoice, DecodingScore


class DecodingRequest(ScoringRequest):
    """Which model, and what is tried."""

    model: ModelUnderTest  # in its folder each way of decoding has one of its own, by its name
    decodings: dict[str, Sampling] = Field(min_length=1)  # by short names
    out: Path


def run(request: DecodingRequest, callback: Callback) -> DecodingChoice:
    """Score the model under each way of decoding and write which is best, and all scores.

    Raises:
        ConfigError, ModelError, SandboxUnavailable: see ``ids_to_score``.
        StageFailed: no sample counts.
    """
    refuse_foreign(request.out)
    tried = {name: _trial(request, name) for name in request.decodings}
    ids = ids_to_score(request.model_copy(update={"ks": [1]}), *tried.values())
    scores = [_score(request, trial, ids, callback) for trial in tried.values()]
    callback(StageStarted(stage="evaluate", title=_title(request), total=len(ids), unit="problems"))
    best = max(scores, key=lambda one: metrics.pass_at_1(one.score))  # the first of equal ones
    choice = DecodingChoice(
        name=next(name for name, one in zip(tried, scores, strict=True) if one is best),
        scores=[one.model_copy(update={"chosen": one is best}) for one in scores],
    )
    write_whole(request.out, choice.model_dump_json(indent=2) + "\n")
    shown = f"{Sampling(**best.decoding).told()}, {percent(best.score)}"
    callback(StageFinished(stage="evaluate", summary={request.model.label: shown}))
    return choice


def _trial(request: DecodingRequest, name: str) -> ModelUnderTest:
    sampling = request.decodings[name]
    update = {
        "sampling": sampling,
        "samples": samples_of(sampling, request.samples, request.ks),
        "work_dir": request.model.work_dir / name,
    }
    return request.model.model_copy(update=update)


def _score(
    request: DecodingRequest, trial: ModelUnderTest, ids: list[str], callback: Callback
) -> DecodingScore:
    sampling = trial.sampling or Sampling()
    found = verdicts_on(request, trial, sampling, callback)
    return DecodingScore(
        model=trial.label,
        decoding=sampling.model_dump(mode="json"),
        score=metrics.score(found, trial.label, ids, request.ks, request.confidence),
    )


def _title(request: DecodingRequest) -> str:
    what = "best decoding" if len(request.decodings) > 1 else "score"
    return f"evaluate ({request.name}): {what}, {request.model.label}"
