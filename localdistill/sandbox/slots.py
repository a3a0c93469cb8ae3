"""The warm parents of a pit, each started when it is first needed, each with its own hash seed."""

from __future__ import annotations

from localdistill.sandbox.bench import Bench
from localdistill.sandbox.comparing import Comparer
from localdistill.sandbox.known_tests import Memory
from localdistill.sandbox.purpose import CANDIDATES, CANDIDATES_AGAIN, TESTS
from localdistill.sandbox.slot import AnySlot, OpenSlot


class Slots:
    """Where candidates run, where they run again, and where test code and comparisons run."""

    def __init__(self, candidate: OpenSlot, judge: OpenSlot) -> None:
        self._open = candidate
        self.candidate = candidate(CANDIDATES)
        self._judge = judge(TESTS)
        self.bench = Bench(self._judge)
        self.comparer = Comparer(self.bench)
        self.memory = Memory()
        self._again: AnySlot | None = None

    def again(self) -> AnySlot:
        """A slot at the same place with another hash seed. Never used while the first one is."""
        if self._again is None:
            self._again = self._open(CANDIDATES_AGAIN)
        return self._again

    def judge(self) -> AnySlot:
        """The slot for test code that needs a process of its own, made free."""
        self.bench.drop()
        return self._judge
