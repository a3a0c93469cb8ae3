"""What is known at the beginning of how much models will be compared, to tell how long it takes."""

from __future__ import annotations

from localdistill.decodings import samples_of
from localdistill.events import Planned
from localdistill.jsonl import iter_lines
from localdistill.markers import is_done
from localdistill.pipeline import pace
from localdistill.pipeline.comparison import size_of
from localdistill.pipeline.session import Session
from localdistill.stages import scoring


def planned(session: Session) -> Planned:
    """Completions of each model on dev, and of both on eval, as far as there is time for all.

    Beside them what earlier calls of the run have taken for the stages of a round.
    """
    evaluate, rounds = session.config.evaluate, session.config.rounds
    sizes = [samples_of(each, evaluate.samples, evaluate.ks) for each in evaluate.grid().values()]
    scored = evaluate.decode == "best" or rounds > 1
    return Planned(
        dev_completions=sum(sizes) * size_of(session, "dev") if scored else 0,
        final_completions=_final(session),
        earlier=pace.earlier(session.directory.events),
    )


def _final(session: Session) -> int:
    """Completions of the starting model and of the new one that are still to be drawn on eval."""
    of_each = session.config.evaluate.samples * size_of(session, "eval")
    base, directory = session.directory.scores("eval", "base"), session.directory
    begun = [base]
    others = [folder for folder in base.parent.glob("*") if folder != base]
    # A comparison that has not come to its end is gone on with; else it was of an older model.
    if len(others) == 1 and not is_done(directory.evaluation):
        begun += others
    left = 2 * of_each
    for folder in begun:
        completions = folder / scoring.COMPLETIONS
        if is_done(completions):  # they may be fewer: one of each problem, where it is greedy
            left -= of_each
        elif completions.is_file():
            left -= min(of_each, sum(1 for _ in iter_lines(completions)))
    return left
