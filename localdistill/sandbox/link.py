"""The run's end of the way to a pit: starts its process, sends a task, gets its grade."""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import select
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from localdistill.sandbox.sites import Site

_BOOT = str(Path(__file__).with_name("boot.py"))
_START_S, _END_S = 60.0, 10.0
_length = struct.Struct("<I")
# A wait is looked at so often; one that took so much longer means that this machine stood still,
# as with a container that is paused: not only this process, which has a thread for each pit.
_LOOK_S, _LATE_S = 0.25, 1.0

# Nothing of the run's environment reaches a pit. One thread for each library that would start many.
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class LinkBroken(Exception):
    """The pit's process is gone or does not answer."""


class Link:
    """A running pit, with the two sites that it works with, which are closed with it."""

    def __init__(self, candidate: Site, judge: Site, python: str, number: int = 0) -> None:
        self._sites = (candidate, judge)
        self.stood_still_s = 0.0  # of the last ``ask``
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the link
        self._process = subprocess.Popen(
            [python, "-I", "-S", "-B", _BOOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=_ENVIRONMENT,
            pass_fds=[fd for site in self._sites for fd in site.descriptors()],
            cwd="/",
            bufsize=0,
            start_new_session=True,  # a Ctrl-C is the run's to handle
        )
        order = {
            "candidate": candidate.order(),
            "judge": judge.order(),
            "number": number,  # which of several it is: each stays on a processor of its own
        }
        for site in self._sites:
            site.handed_over()
        try:
            self.ask(order, _START_S)
        except LinkBroken:
            self.close()
            raise
        for site in self._sites:
            site.settled()

    @property
    def pid(self) -> int:
        """The pit's process."""
        return self._process.pid

    def ask(self, message: dict[str, Any], limit_s: float) -> dict[str, Any]:
        """Send one message and wait for the answer.

        Raises:
            LinkBroken: there was none within ``limit_s``.
        """
        body = marshal.dumps(message)
        self.stood_still_s = 0.0
        try:
            self._send(_length.pack(len(body)) + body)
            deadline = time.monotonic() + limit_s
            (size,) = _length.unpack(self._exactly(_length.size, deadline))
            answer: dict[str, Any] = json.loads(self._exactly(size, deadline))
        except (OSError, ValueError, struct.error) as error:
            raise LinkBroken(self._last_words() or str(error)) from None
        return answer

    def close(self) -> None:
        """End the pit: its input ends, and with it all its processes."""
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()
        for site in self._sites:
            site.close()

    def kill(self) -> None:
        """End the pit at once; its children die with it."""
        self._process.kill()

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._process.stdin.fileno(), rest) :]

    def _exactly(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101
        descriptor = self._process.stdout.fileno()
        pieces = []
        while size:
            began = time.monotonic()
            left = max(0.0, deadline + self.stood_still_s - began)
            ready = select.select([descriptor], [], [], min(left, _LOOK_S))[0]
            took = time.monotonic() - began
            if took > _LOOK_S + _LATE_S:
                self.stood_still_s += took
            if not ready:
                if left <= _LOOK_S:
                    raise OSError("the sandbox did not answer in time")
                continue
            piece = os.read(descriptor, min(size, 1 << 20))
            if not piece:
                raise OSError("the sandbox's process ended")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _last_words(self) -> str:
        if self._log.closed:
            return ""
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        # The pit's own last words are that a warm parent is gone; why, it has said before.
        told = [*lines[-2:], *(site.last_words() for site in self._sites)]
        return "; ".join(filter(None, dict.fromkeys(told)))


def interpreter() -> str:
    """The Python that runs the pit: the one below a virtual environment, without what it holds.

    Its real path, since that is the only one that a candidate finds where it lives.
    """
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
