"""What a candidate does when it is called, as digests that can be told apart. Runs in the pit.

As in grading, what comes from the candidate's process is a claim, and is not looked into here: the
bench writes it down in the one way that equal values have, and this process takes a digest of that.
"""

from __future__ import annotations

from typing import Any

from localdistill.sandbox.candidate import CALL_WITHOUT_AFTER, RAISED, VALUE
from localdistill.sandbox.claims import claimed_end, raised_text
from localdistill.sandbox.requests import pack
from localdistill.sandbox.session import Over
from localdistill.sandbox.slot import RunningChild
from localdistill.sandbox.slots import Slots
from localdistill.sandbox.task import Task

_DIGEST_BYTES = 12


def observe(
    slots: Slots, task: Task, cases: list[dict[str, Any]], child: RunningChild
) -> list[str]:
    """A digest of the result of each call of the entry point of a candidate that is loaded.

    An exception is a result, whatever it says: its kind counts, not its wording.

    Raises:
        Over: the candidate ended, or took too long, before it was through.
        CodecError: arguments that do not cross.
    """
    if not task.entry_point:
        raise Over("failed", "the problem names no entry point to call")
    found = []
    for case in cases:
        request = pack((task.entry_point, case["args"], {}))
        kind, body = child.ask(CALL_WITHOUT_AFTER, request, task.time_limit_s)
        if kind not in (VALUE, RAISED):
            raise claimed_end(kind, body)
        if kind == RAISED:
            found.append(f"raised {raised_kind(body)}")
        else:
            found.append(_digest(slots.comparer.canonical(body)))
    return found


def raised_kind(body: bytes) -> str:
    """The built-in class of an exception, as a RAISED frame names it."""
    return raised_text(body).partition(":")[0][:40]


def _digest(text: str) -> str:
    import hashlib  # not for those who only grade

    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=_DIGEST_BYTES).hexdigest()
