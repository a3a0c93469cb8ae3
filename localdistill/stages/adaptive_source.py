"""Adaptive sampling as a source of requests: which problem gets the next tokens."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from localdistill import control
from localdistill.backends.base import GenerationRequest
from localdistill.stages.adaptive_planner import Planner
from localdistill.stages.adaptive_state import Key
from localdistill.stages.follow import POLL_S
from localdistill.types import Completion

RequestOf = Callable[[str, int], GenerationRequest]


class AdaptiveSource:
    """``RequestSource`` that waits for a verdict only if no other problem is worth a sample.

    Args:
        planner: knows what has come out so far.
        request_of: makes the request of a problem's sample.
        owed: samples that were handed out before and never finished.
    """

    def __init__(self, planner: Planner, request_of: RequestOf, owed: Iterable[Key] = ()) -> None:
        self._planner = planner
        self._sampled = planner.sampled
        self._request_of = request_of
        self._queue = deque(owed)
        self._fresh = deque(planner.fresh())
        self._over = False
        self._looked = -POLL_S  # when; a generator asks once a decoding step, if not more often
        self._lock = threading.RLock()  # a generator may take in one thread and yield in another

    def take(self, *, wait: bool) -> GenerationRequest | None:
        """See ``RequestSource``."""
        with self._lock:
            while True:
                if not self._queue and not self._over:
                    self._refill(at_once=wait)
                if self._queue:
                    return self._request_of(*self._queue.popleft())
                if self._over or not wait:
                    return None
                control.check()
                self._sampled.wait()

    def completed(self, row: Completion) -> None:
        """A sample is finished, and stands in its file."""
        with self._lock:
            self._sampled.completed(row)

    def _refill(self, *, at_once: bool) -> None:
        """Put the next wave into the queue, if there is one now."""
        left = self._planner.rule.budget - self._sampled.drawn
        if self._fresh and left > 0:  # what an example costs is known by all first waves
            self._put(self._fresh.popleft(), left)
            return
        if not at_once and time.monotonic() - self._looked < POLL_S:
            return
        self._sampled.look()
        self._looked = time.monotonic()
        if not self._sampled.pending:
            self._planner.reckon()
        name = self._planner.next_problem() if left > 0 else None
        if name is not None:
            self._put(name, left)
        elif not self._sampled.pending:
            self._planner.end()
            self._over = True

    def _put(self, name: str, left: int) -> None:
        size = self._planner.rule.wave(self._sampled.tallies[name])
        self._queue.extend(self._sampled.hand_out(name) for _ in range(min(size, left)))
