"""Which problem gets more samples, and why the others get none."""

from __future__ import annotations

from localdistill.stages.adaptive_rule import Market, chance, market
from localdistill.stages.adaptive_state import Sampled

_REFIT = 16  # verdicts after which prior and prices are reckoned anew, at the most often
_REFIT_SHARE = 0.02  # of all verdicts, where that is more


class Planner:
    """Decides by ``sampled.rule``; the same tallies give the same decisions.

    A problem is decided on when all of its samples are known. It is then settled for good, or among
    the affordable ones, or parked until prices have changed.
    """

    def __init__(self, sampled: Sampled) -> None:
        self.sampled = sampled
        self.rule = sampled.rule
        self._order = {name: number for number, name in enumerate(sampled.tallies)}
        self._affordable: dict[str, tuple[float, int]] = {}  # cost of an example, order in the set
        self._parked: set[str] = set()
        self._market: Market | None = None
        self._judged = 0  # verdicts that the market was made from

    def fresh(self) -> list[str]:
        """Problems that nothing was drawn of yet, in their order."""
        return [name for name, tally in self.sampled.tallies.items() if not tally.drawn]

    def next_problem(self) -> str | None:
        """The problem whose next example costs least, if it is worth its tokens; it is given up."""
        self._decide()
        if not self._affordable:
            return None
        name = min(self._affordable, key=self._affordable.__getitem__)
        del self._affordable[name]
        return name

    def reckon(self) -> None:
        """Reckon prior and prices anew, and with them what is affordable."""
        self._market, self._judged = market(self.sampled.tallies), self.sampled.judged
        self._parked |= self._affordable.keys()
        self._affordable.clear()
        self._look_at(self._market, self._parked)

    def end(self) -> None:
        """Settle the rest: what is not worth its tokens, or could not be paid any more."""
        self.reckon()
        for name, tally in self.sampled.tallies.items():
            if name not in self.sampled.reasons:
                worth = name in self._affordable or not tally.drawn
                self.sampled.reasons[name] = "budget" if worth else "hopeless"

    def samples_left(self) -> int:
        """Samples that will still be handed out, as far as can be told now."""
        now, expected = self._market or market(self.sampled.tallies), 0.0
        for name, tally in self.sampled.tallies.items():
            if name in self.sampled.reasons or name in self._parked:
                continue
            if not tally.drawn:
                expected += self.rule.first_wave()
            wanted = (self.rule.keep - tally.kept) / chance(tally, now.prior) - tally.pending
            expected += max(0.0, min(wanted, self.rule.cap - tally.drawn))
        return max(0, min(round(expected), self.rule.budget - self.sampled.drawn))

    def _decide(self) -> None:
        judged = self.sampled.judged
        if self._market is None or judged - self._judged >= max(_REFIT, _REFIT_SHARE * judged):
            self.reckon()
        elif resolved := self.sampled.take_resolved():
            self._look_at(self._market, resolved)

    def _look_at(self, now: Market, names: set[str]) -> None:
        for name in names | self.sampled.take_resolved():
            tally = self.sampled.tallies[name]
            if tally.pending:
                continue
            self._parked.discard(name)
            if (reason := self.rule.settled(tally)) is not None:
                self.sampled.reasons[name] = reason
            elif self.rule.affordable(tally, now):
                self._affordable[name] = now.cost(tally), self._order[name]
            else:
                self._parked.add(name)
