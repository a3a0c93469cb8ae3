"""Where a slot is: beside its pit, in a container of our own, or in one that stands beside us."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from localdistill.sandbox.containers import WAY_IN_NAME
from localdistill.sandbox.place import Place

_END_S = 10.0
_LONGEST_NAME = 107  # bytes of a Unix socket's path, on Linux


class Site(Protocol):
    """One slot's place, for as long as a pit uses it."""

    def order(self) -> dict[str, Any]:
        """What the pit is told of it."""

    def descriptors(self) -> list[int]:
        """Which descriptors the pit needs for it."""

    def handed_over(self) -> None:
        """The pit has its descriptors: let go of our own, so that their end is its end."""

    def settled(self) -> None:
        """The pit is connected: what helped with that can go."""

    def last_words(self) -> str:
        """Why it has ended, as far as it is known."""

    def close(self) -> None:
        """See that nothing of it is left. The pit has ended by now."""


class NearSite:
    """Beside the pit: the pit starts the warm parents itself."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._gone, self._alive = os.pipe()

    def order(self) -> dict[str, Any]:
        """What the pit is told of it."""
        return {"place": self._place._asdict(), "alive": self.descriptors()}

    def descriptors(self) -> list[int]:
        """One end of a pipe, to be held by what has not ended yet."""
        return [self._alive]

    def handed_over(self) -> None:
        """The pit has its end: let go of our own."""
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1

    def settled(self) -> None:
        """Nothing helped."""

    def last_words(self) -> str:
        """The pit has its own."""
        return ""

    def close(self) -> None:
        """Wait until the warm parents, which clear up, have ended, and all below them.

        No longer than some seconds, if one does not end.
        """
        self.handed_over()
        if self._gone >= 0:
            poll = select.poll()
            poll.register(self._gone, 0)  # that nobody holds the other end is told unasked
            poll.poll(_END_S * 1000)
            os.close(self._gone)
            self._gone = -1


class WayIn:
    """A socket in a folder that is shown to a container: a way that passes no engine's process.

    What connects must say what it has been told over the engine's own stream, which is private.
    """

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="localdistill-")
        if len(os.fsencode(self.folder)) + 1 + len(WAY_IN_NAME) > _LONGEST_NAME:
            os.rmdir(self.folder)
            self.folder = tempfile.mkdtemp(prefix="localdistill-", dir="/tmp")
        Path(self.folder).chmod(0o711)  # root of a container may be nobody's root outside
        path = Path(self.folder, WAY_IN_NAME)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        path.chmod(0o666)
        self.listener.listen(8)

    def close(self) -> None:
        """Take the folder away; a connection that has been made stays."""
        self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class ContainerSite:
    """A container that is started for this slot and ends with its standard input."""

    def __init__(
        self, command: list[str], remove: Callable[[], None], way_in: WayIn | None
    ) -> None:
        self._remove = remove
        self._way_in = way_in
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the site
        ours, theirs = socket.socketpair()
        self._stream = ours
        try:
            self._client = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._log,
                start_new_session=True,  # a Ctrl-C is the run's to handle
            )
        except OSError:
            self._let_go()
            self._log.close()
            raise
        finally:
            theirs.close()

    def order(self) -> dict[str, Any]:
        """What the pit is told of it."""
        if self._way_in is None:
            return {"stream": self._stream.fileno()}
        return {"stream": self._stream.fileno(), "listener": self._way_in.listener.fileno()}

    def descriptors(self) -> list[int]:
        """The stream to the container, and where it may come in."""
        return list(self.order().values())

    def handed_over(self) -> None:
        """The pit has its descriptors: let go of our own, so that their end is its end."""
        self._stream.close()

    def settled(self) -> None:
        """The pit is connected: what helped with that can go."""
        if self._way_in is not None:
            self._way_in.close()

    def _let_go(self) -> None:
        self.handed_over()
        self.settled()

    def last_words(self) -> str:
        """What the engine's client has written last."""
        if self._log.closed:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._client.wait(1.0)  # it tells why after it has closed the stream
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        told = [each for each in lines if not each.startswith(("Run 'docker", "See 'docker"))]
        return told[-1].strip() if told else ""

    def close(self) -> None:
        """See that the container is gone, by force if its input's end does not end it."""
        self._let_go()
        try:
            self._client.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._client.kill()
            self._client.wait()
            self._remove()
        self._log.close()


class SocketSite:
    """A container that stands beside ours and serves slots on a socket."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream

    def order(self) -> dict[str, Any]:
        """What the pit is told of it."""
        return {"stream": self._stream.fileno()}

    def descriptors(self) -> list[int]:
        """The connection."""
        return [self._stream.fileno()]

    def handed_over(self) -> None:
        """The pit has its descriptors: let go of our own, so that their end is its end."""
        self._stream.close()

    def settled(self) -> None:
        """Nothing helped."""

    def last_words(self) -> str:
        """Its log is elsewhere."""
        return ""

    def close(self) -> None:
        """Whoever started it ends it."""
        self._stream.close()
