"""The stages that this process has at work, to be paused and stopped together.

One object for the whole process, because what a person wishes at the keyboard, or a signal says, is
for whatever is at work then.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator

from localdistill.control import Page
from localdistill.events import Callback, Steered, Wish, ignore


class Running:
    """Children that run stages, and what is wished of them."""

    def __init__(self) -> None:
        self.stopping = False
        self._page: Page | None = None
        self._children: list[subprocess.Popen[bytes]] = []
        # A signal's handler may come while this thread holds it.
        self._lock = threading.RLock()
        self._told: Callback = ignore
        self._deadline: threading.Timer | None = None

    @property
    def descriptor(self) -> int:
        """For a stage to inherit; see ``control.listen``."""
        with self._lock:
            if self._page is None:
                self._page = Page()
            return self._page.descriptor

    @property
    def paused(self) -> bool:
        """Whether stages stand still."""
        return self._page is not None and self._page.paused

    @property
    def at_work(self) -> bool:
        """Whether there is a stage at work."""
        return bool(self._children)

    @contextlib.contextmanager
    def child(self, child: subprocess.Popen[bytes]) -> Iterator[None]:
        """``child`` runs a stage for as long as the block lasts."""
        with self._lock:
            self._children.append(child)
            if self.stopping:
                child.terminate()
        try:
            yield
        finally:
            with self._lock:
                self._children.remove(child)

    @contextlib.contextmanager
    def telling(self, callback: Callback) -> Iterator[None]:
        """Tell ``callback`` of wishes while the block lasts; from any thread."""
        before, self._told = self._told, callback
        try:
            yield
        finally:
            self._told = before

    def pause(self, wish: bool) -> None:
        """Have stages stand still after their current unit of work, or go on."""
        if self.stopping or wish == self.paused:
            return
        assert self.descriptor >= 0 and self._page is not None  # noqa: S101 - it is made there
        self._page.paused = wish
        self._tell("pause" if wish else "resume")

    def stop(self, within_s: float | None = None) -> None:
        """Have stages end after their current unit of work; no other is begun.

        ``within_s`` seconds later they are killed, which loses no more than that unit.
        """
        with self._lock:
            if self.stopping:
                return
            self.stopping = True
            for child in self._children:
                child.terminate()
            if within_s is not None:
                self._deadline = threading.Timer(within_s, self.kill)
                self._deadline.daemon = True
                self._deadline.start()
        self._tell("stop")

    def kill(self) -> None:
        """End all stages at once."""
        with self._lock:
            for child in self._children:
                child.kill()

    def reset(self) -> None:
        """Forget all wishes: another command begins."""
        with self._lock:
            self.stopping = False
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = None
            if self._page is not None:
                self._page.paused = False

    def _tell(self, wish: Wish) -> None:
        # In a thread of its own: a signal may have come in the middle of another event.
        told, event = self._told, Steered(wish=wish)
        threading.Thread(target=lambda: told(event), name="steered", daemon=True).start()


RUNNING = Running()
