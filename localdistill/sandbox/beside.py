"""A sandbox that stands beside the tool's container, as ``compose.yaml`` starts it: tier 1.

Each container serves one slot on a socket of its own, named by its host name, in a folder that it
shares with the tool: ``pit`` those for candidates, ``judge`` those for test code, so that neither
sees the other's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import IO

from localdistill.sandbox import uids

FOLDER_VARIABLE, DEFAULT_FOLDER = "LOCALDISTILL_SANDBOX_DIR", "/run/localdistill"
_CONNECT_S, _AGAIN_S = 20.0, 0.05  # a container may still be starting, or starting again
_SUFFIX = ".socket"


# The tool's end


def folder() -> Path:
    """Where the sockets are looked for."""
    return Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)


def is_expected() -> bool:
    """Whether this container was started with such a sandbox beside it."""
    return bool(os.environ.get(FOLDER_VARIABLE)) or folder().is_dir()


def wait_for_sockets(role: str) -> list[Path]:
    """The sockets of a role that answer, waited for until there is one; empty if none comes."""
    deadline = time.monotonic() + _CONNECT_S
    while True:
        found = [path for path in sorted(folder().glob(f"{role}/*{_SUFFIX}")) if _answers(path)]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(_AGAIN_S)


def connect(path: Path) -> socket.socket:
    """Connect, and wait where the container is being started again.

    Raises:
        OSError: it does not answer.
    """
    deadline = time.monotonic() + _CONNECT_S
    while True:
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            end.connect(str(path))
        except OSError:
            end.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_S)
            continue
        return end


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        try:
            end.connect(str(path))
        except OSError:
            return False
    return True


# The container's end


def reserve(shared: str) -> tuple[int, IO[bytes]]:
    """A user id that no other container of this folder has, and the open file that holds it."""
    for uid in uids.free_ids():
        lock = Path(shared, f"{uid}.lock").open("wb")  # noqa: SIM115
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return uid, lock
        lock.close()
    raise OSError("no user id is free for candidates")


def bound_socket(shared: str) -> socket.socket:
    """A listening socket in the folder, named by this container's host name."""
    path = Path(shared, socket.gethostname() + _SUFFIX)
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    path.chmod(0o666)  # the tool may run as another user; candidates cannot see this folder
    server.listen(4)
    return server
