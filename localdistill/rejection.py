"""The note of a round that gave no model: why, and with which model the run goes on."""

from __future__ import annotations

from localdistill.durable import write_twice
from localdistill.errors import ExportRejected, NothingSelected, TrainingDiverged
from localdistill.records import read_record
from localdistill.run_dir import RoundDir
from localdistill.stages.parity.checks import failed_check
from localdistill.types import Rejection

# What ends a round and not the run.
CAUSES = (ExportRejected, NothingSelected, TrainingDiverged)

_CAUSE_IN = {"export": ExportRejected, "select": NothingSelected, "train": TrainingDiverged}


def earlier(paths: RoundDir) -> Rejection | None:
    """What an earlier call has noted of the round; None where it was not rejected.

    Raises:
        ConfigError: the note is damaged.
    """
    return read_record(paths.rejected, Rejection, "Delete it to try that again.")


def again(paths: RoundDir) -> Exception | None:
    """The error that an earlier call has noted there; None where it has noted none.

    Raises:
        ConfigError: the note is damaged.
    """
    found = earlier(paths)
    return None if found is None else _CAUSE_IN.get(found.stage, TrainingDiverged)(found.reason)


def note(paths: RoundDir, number: int, error: Exception, kept: str) -> Rejection:
    """Write ``rejected.json``: round ``number`` ended with ``error``, ``kept`` goes on."""
    of_export = isinstance(error, ExportRejected)
    stage = "export" if of_export else "train"
    rejection = Rejection(
        round=number,
        stage="select" if isinstance(error, NothingSelected) else stage,
        reason=str(error),
        kept=kept,
        check=failed_check(paths.parity) if of_export else None,
    )
    write_twice(paths.rejected, rejection.model_dump_json(indent=2) + "\n")
    return rejection


def told(rejection: Rejection, paths: RoundDir, *, startable: bool = True) -> str:
    """What a person should read; ``startable``: the model that the round began with is there."""
    text = f"Round {rejection.round} gives no new model; {rejection.kept} is kept: "
    if rejection.stage == "select":
        return f"{text}{rejection.reason} For other settings give another --run-dir."
    if not startable:
        return f"{text}{rejection.reason} The model that it began with has been removed since."
    notes = [paths.rejected, *sorted(paths.path.glob("arms/*/rejected.json"))]
    which = ", ".join(map(str, notes))
    return (
        f"{text}{rejection.reason} To try it again delete {which} and the folders of "
        "later rounds, here and below scores."
    )
