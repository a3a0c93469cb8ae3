"""A process of the judge's slot that serves many candidates: comparisons, and plain test code.

Nothing that runs in it can change anything for those who come after (see ``plain``). It is ended
when it takes too long, and now and then, so that nothing adds up in it.
"""

from __future__ import annotations

from localdistill.sandbox.confine import Limits
from localdistill.sandbox.slot import AnySlot, RunningChild

# It starts no process, so its address space bounds its memory, and nobody needs to look at it.
_LIMITS = Limits(memory_bytes=1 << 30, cpu_s=7200, sampled=False)
_USES = 5000


class Bench:
    """The process, started when it is needed. The slot is free for another only after ``drop``."""

    def __init__(self, slot: AnySlot) -> None:
        self._slot = slot
        self._child: RunningChild | None = None
        self._uses = 0

    def child(self) -> RunningChild:
        """The process, for one more use."""
        if self._uses >= _USES:
            self.drop()
        if self._child is None:
            self._child, self._uses = self._slot.child(_LIMITS), 0
        self._uses += 1
        return self._child

    def drop(self) -> None:
        """End it, if it runs."""
        if self._child is not None:
            self._child.close()
            self._child = None
