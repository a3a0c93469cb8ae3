"""Whether the run's model still answers plain questions as the starting model does."""

from __future__ import annotations

from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.stages import regression


def guard(session: Session, model: Model, base: Model) -> regression.Regression | None:
    """Hold ``model`` against ``base`` on plain questions; None where that is switched off.

    Raises:
        LocaldistillError: see ``stages.regression``.
    """
    config = session.config
    if not config.evaluate.general:
        return None
    found = session.stage(
        regression.STAGE,
        regression.RegressionRequest(
            candidate=_asked(session, model),
            baseline=_asked(session, base),
            slots=config.generate.slots,
            threads=config.generate.threads,
            gpu_layers=config.generate.gpu_layers,
            out=session.directory.regression,
        ),
    )
    return regression.Regression.model_validate(found)


def _asked(session: Session, model: Model) -> regression.ModelAsked:
    place = session.directory.scores("general", model.label)
    return regression.ModelAsked(label=model.label, gguf=model.gguf, work_dir=place)
