"""How the last call of a run that came to its end has ended, from its events."""

from __future__ import annotations

from pathlib import Path

from localdistill.event_log import event_of
from localdistill.events import RunFinished
from localdistill.jsonl import iter_lines
from localdistill.run_dir import RunDir


def last_end(run: RunDir) -> RunFinished | None:
    """The last event of that kind; None where no call has come to an end."""
    found = None
    if run.events.is_file():
        for _, line in iter_lines(run.events):
            if b'"finished"' not in line:  # most lines are of other kinds, and long
                continue
            row = event_of(line)
            if row is not None and isinstance(row.event, RunFinished):
                found = row.event
    return found


def uncompared_round(run: RunDir) -> int | None:
    """The round whose model a run has ended with though there was no time to compare it."""
    end = last_end(run)
    if end is None or end.verdict != "not known" or end.model is None:
        return None
    name = Path(end.model).parent.name
    return int(name) if name.isdigit() else None


def gave_no_model(run: RunDir, rounds: int) -> bool:
    """Whether a run of ``rounds`` has none: each was rejected, or there was time for none."""
    if all(run.round(number).rejected.is_file() for number in range(1, rounds + 1)):
        return True
    end = last_end(run)
    return end is not None and end.verdict == "no new model"


def without_model(run: RunDir) -> str:
    """Why a run has ended without one, to stand in brackets."""
    first = run.round(1).rejected
    if first.is_file():
        return f"no round gave one; {first} says why"
    return "there was no time for a round; the same command with more --hours goes on"
