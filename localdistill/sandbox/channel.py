"""Frames between the pit and a confined process: four bytes of length, one of kind, the rest.

``Line`` is the confined end: it may block. ``Peer`` is the trusted end: it never waits past a
deadline, and believes no header.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time

MAX_FRAME = 40 << 20  # above codec.MAX_BYTES, for what is around the value

_header = struct.Struct("<IB")
_PIECE = 1 << 14


class Closed(Exception):
    """The other end is gone, or sent what is not a frame."""


class FrameTooLarge(Exception):
    """A frame over ``MAX_FRAME``."""


class DeadlinePassed(Exception):
    """Nothing whole arrived in time."""


def frame(kind: bytes, body: bytes) -> bytes:
    """One frame as it goes over a socket."""
    return _header.pack(len(body), kind[0]) + body


class Line:
    """The confined end of a channel."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unread = b""

    def send(self, kind: bytes, body: bytes) -> None:
        """Send one frame."""
        rest = memoryview(frame(kind, body))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def receive(self) -> tuple[bytes, bytes]:
        """Wait for one frame.

        Raises:
            Closed: the pit has let go of this process.
        """
        while len(self._unread) < _header.size:
            self._unread += self._read(_PIECE)
        size, kind = _header.unpack_from(self._unread)
        have, pieces = len(self._unread), [self._unread]
        while have < _header.size + size:
            pieces.append(self._read(max(_PIECE, _header.size + size - have)))
            have += len(pieces[-1])
        whole = b"".join(pieces)
        self._unread = whole[_header.size + size :]
        return bytes((kind,)), whole[_header.size : _header.size + size]

    def _read(self, size: int) -> bytes:
        piece = os.read(self._descriptor, min(size, 1 << 20))
        if not piece:
            raise Closed
        return piece


class Peer:
    """The trusted end of a channel, with another descriptor to watch while waiting."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.socket = end
        self._buffer = bytearray()
        self._polls: dict[tuple[int, int], select.poll] = {}

    def send(self, kind: bytes, body: bytes, deadline: float, watch: int) -> bool:
        """Send one frame by ``deadline`` (monotonic seconds); False where ``watch`` woke us first.

        Raises:
            Closed, DeadlinePassed
        """
        rest = memoryview(frame(kind, body))
        while rest:
            try:
                rest = rest[self.socket.send(rest) :]
            except BlockingIOError:
                if not self._wait(select.POLLOUT, deadline, watch):
                    return False
            except OSError:
                raise Closed from None
        return True

    def receive(self, deadline: float, watch: int) -> tuple[bytes, bytes] | None:
        """Wait for one frame; None where ``watch`` woke us first and no frame is whole.

        Raises:
            Closed, DeadlinePassed, FrameTooLarge
        """
        while True:
            whole = self._take()
            if whole is not None:
                return whole
            try:
                piece = self.socket.recv(1 << 20)
            except BlockingIOError:
                if not self._wait(select.POLLIN, deadline, watch):
                    return None
                continue
            except OSError:
                raise Closed from None
            if not piece:
                raise Closed
            self._buffer += piece

    def _take(self) -> tuple[bytes, bytes] | None:
        if len(self._buffer) < _header.size:
            return None
        size, kind = _header.unpack_from(self._buffer)
        if size > MAX_FRAME:
            raise FrameTooLarge
        end = _header.size + size
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_header.size : end])
        del self._buffer[:end]
        return bytes((kind,)), body

    def _wait(self, event: int, deadline: float, watch: int) -> bool:
        poll = self._polls.get((event, watch))
        if poll is None:
            poll = self._polls[event, watch] = select.poll()
            poll.register(self.socket, event)
            poll.register(watch, select.POLLIN)
        left = deadline - time.monotonic()
        ready = dict(poll.poll(max(0.0, left) * 1000)) if left > 0 else {}
        if not ready:
            raise DeadlinePassed
        # What has arrived is read first: a reply may be followed at once by the end of its sender.
        return self.socket.fileno() in ready or watch not in ready
