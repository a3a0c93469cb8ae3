"""The warm parents of a pit, each started when it is first needed, each with its own hash seed."""

from __future__ import annotations

from localdistill.sandbox.comparing import Comparer
from localdistill.sandbox.place import Place
from localdistill.sandbox.session import Slot

# Fixed, so that a verdict does not depend on which pit gave it.
_HASH_SEED, _OTHER_HASH_SEED, _JUDGE_HASH_SEED = 1, 2, 3


class Slots:
    """Where candidates run, where they run again, and where test code and comparisons run."""

    def __init__(self, candidate: Place, judge: Place) -> None:
        self.candidate = Slot(candidate, _HASH_SEED)
        self._judge = Slot(judge, _JUDGE_HASH_SEED)
        self._comparer = Comparer(self._judge)
        self._again: Slot | None = None

    def again(self) -> Slot:
        """A slot at the same place with another hash seed. Never used while the first one is."""
        if self._again is None:
            self._again = Slot(self.candidate.place, _OTHER_HASH_SEED)
        return self._again

    def comparer(self) -> Comparer:
        """What compares values; it lives in the judge's slot."""
        return self._comparer

    def judge(self) -> Slot:
        """The slot for test code, which is free."""
        self._comparer.close()
        return self._judge
