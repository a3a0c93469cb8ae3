"""How long a process is inside of C functions that Python calls."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any


class CTime:
    """Times calls of C functions by their name, from now on.

    Args:
        module: what holds them; they are replaced there, so whoever looks them up there is timed.
        prefix: of their names. Types are left alone.

    Functions that call back into Python must not be among those that matter.
    """

    def __init__(self, module: Any, prefix: str) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        for name in dir(module):
            function = getattr(module, name)
            if name.startswith(prefix) and callable(function) and not isinstance(function, type):
                self.also(module, name)

    def also(self, module: Any, name: str) -> None:
        """Time one more."""
        setattr(module, name, self._timed(name, getattr(module, name)))

    def _timed(self, name: str, function: Any) -> Callable[..., Any]:
        seconds, calls, clock = self.seconds, self.calls, time.perf_counter

        def timed(*arguments: Any) -> Any:
            began = clock()
            result = function(*arguments)
            seconds[name] += clock() - began
            calls[name] += 1
            return result

        return timed

    def reset(self) -> None:
        """Forget what was counted."""
        self.seconds.clear()
        self.calls.clear()
