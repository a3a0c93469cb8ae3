"""A stream of frames to a container, from the pit's side: it never waits past a deadline."""

from __future__ import annotations

import select
import socket
import struct
import time

from localdistill.sandbox.channel import MAX_FRAME, frame

_header = struct.Struct("<IB")


class StreamBroken(Exception):
    """The other end is gone, is silent, or sends what is not a frame: ``str()`` says which."""


class Stream:
    """Frames over a socket."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.socket = end
        self._buffer = bytearray()
        self._held = b""

    def hold(self, kind: bytes, body: bytes) -> None:
        """Send one frame together with the next one."""
        self._held += frame(kind, body)

    def send(self, kind: bytes, body: bytes, limit_s: float) -> None:
        """Send one frame.

        Raises:
            StreamBroken
        """
        rest = memoryview(self._held + frame(kind, body))
        self._held = b""
        deadline = time.monotonic() + limit_s
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
            except OSError:
                raise StreamBroken("ended") from None

    def receive(self, limit_s: float) -> tuple[bytes, bytes]:
        """Wait for one frame.

        Raises:
            StreamBroken
        """
        deadline = time.monotonic() + limit_s
        while (whole := self._take()) is None:
            self._wait(select.POLLIN, deadline)
            try:
                piece = self.socket.recv(1 << 20)
            except OSError:
                piece = b""
            if not piece:
                raise StreamBroken("ended")
            self._buffer += piece
        return whole

    def _take(self) -> tuple[bytes, bytes] | None:
        if len(self._buffer) < _header.size:
            return None
        size, kind = _header.unpack_from(self._buffer)
        if size > MAX_FRAME:
            raise StreamBroken("sent what is not a frame")
        end = _header.size + size
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[_header.size : end])
        del self._buffer[:end]
        return bytes((kind,)), body

    def _wait(self, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(self.socket, event)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise StreamBroken("does not answer")
