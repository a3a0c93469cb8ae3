"""Follows a file of rows that another process appends to, to its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from localdistill.errors import StageFailed
from localdistill.markers import marker
from localdistill.stages.writer_lock import is_being_written

POLL_S = 0.05  # a verdict is not needed sooner, and a look costs some microseconds
_BLOCK = 256  # lines handed out together


class Tail:
    """The whole lines of a file, each once; a line that is not finished yet is left for later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0  # bytes that have been handed out

    def lines(self, most: int = _BLOCK) -> list[bytes]:
        """The next lines, at most ``most``; none where there are none yet, or no file.

        Raises:
            StageFailed: what was read is no longer there.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            size, found = 0, []
        else:
            with file:
                size = file.seek(0, 2)
                file.seek(self.offset)
                found = self._whole(file.readline() for _ in range(most))
        if size < self.offset:
            message = f"{self.path} has become shorter while it was being read"
            raise StageFailed(f"{message}; give the same command again.")
        self.offset += sum(map(len, found))
        return found

    @staticmethod
    def _whole(lines: Iterator[bytes]) -> list[bytes]:
        found = []
        for line in lines:
            if not line.endswith(b"\n"):
                break
            found.append(line)
        return found


class Following:
    """Lines of a growing file in blocks as they come, until its writer is done.

    ``stop`` (or leaving the block) ends a wait in another thread.
    """

    def __init__(self, path: Path) -> None:
        self.tail = Tail(path)
        self.died = False  # the writer has ended without its marker
        self._path = path
        self._stop = threading.Event()

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield lines in blocks that are never empty. Ends with the writer: see ``died``."""
        while not self._stop.is_set():
            # In this order: what a writer has said last is seen by whoever sees that it is gone.
            at_work = is_being_written(self._path)
            done = marker(self._path).exists()
            if lines := self.tail.lines():
                yield lines
            elif done or not at_work:
                self.died = not done
                return
            else:
                self._stop.wait(POLL_S)

    def wait_for(self, size: int) -> bool:
        """Wait until the file has ``size`` bytes; False if its writer is gone before."""
        while not self._stop.is_set():
            at_work = is_being_written(self._path)
            if size <= (self._path.stat().st_size if self._path.exists() else 0):
                return True
            if not at_work:
                return False
            self._stop.wait(POLL_S)
        return False

    def stop(self) -> None:
        """End all waiting."""
        self._stop.set()
