"""The loop over rounds.

A round begins with the champion: of all models so far the best one on dev. One that selects
nothing, whose training diverges or whose export is rejected gives no model, and the champion stays.
"""

from __future__ import annotations

from localdistill import rejection
from localdistill.deadline import OutOfTime
from localdistill.events import RoundStarted
from localdistill.manifest import sandboxes
from localdistill.outcomes import read_comparison
from localdistill.pipeline.comparison import compare_on_eval
from localdistill.pipeline.contest import Contest
from localdistill.pipeline.control_arms import with_controls
from localdistill.pipeline.guard import guard
from localdistill.pipeline.models import Contender, Model, RunResult
from localdistill.pipeline.older import set_aside
from localdistill.pipeline.one_round import sample, say, try_to_learn
from localdistill.pipeline.room import standing, take_away
from localdistill.pipeline.session import Session
from localdistill.pipeline.stopping import Diversities, no_progress, record
from localdistill.types import EvalResult, Rejection


def all_rounds(session: Session, base: Model) -> RunResult:
    """Do what is left of the configured rounds, and compare the best one's model with ``base``.

    Raises:
        LocaldistillError: of the class that says which boundary was crossed.
    """
    rounds, stop_after = session.config.rounds, session.config.stop_after
    contest, diversities = Contest(session, base), Diversities(session)
    rejections: list[Rejection] = []
    why, last = None, rounds
    for number in range(1, rounds + 1):
        if not session.time.begins(number, rounds, session.directory.round(number)):
            break
        session.callback(RoundStarted(round=number, rounds=rounds))
        found: Model | Rejection | None = rejection.earlier(session.directory.round(number))
        if found is None:  # what it was made of may have gone: its stages are not asked again
            found = standing(session, number, contest.champion.model)
        if found is None:
            champion = contest.champion.model
            try:
                sample(session, number, champion)
                collapse = diversities.collapsed(number)
                if collapse:
                    why, last = collapse, number - 1
                    break
                found = try_to_learn(session, number, champion, base)
            except OutOfTime as error:
                session.time.omit("round", f"What was left of round {number}, as {error}.")
                break
        else:
            diversities.recall(number)
        if isinstance(found, Rejection):
            say(session, found)
            rejections.append(found)
            contest.reject(number)
        else:
            contest.challenge(found)
        take_away(session, contest)
        session.time.ends()
        why = no_progress(contest, stop_after)
        if why and number < rounds:
            last = number
            break
        why = None
    session.time.ends()  # of a round that was broken off
    remarks = record(session, last, why)
    model, result, general = base, None, None
    if contest.rounds:  # else the eval set stays closed: there is nothing to compare
        finalist = contest.finalist()
        model, result = finalist.model, _verdict(session, finalist, contest.base)
        general = guard(session, model, base)
        remarks += contest.remarks()
    return RunResult(
        result,
        model,
        sandboxes(session.directory),
        tuple(rejections),
        remarks,
        read_comparison(session.directory.comparison),
        session.time.omitted,
        general,
    )


def _verdict(session: Session, finalist: Contender, base: Contender) -> EvalResult | None:
    set_aside(session, finalist.model.label)  # that of another look is kept under its name
    try:
        result = compare_on_eval(session, finalist, base)
    except OutOfTime as error:
        session.time.omit("evaluate", f"The comparison of the models on eval, as {error}.")
        return None
    return with_controls(session, result, finalist, base) if session.config.controls else result
