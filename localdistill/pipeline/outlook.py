"""What is known at the beginning of how much models will be compared, to tell how long it takes."""

from __future__ import annotations

from localdistill.decodings import samples_of
from localdistill.events import Planned
from localdistill.pipeline.comparison import size_of
from localdistill.pipeline.session import Session


def planned(session: Session) -> Planned:
    """Completions of each model on dev, and of both on eval, as far as there is time for all."""
    evaluate, rounds = session.config.evaluate, session.config.rounds
    sizes = [samples_of(each, evaluate.samples, evaluate.ks) for each in evaluate.grid().values()]
    scored = evaluate.decode == "best" or rounds > 1
    return Planned(
        dev_completions=sum(sizes) * size_of(session, "dev") if scored else 0,
        final_completions=2 * evaluate.samples * size_of(session, "eval"),
    )
