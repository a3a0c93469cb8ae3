"""Single keys from a terminal, while something else is being done."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TextIO

from localdistill.display import in_foreground

_LOCAL_MODES, _CHARACTERS = 3, 6  # in what termios gives
_MOST = 64  # bytes at once


class Keys:
    """Calls ``on_key`` with each key that is pressed while it is open, from a thread of its own.

    Only where ``stream`` is a terminal and this process is in its foreground; ``active`` tells.
    Pasted text and the codes of other keys are passed over. Ctrl-C is a signal as ever; Ctrl-Z,
    which would leave a half-drawn screen behind, is off. The terminal's modes are put back in every
    case but that of ``kill -9``.
    """

    def __init__(self, stream: TextIO | None, on_key: Callable[[str], None]) -> None:
        self._on_key = on_key
        self._descriptor = _terminal(stream)
        self._before: Any = None
        self._thread: threading.Thread | None = None
        self._end: tuple[int, int] = (-1, -1)

    @property
    def active(self) -> bool:
        """Whether keys are, or will be, read."""
        return self._descriptor is not None

    def __enter__(self) -> Self:
        if self._descriptor is None:
            return self
        try:
            self._before = termios.tcgetattr(self._descriptor)
            modes = termios.tcgetattr(self._descriptor)
            modes[_LOCAL_MODES] &= ~(termios.ICANON | termios.ECHO)
            characters = list(modes[_CHARACTERS])
            characters[termios.VMIN], characters[termios.VTIME] = 1, 0
            characters[termios.VSUSP] = b"\0"
            modes[_CHARACTERS] = characters
            termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)
        except termios.error:
            self._descriptor = None
            return self
        self._end = os.pipe()
        self._thread = threading.Thread(target=self._read, name="keys", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is None or self._thread is None:
            return
        try:
            os.write(self._end[1], b"x")
            self._thread.join()
        finally:
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
            for descriptor in self._end:
                os.close(descriptor)

    def _read(self) -> None:
        assert self._descriptor is not None  # noqa: S101 - it was not begun without one
        while True:
            ready, _, _ = select.select([self._descriptor, self._end[0]], [], [])
            if self._end[0] in ready:
                return
            try:
                found = os.read(self._descriptor, _MOST)
            except OSError:
                return
            if not found:
                return
            if len(found) == 1:
                self._on_key(found.decode("ascii", "replace"))


def _terminal(stream: TextIO | None) -> int | None:
    """The descriptor of ``stream`` if it is a terminal with this process in its foreground."""
    try:
        if stream is None or not stream.isatty():
            return None
        descriptor = stream.fileno()
        return descriptor if in_foreground(descriptor) else None
    except (OSError, ValueError):
        return None
