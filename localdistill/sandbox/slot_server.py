"""The slot of a container: its first process, asked by a pit over standard input and output.

It starts warm parents as a pit does where it has the slot beside it, and ends with its input. It
has the rights that it takes to change user, and none besides.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import sys
import time
from typing import Any, NoReturn

from localdistill.sandbox import landlock, packages, remote, sources
from localdistill.sandbox.channel import MAX_FRAME, frame
from localdistill.sandbox.codec import encode
from localdistill.sandbox.confine import Limits
from localdistill.sandbox.pit import end_with_the_run, stay_on_one_processor
from localdistill.sandbox.place import Place, make_box
from localdistill.sandbox.purpose import Purpose
from localdistill.sandbox.sampling import become_watcher
from localdistill.sandbox.session import Child, Outcome, Over, PitBroken, Several
from localdistill.sandbox.slot import NearSlot

_header = struct.Struct("<IB")
_ROOM = 4096  # for what stands around an answer
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"}
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def main(order: str) -> NoReturn:
    """Serve one slot on descriptors 0 and 1 until 0 ends; ``order`` (JSON): see ``Place``."""
    signal.signal(signal.SIGTERM, lambda number, at: os._exit(0))  # process 1 has no default
    # An engine may put the user's proxies, with their passwords, into a container's environment.
    os.environ.clear()
    os.environ.update(_ENVIRONMENT | _THREADS)
    given = json.loads(order)
    stay_on_one_processor(given["number"])
    shown = given.get("packages", packages.in_folder(packages.IN_THE_IMAGE))
    place = Place(
        box=given["box"],
        uid=given["uid"],
        namespaces=given.get("namespaces", False),
        landlock=landlock.abi() > 0,
        own_files=given["bounded"],
        packages=tuple(shown),
    )
    serve(place, given.get("direct"))


def serve(place: Place, direct: str | None) -> NoReturn:
    """Serve the slot at ``place``; ends the process.

    ``direct`` is the path of a socket by which the pit may be reached without the engine.
    """
    end_with_the_run()
    try:
        if not place.namespaces:  # there it is made with the namespace
            make_box(place)
        _Server(place, _connected(direct)).serve()
    except (PitBroken, OSError) as error:
        sys.stderr.write(f"slot: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


class _Server:
    def __init__(self, place: Place, direct: socket.socket | None) -> None:
        self._place = place
        self._direct = direct
        self._in, self._out = 0, 1
        self._slots: dict[Purpose, NearSlot] = {}
        self._child: Child | None = None

    def serve(self) -> None:
        """Say what this is, then answer until the pit is gone."""
        about = {
            "sources": sources.digest(),
            "landlock": landlock.abi(),
            "python": sys.version.split()[0],
            "direct": self._direct is not None,
        }
        self._write(remote.HELLO, encode(about))
        answers = {
            remote.ASK: self._ask,
            remote.SEVERAL: self._several,
            remote.CLOSE: self._close,
            remote.PROGRAM: self._program,
        }
        silent = {
            remote.DIRECT: self._go_direct,
            remote.START: self._start,
            remote.LEAVE: self._leave,
        }
        try:
            while (message := self._read()) is not None:
                kind, body = message
                if kind in silent:
                    silent[kind](body)
                else:
                    self._write(*answers[kind](body))
        except (PitBroken, OSError) as error:
            self._write(remote.BROKEN, f"{type(error).__name__}: {error}".encode())
            raise

    def _go_direct(self, token: bytes) -> None:
        if self._direct is None:
            raise PitBroken("there is no direct way")
        self._direct.sendall(token)
        self._in = self._out = self._direct.fileno()

    def _slot(self, purpose: Purpose) -> NearSlot:
        if purpose not in self._slots:
            self._slots[purpose] = NearSlot(self._place, purpose)
        return self._slots[purpose]

    def _start(self, body: bytes) -> None:
        hash_seed, tests, *limits = remote.start_format.unpack(body)
        self._child = self._slot(Purpose(hash_seed, tests)).child(Limits(*limits))

    def _running(self) -> Child:
        if self._child is None:
            raise PitBroken("there is no child to ask")
        return self._child

    def _ask(self, body: bytes) -> tuple[bytes, bytes]:
        limit_s, kind = remote.ask_format.unpack_from(body)
        return self._answer(limit_s, (kind, body[remote.ask_format.size :]))

    def _answer(self, limit_s: float, sent: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        child = self._running()
        before = child.busy_s
        try:
            kind, body = child.ask(*sent, limit_s)
            if len(body) > MAX_FRAME - _ROOM:
                raise Over("output_exceeded", "an answer of more bytes than allowed")
        except Over as over:
            busy = remote.over_format.pack(child.busy_s - before)
            return remote.OVER, busy + _told(over.outcome)
        return remote.ANSWER, remote.answer_format.pack(child.busy_s - before, kind) + body

    def _several(self, body: bytes) -> tuple[bytes, bytes]:
        count, go_on, *limits, kind = remote.several_format.unpack_from(body)
        child = self._running()
        before = child.busy_s
        found, over = child.ask_several(
            Several(count, go_on.rstrip(b"\0"), *limits), kind, body[remote.several_format.size :]
        )
        pieces = [remote.each_format.pack(k, len(answer)) + answer for k, answer in found]
        told = _told(over.outcome) if over is not None else b""
        head = remote.answers_format.pack(child.busy_s - before, len(pieces), len(told))
        return remote.ANSWERS, b"".join((head, told, *pieces))

    def _leave(self, body: bytes) -> None:
        self._running().close()
        self._child = None

    def _close(self, body: bytes) -> tuple[bytes, bytes]:
        end = self._running().close()
        self._child = None
        return remote.ENDED, remote.ended_format.pack(end.status, end.cpu_s, end.why.encode())

    def _program(self, body: bytes) -> tuple[bytes, bytes]:
        hash_seed, tests, *limits = remote.start_format.unpack_from(body)
        at = remote.start_format.size
        limit_s, size = remote.program_format.unpack_from(body, at)
        at += remote.program_format.size
        source, text = body[at : at + size], body[at + size :]
        run = self._slot(Purpose(hash_seed, tests)).run_program(
            Limits(*limits),
            source.decode("utf-8", "surrogatepass"),
            text.decode("utf-8", "surrogatepass"),
            limit_s,
        )
        over = _told(run.over) if run.over is not None else b""
        head = remote.ran_format.pack(run.busy_s, run.cpu_s, len(over))
        return remote.RAN, head + over + run.output

    def _read(self) -> tuple[bytes, bytes] | None:
        head = self._exactly(_header.size)
        if head is None:
            return None
        size, kind = _header.unpack(head)
        body = self._exactly(size)
        return None if body is None else (bytes((kind,)), body)

    def _exactly(self, size: int) -> bytes | None:
        pieces = []
        while size:
            piece = os.read(self._in, min(size, 1 << 20))
            if not piece:
                return None
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _write(self, kind: bytes, body: bytes) -> None:
        data = memoryview(frame(kind, body))
        while data:
            data = data[os.write(self._out, data) :]


def _told(outcome: Outcome) -> bytes:
    return encode({"status": outcome[0], "detail": outcome[1]})


def _connected(path: str | None) -> socket.socket | None:
    """A connection to the pit by the direct way; None where there is none."""
    if path is None:
        return None
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.connect(path)
    except OSError:  # SELinux forbids it, the engine is on another machine, or alike
        end.close()
        return None
    return end


_RESERVED_BY: list[Any] = []  # open files that hold a user id, as long as this process is there


def listen(folder: str) -> NoReturn:
    """Serve one slot to one pit after the other, on a socket of our own in ``folder``.

    For a container that stands beside the tool's. Several may share the folder: each has a socket
    by its host name, and a user id that it keeps to itself by a lock on a file.
    """
    from localdistill.sandbox import beside

    signal.signal(signal.SIGTERM, lambda number, at: os._exit(0))
    uid, lock = beside.reserve(folder)
    _RESERVED_BY.append(lock)
    order = {"box": f"/box/{uid}", "uid": uid, "number": uid, "bounded": True}
    keep(beside.bound_socket(folder), order)


def keep(server: socket.socket, order: dict[str, Any]) -> NoReturn:
    """Serve one slot, as ``order`` describes it, to one pit after the other that connects.

    To this process all orphans below it are given: it is the first one of a container, or has asked
    for them.
    """
    while True:
        connection, _ = server.accept()
        child = os.fork()
        if child == 0:
            _serve_connection(connection, order)
        connection.close()
        os.waitpid(child, 0)
        _end_all(order["uid"])


def _end_all(uid: int) -> None:
    """End what a server has left, which its parent inherits.

    Warm parents end by themselves when their pit is gone. Of candidates nothing is left then,
    unless a warm parent was ended before its time.
    """
    place = Place(box="", uid=uid, namespaces=False, landlock=False)
    while _any_child_left():
        killer = os.fork()
        if killer == 0:
            become_watcher(place)
            with contextlib.suppress(OSError):  # there may be none
                os.kill(-1, signal.SIGKILL)
            os._exit(0)
        time.sleep(0.005)


def _any_child_left() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _serve_connection(connection: socket.socket, order: dict[str, Any]) -> NoReturn:
    os.dup2(connection.fileno(), 0)
    os.dup2(connection.fileno(), 1)
    main(json.dumps(order))
