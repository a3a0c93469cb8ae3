"""Which rounds' models there was no time to score on dev.

How much time is left for that depends on when a run was stopped and continued. So what was chosen
without dev stands until more hours are named: else each call might choose another model, and look
at eval for it.
"""

from __future__ import annotations

from localdistill.durable import write_twice
from localdistill.pipeline.session import Session
from localdistill.records import read_record
from localdistill.types import Row


class Unscored(Row):
    """Why a round's model was not scored on dev (``unscored.json``)."""

    round: int
    hours: float  # that there were
    reason: str


def why(session: Session, number: int) -> str | None:
    """Why round ``number``'s model is not to be scored; None: it is, if there is time.

    Raises:
        ConfigError: what was written down is damaged.
    """
    path, hours = session.directory.round(number).unscored, session.config.hours
    if hours is None:
        return None
    found = read_record(path, Unscored, "Delete it to choose on dev again.")
    return found.reason if found is not None and hours <= found.hours else None


def note(session: Session, number: int, reason: str) -> None:
    """Write down that there was no time to score round ``number``'s model with these hours."""
    path, hours = session.directory.round(number).unscored, session.config.hours
    if hours is not None and why(session, number) is None:
        found = Unscored(round=number, hours=hours, reason=reason)
        write_twice(path, found.model_dump_json(indent=2) + "\n")
