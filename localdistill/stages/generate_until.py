"""Generation that ends at a moment: it begins no new problem then, and finishes those it has begun.

All samples of a problem or none: a problem that has only those that came first would have the short
ones. Which problems are drawn before time is over is random, and the same for the same seed;
but in deterministic mode it is the first ones, as work is cut into chunks there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from localdistill.backends.base import GenerationRequest
from localdistill.stages.generate_resume import Work
from localdistill.types import Completion

Clock = Callable[[], float]


def shuffled(work: Work, seed: int) -> list[GenerationRequest]:
    """``work`` with its problems in random order, the samples of each together as they were."""
    problems = sorted({request.problem_id for request in work})
    random.Random(f"{seed} until").shuffle(problems)  # noqa: S311 - no secret
    rank = {name: place for place, name in enumerate(problems)}
    return sorted(work, key=lambda request: rank[request.problem_id])


@dataclass(frozen=True)
class Until:
    """The moment at which no new problem is begun.

    ``samples`` of each problem are wanted, of which so many are drawn one after the other as
    ``turns`` says, where slots are fewer.
    """

    moment: float  # of ``time.monotonic``
    samples: int
    turns: int = 1


class UntilSource:
    """``RequestSource`` of ``work`` that hands out no new problem when ``until`` is near.

    Near is what the slowest completion so far took, as often as a problem's samples need their
    turn. At least one problem is handed out, unless there are samples of ``begun`` ones, which come
    first.

    Args:
        work: requests, those of a problem together.
        begun: problems of which there are samples already.
        until: the moment, as ``clock`` has it.
        clock: seconds.
    """

    def __init__(
        self, work: Work, begun: set[str], until: Until, clock: Clock = time.monotonic
    ) -> None:
        first = [request for request in work if request.problem_id in begun]
        then = [request for request in work if request.problem_id not in begun]
        self._requests = iter([*first, *then])
        self._begun = set(begun)
        self._until, self._clock = until, clock
        self._since: dict[tuple[str, int], float] = {}
        self._slowest = 0.0
        self._over = False

    def take(self, *, wait: bool) -> GenerationRequest | None:
        """See ``RequestSource``; it never blocks."""
        request = None if self._over else next(self._requests, None)
        if request is None:
            return None
        now = self._clock()
        if request.problem_id not in self._begun:
            if self._begun and now + self._until.turns * self._slowest > self._until.moment:
                self._over = True
                return None
            self._begun.add(request.problem_id)
        self._since[request.key] = now
        return request

    def completed(self, row: Completion) -> None:
        """A sample is finished, and stands in its file."""
        began = self._since.pop(row.key, None)
        if began is not None:
            self._slowest = max(self._slowest, self._clock() - began)


def chunks_until(
    chunks: Iterable[Work], until: Until, clock: Clock = time.monotonic
) -> Iterator[Work]:
    """``chunks`` until the next whole problems would end later than ``until``.

    Chunks between two moments at which no problem is half drawn belong together: all of them are
    drawn or none, at least the first ones. Each is taken to need as long as the slowest so far.
    """
    slowest, first = 0.0, True
    for group in _whole_problems(chunks, until.samples):
        if not first and clock() + slowest * len(group) > until.moment:
            return
        for chunk in group:
            began = clock()
            yield chunk  # it is drawn meanwhile
            slowest = max(slowest, clock() - began)
        first = False


def _whole_problems(chunks: Iterable[Work], samples: int) -> Iterator[list[Work]]:
    group: list[Work] = []
    for chunk in chunks:
        group.append(chunk)
        if chunk[-1].sample == samples - 1:
            yield group
            group = []
    if group:
        yield group
