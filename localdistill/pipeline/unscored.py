"""Which rounds' models there was no time to score on dev.

How much time is left for that depends on when a run was stopped and continued. So what was chosen
without dev stands until more hours are named: else each call might choose another model, and look
at eval for it.
"""

from __future__ import annotations

from pydantic import ValidationError

from localdistill.durable import restore, write_twice
from localdistill.errors import ConfigError
from localdistill.pipeline.session import Session
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
    if hours is None or not path.is_file():
        return None
    restore(path)
    try:
        found = Unscored.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ConfigError(f"{path}: is damaged. Delete it to choose on dev again.") from error
    return found.reason if hours <= found.hours else None


def note(session: Session, number: int, reason: str) -> None:
    """Write down that there was no time to score round ``number``'s model with these hours."""
    path, hours = session.directory.round(number).unscored, session.config.hours
    if hours is not None and why(session, number) is None:
        found = Unscored(round=number, hours=hours, reason=reason)
        write_twice(path, found.model_dump_json(indent=2) + "\n")
