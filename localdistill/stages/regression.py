"""Stage *regression*: does the new model still answer plain questions as the old one did?

Training on code may cost what a model could do before. Both models are asked the questions of
``general.questions``, which have nothing to do with code, and are held against each other in two
ways: how surprised they are by good answers, and whether their own greedy answers have the form
that was asked for. It is a guard with a bound, not a measurement of knowledge.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from localdistill.config import MAX_SLOTS, MAX_THREADS
from localdistill.durable import write_atomically
from localdistill.events import Callback, Notice, StageFinished, StageProgress, StageStarted
from localdistill.jsonl import read_rows
from localdistill.markers import done_facts, is_done, write_whole
from localdistill.sampling import Sampling, Weights
from localdistill.stages import generate
from localdistill.stages.general.looks import flaws
from localdistill.stages.general.questions import QUESTIONS, Question
from localdistill.stages.general.surprise import surprise
from localdistill.stages.regression_found import (
    Regression,
    RegressionCheck,
    Worse,
    told_in_words,
)
from localdistill.types import Completion, Problem, Row

STAGE = "regression"
# The mean surprise may rise by this much, or by this share of what it was: see docs/evaluation.md.
SURPRISE_NATS, SURPRISE_SHARE = 0.1, 0.05
FORM_SHARE = 0.1  # of the questions: so many more answers may lack the form that was asked for
_MAX_TOKENS, _MAX_THINKING = 256, 512
_COMPLETIONS, _SURPRISE = "completions.jsonl", "surprise.jsonl"


class ModelAsked(BaseModel):
    """A GGUF file, what to call it, and where its answers are kept."""

    model_config = ConfigDict(frozen=True)

    label: str
    gguf: Path
    work_dir: Path


class RegressionRequest(BaseModel):
    """The new model, the old one, and how they are run."""

    model_config = ConfigDict(frozen=True)

    candidate: ModelAsked
    baseline: ModelAsked
    slots: int | None = Field(default=None, ge=1, le=MAX_SLOTS)
    threads: int | None = Field(default=None, ge=1, le=MAX_THREADS)
    gpu_layers: int | None = Field(default=None, ge=-1)
    weights: Weights = "auto"
    out: Path


class _Surprise(Row):
    question: str
    nats: float


def run(request: RegressionRequest, callback: Callback) -> Regression:
    """Ask both models and write ``regression.json``; resumes at the level of a model's answers.

    Raises:
        ModelError: a file is no model that llama.cpp can read.
        MemoryShortage: there is no room to run it.
    """
    labels = {"candidate": request.candidate.label, "baseline": request.baseline.label}
    # A run that is continued with more rounds may end with another model.
    asked = (request.candidate, request.baseline)
    kept = all(is_done(model.work_dir / _SURPRISE) for model in asked)
    if kept and is_done(request.out) and done_facts(request.out) == labels:
        found = Regression.model_validate_json(request.out.read_text(encoding="utf-8"))
        callback(StageFinished(stage=STAGE, summary=_summary(found), skipped=True))
        return found
    told = _Told(callback)
    callback(
        StageStarted(stage=STAGE, title="plain questions", total=4 * len(QUESTIONS), unit="answers")
    )
    nats, forms = {}, {}
    for model in (request.baseline, request.candidate):
        forms[model.label] = _answers(request, model, told)
        nats[model.label] = _surprise(request, model, told)
    old, new = request.baseline.label, request.candidate.label
    found = compare(nats[old], nats[new], forms[old], forms[new])
    write_whole(request.out, found.model_dump_json(indent=2) + "\n", **labels)
    callback(StageFinished(stage=STAGE, summary=_summary(found)))
    if not found.passed:
        callback(Notice(level="warning", message=told_in_words(found)))
    return found


def compare(
    nats_before: list[float],
    nats_after: list[float],
    before: list[Completion],
    after: list[Completion],
) -> Regression:
    """Hold the new model's figures against the old one's; all lists in the order of ``QUESTIONS``.

    The surprise is averaged over questions, not over tokens, so that one long answer does not
    decide.
    """
    mean_before, mean_after = float(np.mean(nats_before)), float(np.mean(nats_after))
    most = mean_before + max(SURPRISE_NATS, SURPRISE_SHARE * mean_before)
    asked = list(zip(QUESTIONS, map(_flaws, QUESTIONS, before), after, strict=True))
    worse = [
        Worse(question=question.id, answer=answer.text, flaws=now)
        for question, then, answer in asked
        if not then and (now := _flaws(question, answer))
    ]
    sound_before = sum(1 for _, then, _ in asked if not then)
    sound_after = sum(1 for question, _, answer in asked if not _flaws(question, answer))
    fewest = max(0.0, sound_before - FORM_SHARE * len(QUESTIONS))
    checks = [
        RegressionCheck(
            name="surprise",
            before=mean_before,
            after=mean_after,
            bound=most,
            passed=bool(mean_after <= most),  # NaN is no pass
        ),
        RegressionCheck(
            name="form",
            before=sound_before,
            after=sound_after,
            bound=fewest,
            passed=sound_after >= fewest if fewest > 0 else None,
        ),
    ]
    return Regression(
        questions=len(QUESTIONS),
        checks=checks,
        worse=worse,
        passed=all(check.passed is not False for check in checks),
    )


def _flaws(question: Question, completion: Completion) -> list[str]:
    return flaws(
        question,
        completion.text,
        ended=completion.finish_reason == "stop",
        loops=completion.ended_by == "repetition",
    )


class _Told:
    """Passes on how many answers there are, whatever the inner stage counts."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._done = 0

    def more(self, count: int = 1) -> None:
        self._done += count
        self._callback(StageProgress(stage=STAGE, done=self._done))


