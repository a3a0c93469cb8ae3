"""What *generate* says while it works: how fast it is, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable

from localdistill import control
from localdistill.backends.base import GenerationStats
from localdistill.events import Callback, Scalar, StageProgress
from localdistill.types import Completion

_PROGRESS_S = 0.25  # least time between two reports
_ESTIMATE_S = 2.0  # and between two looks at what is left, where that has to be estimated


class Progress:
    """Reports now and then how far the work has got.

    The time left is the tokens that are left, by the mean length of the completions so far, at the
    measured speed; tokens of those that are not finished yet are counted as drawn.

    Args:
        callback: who is told.
        done: completions that earlier calls have drawn.
        tokens: their tokens.
        left: completions that will still begin or end; ``estimated`` where that is a guess.
    """

    def __init__(
        self,
        callback: Callback,
        done: int,
        tokens: int,
        left: Callable[[int], int],
        *,
        estimated: bool = False,
    ) -> None:
        self._callback = callback
        self._done, self._tokens = done, tokens
        self._left = left
        self._estimated = estimated
        self._new_tokens = 0  # of completions that this call has finished
        self._reported = time.monotonic()
        self._looked, self._known_left = -_ESTIMATE_S, 0

    def finished(self, *rows: Completion) -> None:
        """Completions stand in their file."""
        self._done += len(rows)
        self._known_left = max(0, self._known_left - len(rows))
        tokens = sum(row.token_count for row in rows)
        self._tokens += tokens
        self._new_tokens += tokens

    def tick(self, stats: GenerationStats) -> None:
        """One decoding step more was done.

        Raises:
            Stopped: the run is to end; samples in flight are drawn again by the next call.
        """
        control.check()
        now = time.monotonic()
        if now - self._reported < _PROGRESS_S:
            return
        self._reported = now
        if not self._estimated or now - self._looked >= _ESTIMATE_S:
            self._looked, self._known_left = now, self._left(self._done)
        info: dict[str, Scalar] = {
            "tokens/s": round(stats.tokens_per_second, 1),
            "in flight": stats.in_flight,
            "prefill share": round(stats.prefill_share, 3),
        }
        event = StageProgress(
            stage="generate",
            done=self._done,
            total=self._done + self._known_left,
            info=info,
            seconds_left=self._seconds_left(stats),
            estimated=self._estimated,
        )
        self._callback(event)

    def _seconds_left(self, stats: GenerationStats) -> float | None:
        if self._done == 0 or stats.tokens_per_second == 0:
            return None
        begun = max(0, stats.decoded_tokens - stats.discarded_tokens - self._new_tokens)
        tokens = self._known_left * self._tokens / self._done - begun
        return max(0.0, tokens) / stats.tokens_per_second

    def report(self) -> None:
        """Report what is done."""
        done = self._done
        self._callback(StageProgress(stage="generate", done=done, total=done))
