"""What a pit needs of a slot, whether it is here or in a container: children, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from localdistill.sandbox.confine import Limits
from localdistill.sandbox.program import ProgramRun, run_program
from localdistill.sandbox.purpose import Purpose
from localdistill.sandbox.session import Answers, Child, End, Several, Slot


class RunningChild(Protocol):
    """A confined child: ask it, then ``close`` it, in every case. See ``session.Child``."""

    busy_s: float  # how long its answers took

    def ask(self, kind: bytes, body: bytes, limit_s: float) -> tuple[bytes, bytes]:
        """Send one frame and wait for the answer; raises Over."""

    def ask_several(self, order: Several, kind: bytes, body: bytes) -> Answers:
        """Send one frame that is answered by several, and wait for them as ``order`` says."""

    def close(self) -> End:
        """End the child and everything that it has left behind."""


class AnySlot(Protocol):
    """A warm parent and the way to it."""

    def child(self, limits: Limits) -> RunningChild:
        """Start a child. There must be no other."""

    def run_program(self, limits: Limits, source: str, text: str, limit_s: float) -> ProgramRun:
        """Run a whole program on ``text``, and end it with all that it leaves."""


# Makes the slot whose warm parent has the given purpose. Those that one function makes share a
# place, so only one of them may have a child at a time.
OpenSlot = Callable[[Purpose], AnySlot]


class NearSlot(Slot):
    """A slot whose warm parent this process has started."""

    def child(self, limits: Limits) -> Child:
        """Start a child. There must be no other."""
        return Child(self, limits)

    def run_program(self, limits: Limits, source: str, text: str, limit_s: float) -> ProgramRun:
        """Run a whole program on ``text``, and end it with all that it leaves."""
        return run_program(self, limits, source, text, limit_s)
