"""What is put out for those who get out of the sandbox, and the signs that somebody took it.

So that not only the attacking programs say what they have achieved.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

VARIABLE = "LOCALDISTILL_DOCTOR_SECRET"
_LONGEST_PLACE = 60  # bytes of a folder for temporary files
_CONTENT = "put out by localdistill doctor"


class Bait:
    """Files, listeners, an environment variable and a process. Enter it before the sandbox."""

    def __enter__(self) -> Bait:
        with contextlib.ExitStack() as stack:
            os.environ[VARIABLE] = _CONTENT
            stack.callback(os.environ.pop, VARIABLE, None)
            # A socket's path has room for 107 bytes.
            long = len(os.fsencode(tempfile.gettempdir())) > _LONGEST_PLACE
            place = "/tmp" if long else None  # noqa: S108 - a folder of its own is made in it
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="localdistill-doctor-", dir=place)
            )
            self._make_files(Path(folder))
            self.abstract = f"localdistill-doctor-{secrets.token_hex(8)}"
            self.path = str(Path(folder, "socket"))
            self._sockets = {
                "a TCP connection": self._listen(stack, 2, ("127.0.0.1", 0)),
                "a unix connection": self._listen(stack, 1, self.path),
                "an abstract unix connection": self._listen(stack, 1, f"\0{self.abstract}"),
                "a datagram": self._listen(stack, 2, ("127.0.0.1", 0), socket.SOCK_DGRAM),
            }
            Path(self.path).chmod(0o777)
            self._victim = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE
            )
            stack.callback(self._end_victim)
            self._seen: set[str] = set()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def tcp(self) -> int:
        """The port of a TCP listener on 127.0.0.1."""
        return int(self._sockets["a TCP connection"].getsockname()[1])

    @property
    def udp(self) -> int:
        """The port of a UDP socket on 127.0.0.1."""
        return int(self._sockets["a datagram"].getsockname()[1])

    @property
    def victim(self) -> int:
        """A process that does nothing and must go on doing so."""
        return self._victim.pid

    def signs(self) -> list[str]:
        """What has happened to the bait since the last call, as far as it can be seen."""
        ready, _, _ = select.select(list(self._sockets.values()), [], [], 0)
        found = [f"{what} came in" for what, each in self._sockets.items() if each in ready]
        if self._victim.poll() is not None:
            found.append("a process of the tool's was ended")
        try:
            whole = self.secret.read_text(encoding="utf-8") == _CONTENT
        except OSError:
            whole = False
        if not whole:
            found.append("a file of this machine was changed")
        if not self.writable.is_dir() or any(self.writable.iterdir()):
            found.append("a folder of this machine was written to")
        new = [each for each in found if each not in self._seen]
        self._seen.update(found)
        return new

    def _make_files(self, folder: Path) -> None:
        """Anybody may read, list and write them, as far as their rights go."""
        folder.chmod(0o755)
        self.secret, self.writable = folder / "secret", folder / "writable"
        self.secret.write_text(_CONTENT, encoding="utf-8")
        self.secret.chmod(0o666)
        self.writable.mkdir()
        self.writable.chmod(0o777)

    def _listen(
        self,
        stack: contextlib.ExitStack,
        family: int,
        address: tuple[str, int] | str,
        kind: int = socket.SOCK_STREAM,
    ) -> socket.socket:
        end = stack.enter_context(socket.socket(family, kind))
        end.bind(address)
        if kind == socket.SOCK_STREAM:
            end.listen(8)
        return end

    def _end_victim(self) -> None:
        self._victim.kill()
        self._victim.communicate()
