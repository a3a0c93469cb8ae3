"""Attacks by which one candidate gets at another: one that runs beside it, or one after it."""

from __future__ import annotations

import secrets
import threading
import time

from localdistill.sandbox.attacks.finding import Finding
from localdistill.sandbox.attacks.ring import Program, Ring, breach
from localdistill.sandbox.link import LinkBroken
from localdistill.sandbox.tier_local import SHARED_FOLDER

_HOLD_S, _REACH_S = 4.0, 2.0
_MARGIN_S = 0.3  # from a program's last look to its verdict
_ATTEMPTS = 3  # at having both run at the same time
_UNKNOWN = "could not be determined (the two did not run at the same time)"
_ALONE = "There is one slot only: no candidate runs beside another."


def another_slot(ring: Ring) -> Finding:
    """Private files of a candidate that runs at the same time."""
    name, tried = "another slot's files", "private files in its box, by /proc too, and in /dev/shm"
    return _beside(ring, name, tried, "hold", "")


def together(ring: Ring) -> Finding:
    """Two candidates that want to meet."""
    name, tried = (
        "two candidates that conspire",
        "a file for everybody in /dev/shm, /tmp or the box",
    )
    return _beside(ring, name, tried, "offer", SHARED_FOLDER)


def carry_over(ring: Ring) -> Finding:
    """What one candidate leaves for the next one of the same slot."""
    token = _token()
    return ring.attack(
        "carry-over",
        "files, shared memory, changed modules and environment, a process that goes on writing",
        Program("carry", "plant", (token,)),
        Program("carry", "look", (token,), confirm=True),
    )


ATTACKS = (another_slot, together, carry_over)


def _beside(ring: Ring, name: str, tried: str, holder: str, excuse: str) -> Finding:
    pits = ring.sandbox.pits
    if len(pits) < 2:
        return Finding(name, tried, "not covered", _ALONE)
    try:
        for pit in pits[:2]:
            pit.open()
    except LinkBroken as error:
        return ring.finding(name, tried, [f"could not be determined ({error})"])
    found = _UNKNOWN
    for _ in range(_ATTEMPTS):
        found = _both(ring, holder)
        if found != _UNKNOWN:
            break
    return ring.finding(name, tried, [found], excuse=excuse)


def _both(ring: Ring, holder: str) -> str:
    """Have one candidate hold files in the first pit, and one reach for them from the second."""
    told = ring.try_out(Program("carry", "where"))[1]
    box = told.partition("<")[2].partition(">")[0]
    if not box:
        return f"could not be determined ({told})"
    token, over = _token(), 0.0
    held = [("", "")]

    def hold() -> None:
        nonlocal over
        held[0] = ring.try_out(Program("carry", holder, (token, _HOLD_S)))
        over = time.monotonic()

    thread = threading.Thread(target=hold)
    thread.start()
    reached = ring.try_out(Program("carry", "reach", (token, box, _REACH_S)), pit=1)
    ended = time.monotonic()
    thread.join()
    through = breach(*held[0]) or breach(*reached)
    # The files were there from ``over - _HOLD_S`` at the latest: before the last look at them.
    if not through and not over - _HOLD_S < ended - _MARGIN_S < over:
        return _UNKNOWN
    return through


def _token() -> str:
    return f"planted_{secrets.token_hex(8)}"
