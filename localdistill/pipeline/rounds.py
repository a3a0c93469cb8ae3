"""The loop over rounds.

A round whose training diverges or whose export is rejected gives no model: the next one goes on
from the model before it.
"""

from __future__ import annotations

from localdistill.deadline import OutOfTime
from localdistill.events import RoundStarted
from localdistill.manifest import sandboxes
from localdistill.outcomes import read_comparison
from localdistill.pipeline.comparison import best_on_dev, compare
from localdistill.pipeline.control_arms import with_controls
from localdistill.pipeline.models import Model, RunResult
from localdistill.pipeline.one_round import try_round
from localdistill.pipeline.session import Session
from localdistill.types import EvalResult, Rejection


def all_rounds(session: Session, base: Model) -> RunResult:
    """Do what is left of the configured rounds, and compare the best one's model with ``base``.

    Raises:
        LocaldistillError: of the class that says which boundary was crossed.
    """
    directory, rounds = session.directory, session.config.rounds
    models: list[Model] = [base]
    rejections: list[Rejection] = []
    for number in range(1, rounds + 1):
        if not session.time.begins(number, rounds, directory.round(number)):
            break
        session.callback(RoundStarted(round=number, rounds=rounds))
        found = try_round(session, number, models[-1], base)
        if isinstance(found, Rejection):
            rejections.append(found)
        elif found is not None:
            models.append(found)
        session.time.ends()
    best, result = base, None
    if len(models) > 1:  # else the eval set stays closed: there is nothing to compare
        best = best_on_dev(session, models[1:], base)
        result = _verdict(session, best, base)
    return RunResult(
        result,
        best,
        sandboxes(directory),
        tuple(rejections),
        read_comparison(directory.comparison),
        session.time.omitted,
    )


def _verdict(session: Session, best: Model, base: Model) -> EvalResult | None:
    try:
        result = compare(session, "eval", best, base, session.directory.evaluation)
    except OutOfTime as error:
        session.time.omit("evaluate", f"The comparison of the models on eval, as {error}.")
        return None
    return with_controls(session, result, best, base) if session.config.controls else result
