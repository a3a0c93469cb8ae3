"""What a pit remembers of test code: many candidates in a row have the same tests."""

from __future__ import annotations

import collections
import marshal
from dataclasses import dataclass
from typing import Any

_MOST, _MOST_BYTES = 512, 1 << 16


@dataclass
class KnownTests:
    """What the judge said of some test code."""

    calls: tuple[bytes, ...] = ()  # the requests with which it is certain to begin
    plain: bool = True  # whether it may share a process
    prepared: bytes = b""  # the judge's own: not looked into

    def learn_prepared(self, prepared: bytes) -> None:
        """Remember the tests as the judge has prepared them, unless that is large."""
        if len(prepared) <= _MOST_BYTES:
            self.prepared = prepared

    def learn_calls(self, calls: tuple[bytes, ...]) -> None:
        """Remember the calls that the judge has asked for at once, unless they are large."""
        if sum(map(len, calls)) <= _MOST_BYTES:
            self.calls = calls


class Memory:
    """The tests that were seen last."""

    def __init__(self) -> None:
        self._known: collections.OrderedDict[bytes, KnownTests] = collections.OrderedDict()

    def of(self, tests: dict[str, Any], entry_point: str | None) -> KnownTests:
        """What is known of ``tests``; what is learned is written into it."""
        key = marshal.dumps((tests, entry_point))
        known = self._known.pop(key, None) or KnownTests()
        self._known[key] = known
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return known
