"""The loop over rounds.

A round begins with the champion: of all models so far the best one on dev. One whose training
diverges or whose export is rejected gives no model, and the champion stays.
"""

from __future__ import annotations

from localdistill import rejection
from localdistill.events import RoundStarted
from localdistill.manifest import sandboxes
from localdistill.pipeline.comparison import compare_on_eval
from localdistill.pipeline.contest import Contest
from localdistill.pipeline.guard import guard
from localdistill.pipeline.models import Model, RunResult
from localdistill.pipeline.one_round import sample, say, try_to_learn
from localdistill.pipeline.room import standing, take_away
from localdistill.pipeline.session import Session
from localdistill.pipeline.stopping import Diversities, no_progress, record
from localdistill.types import Rejection


def all_rounds(session: Session, base: Model) -> RunResult:
    """Do what is left of the configured rounds, and compare the best one's model with ``base``.

    Raises:
        LocaldistillError: of the class that says which boundary was crossed.
    """
    rounds, stop_after = session.config.rounds, session.config.stop_after
    contest, diversities = Contest(session, base), Diversities(session)
    rejections, why, last = [], None, rounds
    for number in range(1, rounds + 1):
        session.callback(RoundStarted(round=number, rounds=rounds))
        found: Model | Rejection | None = rejection.earlier(session.directory.round(number))
        if found is None:
            champion = contest.champion.model
            sample(session, number, champion)
            collapse = diversities.collapsed(number)
            if collapse:
                why, last = collapse, number - 1
                break
            found = standing(session, number, champion)
            if found is None:
                found = try_to_learn(session, number, champion, base)
        else:
            diversities.recall(number)
        if isinstance(found, Rejection):
            say(session, found)
            rejections.append(found)
            contest.reject(number)
        else:
            contest.challenge(found)
            take_away(session, contest)
        why = no_progress(contest, stop_after)
        if why and number < rounds:
            last = number
            break
        why = None
    remarks = record(session, last, why)
    boxes = sandboxes(session.directory)
    if not contest.rounds:  # the eval set stays closed: there is nothing to compare
        return RunResult(None, base, boxes, tuple(rejections), remarks)
    finalist = contest.finalist()
    result = compare_on_eval(session, finalist, contest.base)
    general = guard(session, finalist.model, base)
    boxes = sandboxes(session.directory)
    remarks += contest.remarks()
    return RunResult(result, finalist.model, boxes, tuple(rejections), remarks, general)