def _answers(request: RegressionRequest, model: ModelAsked, told: _Told) -> list[Completion]:
    """Greedy answers in the order of ``QUESTIONS``."""
    problems = model.work_dir / "questions.jsonl"
    out = model.work_dir / _COMPLETIONS
    rows = [Problem(id=each.id, prompt=each.prompt).model_dump_json() for each in QUESTIONS]
    text = "\n".join(rows) + "\n"
    if not problems.is_file() or problems.read_text(encoding="utf-8") != text:
        problems.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(problems, text)
    generate.run(
        generate.GenerateRequest(
            model=model.gguf,
            problems=str(problems),
            samples=1,
            sampling=Sampling(
                temperature=0.0, max_tokens=_MAX_TOKENS, max_thinking_tokens=_MAX_THINKING
            ),
            seed=0,
            round=0,
            purpose=STAGE,
            out=out,
            slots=request.slots,
            threads=request.threads,
            gpu_layers=request.gpu_layers,
            weights=request.weights,
        ),
        lambda event: None,
    )
    told.more(len(QUESTIONS))
    found = {row.problem_id: row for row in read_rows(out, Completion)}
    return [found[question.id] for question in QUESTIONS]


def _surprise(request: RegressionRequest, model: ModelAsked, told: _Told) -> list[float]:
    out = model.work_dir / _SURPRISE
    if is_done(out):
        told.more(len(QUESTIONS))
        return [row.nats for row in read_rows(out, _Surprise)]
    more: Callable[[], None] = told.more
    nats = surprise(model.gguf, QUESTIONS, request.threads, more)
    rows = [
        _Surprise(question=question.id, nats=value).model_dump_json() + "\n"
        for question, value in zip(QUESTIONS, nats, strict=True)
    ]
    write_whole(out, "".join(rows))
    return nats


def _summary(found: Regression) -> dict[str, str | int | float | bool | None]:
    nats, form = found.checks
    return {
        "surprise": f"{nats.before:.2f} to {nats.after:.2f} nats a token",
        "sound": f"{form.before:.0f} to {form.after:.0f} of {found.questions}",
    }
