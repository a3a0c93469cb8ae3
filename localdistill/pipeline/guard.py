"""Whether the run's model still answers plain questions as the starting model does."""

from __future__ import annotations

from localdistill.deadline import OutOfTime
from localdistill.markers import is_done
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.stages import regression
from localdistill.stages.regression_found import Regression

_LEAST_S = 15.0  # a stage's process takes so long to load anything at all


def guard(session: Session, model: Model, base: Model) -> Regression | None:
    """Hold ``model`` against ``base`` on plain questions.

    None where that is switched off, or there is no time for it.

    Raises:
        LocaldistillError: see ``stages.regression``.
    """
    config = session.config
    if not config.evaluate.general:
        return None
    request = regression.RegressionRequest(
        candidate=_asked(session, model),
        baseline=_asked(session, base),
        slots=config.generate.slots,
        threads=config.generate.threads,
        gpu_layers=config.generate.gpu_layers,
        weights=config.generate.weights,
        out=session.directory.regression,
    )
    try:
        if session.time.deadline.left() < _LEAST_S and not is_done(request.out):
            raise OutOfTime("there was no time left")
        found = session.stage(regression.STAGE, request)
    except OutOfTime as error:
        session.time.omit(regression.STAGE, f"The plain questions to both models, as {error}.")
        return None
    return Regression.model_validate(found)


def _asked(session: Session, model: Model) -> regression.ModelAsked:
    place = session.directory.scores("general", model.label)
    return regression.ModelAsked(label=model.label, gguf=model.gguf, work_dir=place)
