"""How many steps a training has that must end at a moment.

The learning rate falls to its end with the last step, so the number of steps must be known before:
it is what fits at the speed of the latest steps, reckoned anew after each.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

_LATEST = 20  # steps that the speed is a mean over: they differ in length


class Pace:
    """Steps of a training of ``planned`` steps that ends at ``until`` (``time.monotonic``).

    Without an ``until`` it has all that were planned. ``latest`` is what another process, whose
    training goes on here, left under that name.
    """

    def __init__(
        self,
        planned: int,
        until: float | None,
        clock: Callable[[], float] = time.monotonic,
        latest: Iterable[float] = (),
    ) -> None:
        self._planned, self._until, self._clock = planned, until, clock
        self._seconds: deque[float] = deque(latest, maxlen=_LATEST)
        self._begun = False

    @property
    def latest(self) -> list[float]:
        """Seconds of the latest steps, oldest first; nothing where no moment is set for the end."""
        return [] if self._until is None else list(self._seconds)

    def took(self, seconds: float) -> None:
        """Note how long a step took."""
        # The first of a process may be far slower than all others: it is left out where what the
        # others take is known, from another process or from the step after it.
        first, self._begun = not self._begun, True
        if first and self._seconds and seconds > 2 * self._mean():
            return
        if len(self._seconds) == 1 and self._seconds[0] > 2 * seconds:
            self._seconds.clear()
        self._seconds.append(seconds)

    def steps(self, done: int) -> int:
        """How many steps there will be in all, as far as it is known after ``done`` of them."""
        if self._until is None or not self._seconds:
            return self._planned
        left = int((self._until - self._clock()) / self._mean())
        return max(min(self._planned, done + left), min(self._planned, done + 1))

    def over(self) -> bool:
        """Whether there is no time for another step. The first is always done."""
        if self._until is None or not self._seconds:
            return False
        return self._clock() + self._mean() > self._until

    def left(self) -> float | None:
        """Seconds until the end; None where there is no moment for it."""
        return None if self._until is None else max(0.0, self._until - self._clock())

    def _mean(self) -> float:
        return max(1e-6, sum(self._seconds) / len(self._seconds))
