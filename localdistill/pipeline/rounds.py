"""The loop over rounds.

A round begins with the champion: of all models so far the best one on dev. It goes on with that in
whatever call, and none is left standing half done for want of progress. One that selects nothing,
whose training diverges or whose export is rejected gives no model, and the champion stays.
"""

from __future__ import annotations

from localdistill import rejection
from localdistill.deadline import OutOfTime
from localdistill.events import RoundStarted
from localdistill.manifest import sandboxes
from localdistill.markers import done_facts, is_done
from localdistill.outcomes import read_comparison
from localdistill.pipeline.comparison import compare_on_eval
from localdistill.pipeline.contest import Contest
from localdistill.pipeline.control_arms import with_controls
from localdistill.pipeline.guard import guard
from localdistill.pipeline.models import Contender, Model, RunResult
from localdistill.pipeline.older import set_aside
from localdistill.pipeline.one_round import sample, say, try_to_learn
from localdistill.pipeline.room import standing, take_away, whole
from localdistill.pipeline.session import Session
from localdistill.pipeline.starts import begin_with, start_of
from localdistill.pipeline.stopping import Diversities, no_progress, record
from localdistill.types import EvalResult, Rejection


def all_rounds(session: Session, base: Model) -> RunResult:
    """Do what is left of the configured rounds, and compare the best one's model with ``base``.

    Raises:
        LocaldistillError: of the class that says which boundary was crossed.
    """
    rounds = session.config.rounds
    contest, diversities = Contest(session, base), Diversities(session)
    rejections: list[Rejection] = []
    why, last = None, rounds
    for number in range(1, rounds + 1):
        paths, champion = session.directory.round(number), contest.champion.model
        why = diversities.stopped_at(number)  # whatever time there would be for it now
        if why or not session.time.begins(number, rounds, paths):
            last = number - 1 if why else rounds
            break
        session.callback(RoundStarted(round=number, rounds=rounds))
        start = start_of(session, number, base) or champion
        # What it was made of may have gone: the stages of such a round are not asked again.
        found = rejection.earlier(paths) or standing(session, number, start)
        if found is None:
            begin_with(session, number, start, champion)
            try:
                sample(session, number, start)
                collapse = diversities.collapsed(number)
                if collapse:
                    why, last = collapse, number - 1
                    break
                found = try_to_learn(session, number, start, base, kept=champion.label)
            except OutOfTime as error:
                found = whole(session, number)
                if found is None:
                    session.time.omit("round", f"What was left of round {number}, as {error}.")
                    break
                diversities.recall(number)  # there was no time to look at all of it, and no need
        else:
            diversities.recall(number)
            _recall_omissions(session, number)
        if isinstance(found, Rejection):
            say(session, found, start)
            rejections.append(found)
            contest.reject(number)
        else:
            contest.challenge(found)
        take_away(session, contest, number)
        session.time.ends()
        why = _no_progress(session, contest, number)
        if why:
            last = number
            break
    session.time.ends()  # of a round that was broken off
    return _end(session, contest, rejections, record(session, last, why))


def _end(
    session: Session, contest: Contest, rejections: list[Rejection], remarks: list[str]
) -> RunResult:
    """Compare the best round's model, if there is one, with the starting model."""
    base = contest.base.model
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


def _recall_omissions(session: Session, number: int) -> None:
    """Note again what there was no time for in a round that is not done again."""
    paths = session.directory.round(number)
    session.time.note_sampled(number, paths.completions)
    if is_done(paths.adapter):
        session.time.note_trained(number, done_facts(paths.adapter).get("summary") or {})


def _no_progress(session: Session, contest: Contest, number: int) -> str | None:
    """Why the run ends after round ``number``, unless it was the last or the next has begun."""
    if number == session.config.rounds or start_of(session, number + 1, contest.base.model):
        return None
    return no_progress(contest, session.config.stop_after)


def _verdict(session: Session, finalist: Contender, base: Contender) -> EvalResult | None:
    set_aside(session, finalist.model.label)  # that of another look is kept under its name
    try:
        result = compare_on_eval(session, finalist, base)
    except OutOfTime as error:
        session.time.omit("evaluate", f"The comparison of the models on eval, as {error}.")
        return None
    return with_controls(session, result, finalist, base) if session.config.controls else result
