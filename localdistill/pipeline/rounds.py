"""The loop over rounds.

A round whose training diverges or whose export is rejected gives no model: the next one goes on
from the model before it.
"""

from __future__ import annotations

from localdistill.events import RoundStarted
from localdistill.manifest import sandboxes
from localdistill.pipeline.comparison import best_on_dev, compare
from localdistill.pipeline.guard import guard
from localdistill.pipeline.models import Model, RunResult
from localdistill.pipeline.one_round import try_round
from localdistill.pipeline.session import Session
from localdistill.types import Rejection


def all_rounds(session: Session, base: Model) -> RunResult:
    """Do what is left of the configured rounds, and compare the best one's model with ``base``.

    Raises:
        LocaldistillError: of the class that says which boundary was crossed.
    """
    directory, rounds = session.directory, session.config.rounds
    models, rejections = [base], []
    for number in range(1, rounds + 1):
        session.callback(RoundStarted(round=number, rounds=rounds))
        found = try_round(session, number, models[-1], base)
        if isinstance(found, Rejection):
            rejections.append(found)
        else:
            models.append(found)
    if len(models) == 1:  # the eval set stays closed: there is nothing to compare
        return RunResult(None, base, sandboxes(directory), tuple(rejections))
    best = best_on_dev(session, models[1:], base)
    result = compare(session, "eval", best, base, directory.evaluation)
    general = guard(session, best, base)
    return RunResult(result, best, sandboxes(directory), tuple(rejections), general)
