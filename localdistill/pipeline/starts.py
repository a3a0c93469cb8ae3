"""Which model a round began with: written down before its first stage, and gone by ever after.

A round begins with the champion of that moment. A call that goes on may find another one, as with
more time it scores on dev what an earlier call had no time for. But the round's samples are of the
model that it began with, and so its model has to be as well.
"""

from __future__ import annotations

from localdistill import pruning
from localdistill.durable import write_twice
from localdistill.errors import ConfigError
from localdistill.events import Notice
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.records import read_record
from localdistill.run_dir import label_of
from localdistill.types import Row


class Began(Row):
    """What a round began with (``began.json``)."""

    round: int
    model: str  # its label
    of_round: int  # that it came of; 0: the starting model


def made(session: Session, number: int) -> Model:
    """The model of round ``number``, whether or not its files are there."""
    paths = session.directory.round(number)
    return Model(label_of(number), paths.model, paths.merged, number)


def start_of(session: Session, number: int, base: Model) -> Model | None:
    """The model that round ``number`` began with; None: it has not begun.

    Raises:
        ConfigError: what was written down is damaged, or is no model of this run.
    """
    paths = session.directory.round(number)
    remedy = "Delete the folder to do the round again."
    began = read_record(paths.began, Began, remedy)
    if began is None:
        return None
    if not began.of_round:
        return base
    if began.of_round < number and not session.directory.round(began.of_round).rejected.exists():
        return made(session, began.of_round)
    message = f"{paths.began}: names {began.model}, which is no model of an earlier round."
    raise ConfigError(f"{message} {remedy}")


def begin_with(session: Session, number: int, model: Model, champion: Model) -> None:
    """Write down that round ``number`` begins with ``model``; tell where that is an old choice."""
    paths = session.directory.round(number)
    if model != champion and not pruning.is_over(paths):
        text = f"Round {number} goes on with {model.label}, with which it began; the champion is"
        session.callback(Notice(message=f"{text} {champion.label} by now."))
    if not paths.began.is_file():
        began = Began(round=number, model=model.label, of_round=model.round)
        write_twice(paths.began, began.model_dump_json(indent=2) + "\n")


def needed(session: Session, after: int, base: Model) -> set[int]:
    """The rounds whose models rounds after ``after`` have begun with and have not come to an end.

    0 is the starting model.
    """
    numbers = range(after + 1, session.config.rounds + 1)
    open_ones = (each for each in numbers if not pruning.is_over(session.directory.round(each)))
    found = (start_of(session, each, base) for each in open_ones)
    return {start.round for start in found if start is not None}
