"""Models of a run against its starting model, on dev and on eval."""

from __future__ import annotations

from pathlib import Path

from localdistill.deadline import OutOfTime
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.stages import evaluate
from localdistill.types import EvalResult


def best_on_dev(session: Session, models: list[Model], base: Model) -> Model:
    """The round's model with the highest pass@1 on dev; no choice is made of one."""
    if len(models) == 1:
        return models[0]
    scored = []
    for model in models:
        out = session.directory.round(model.round).evaluation
        try:
            result = compare(session, "dev", model, base, out, models=len(models) + 1)
        except OutOfTime as error:
            text = f"The choice between rounds on dev, as {error}: the last one is taken."
            session.time.omit("evaluate", text)
            return models[-1]
        scored.append((result.candidate.pass_at[0].value, -model.round, model))
    return max(scored, key=lambda entry: entry[:2])[2]


def _problems(session: Session, name: str, models: int) -> Path:
    """Those of split ``name`` that models are compared on: as many as there is time for."""
    whole, part = session.directory.problems(name), session.directory.problems(f"{name}-part")
    if session.directory.scores(name, "base").exists() and not part.exists():
        return whole
    share = 0.5 if name == "dev" else 1.0
    return session.time.problems(whole, part, session.config.evaluate.samples, models, share)


def compare(
    session: Session, name: str, model: Model, base: Model, out: Path, *, models: int = 2
) -> EvalResult:
    """Score ``model`` against ``base`` on problem set ``name`` ("dev", "eval"); written to ``out``.

    ``models``: how many in all are scored on it, for which there has to be time.

    Raises:
        OutOfTime: there is no time for that.
        LocaldistillError: see ``stages.evaluate``.
    """
    config, scores = session.config, session.directory.scores
    found = session.stage(
        "evaluate",
        evaluate.EvaluateRequest(
            candidate=evaluate.ModelUnderTest(
                label=model.label, gguf=model.gguf, work_dir=scores(name, model.label)
            ),
            baseline=evaluate.ModelUnderTest(
                label=base.label, gguf=base.gguf, work_dir=scores(name, base.label)
            ),
            problems=str(_problems(session, name, models)),
            name=name,
            samples=config.evaluate.samples,
            ks=config.evaluate.ks,
            sampling=config.evaluate.sampling(),
            seed=config.seed,
            slots=config.generate.slots,
            threads=config.generate.threads,
            gpu_layers=config.generate.gpu_layers,
            deterministic=config.deterministic,
            sandbox=config.verify.sandbox,
            workers=config.verify.workers,
            out=out,
        ),
    )
    for label in (model.label, base.label):
        session.record_sandbox(scores(name, label) / evaluate.VERDICTS)
    return EvalResult.model_validate(found)
