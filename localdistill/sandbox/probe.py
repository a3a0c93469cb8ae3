"""The first candidate of every sandbox: tries to get out, and returns how it succeeded.

It runs confined, as any candidate does; ``breaches`` must come back empty.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def breaches(canary: str, port: int, processes: list[int], other_user: bool) -> list[str]:
    """List what is open that should be shut, or shut that should be open."""
    found = []
    for name, attempt in _attempts(canary, port, processes):
        try:
            attempt()
        except OSError:
            continue
        found.append(name)
    if other_user and 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups()):
        found.append("has kept a user or group id of root")
    if any(_capabilities()):
        found.append("has kept capabilities")
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
    except OSError as error:
        found.append(f"cannot write in its own box: {error}")
    try:
        importlib.import_module("colorsys")  # not preloaded
    except ImportError as error:
        found.append(f"cannot import from the standard library: {error}")
    return found


def _attempts(
    canary: str, port: int, processes: list[int]
) -> Iterator[tuple[str, Callable[[], object]]]:
    libc = ctypes.CDLL(None, use_errno=True)

    def call(function: Callable[..., int], *arguments: int) -> None:
        if function(*arguments) < 0:
            raise OSError(ctypes.get_errno(), "refused")

    yield "reads a file of another user", Path(canary).read_bytes
    yield "reads /etc/passwd", Path("/etc/passwd").read_bytes
    yield "reads /proc", Path("/proc/1/mem").open
    yield "lists a folder of the system", lambda: list(Path("/var").iterdir())
    yield "writes to /etc", Path("/etc/localdistill-probe").touch
    yield "reaches the network", lambda: socket.create_connection(("127.0.0.1", port), 2).close()
    yield "makes a local socket", lambda: socket.socket(socket.AF_UNIX).close()
    for process in processes:
        yield "signals the run", functools.partial(os.kill, process, 0)
    yield "makes a user namespace", lambda: call(libc.unshare, 0x10000000)
    yield "traces processes", lambda: call(libc.ptrace, 0, 0, 0, 0)
    yield "becomes root", lambda: os.setuid(0)


def _capabilities() -> list[int]:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).syscall(125, ctypes.byref(header), ctypes.byref(sets))
    return list(sets)
