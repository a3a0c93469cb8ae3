"""Slots in the tool's own container, made by its first process while that has the right to.

Both ends: the first process makes them (``make_slots``), and the tool, which has no rights there,
finds them by their sockets. Each slot has a user id and a box of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.sandbox import beside, kernel, landlock, packages, uids

FOLDER_VARIABLE = "LOCALDISTILL_SLOTS"
ROLES = ("pit", "judge")
_LEAST = 8  # pairs: sockets cost nothing until somebody connects
_ABOUT = "about.json"
_BACKLOG = 4
_BOX_IN_ITS_NAMESPACE = "/box"


@dataclass(frozen=True)
class Slot:
    """A socket that nobody serves yet, and what its server is told."""

    listener: socket.socket
    order: dict[str, Any]


# The first process's end


def are_wanted() -> bool:
    """Whether there is no sandbox beside this container."""
    return not os.environ.get(beside.FOLDER_VARIABLE)


def may_make_namespaces() -> bool:
    """Whether the container was given the right to (``--privileged``), which it does not need."""
    return kernel.has_capability(kernel.CAP_SYS_ADMIN)


def make_slots(stack: contextlib.ExitStack, uid: int, gid: int) -> list[Slot]:
    """Make pairs of slots, reachable for user ``uid`` alone, and name them in the environment.

    Their user ids are reserved until ``stack`` is closed.

    Raises:
        OSError: this process may not give files away, or write nowhere.
    """
    if landlock.abi() == 0 and not may_make_namespaces():
        raise OSError("the kernel has no Landlock, and no namespaces may be made")
    folder = tempfile.mkdtemp(prefix="localdistill-slots-")  # vanishes with the container
    for path in (folder, *(f"{folder}/{name}" for name in (*ROLES, "boxes"))):
        os.makedirs(path, exist_ok=True)
        Path(path).chmod(0o711)  # nobody may list it but root, and the tool what is its own
    for role in ROLES:
        os.chown(f"{folder}/{role}", uid, gid)
    found = []
    for number in range(max(_LEAST, len(os.sched_getaffinity(0)))):
        for role in ROLES:
            path = f"{folder}/{role}/{number:03d}.socket"
            found.append(Slot(_listener(path, uid, gid), _order(stack, folder, role, number, uid)))
    about = {"namespaces": may_make_namespaces()}
    Path(folder, _ABOUT).write_text(json.dumps(about), encoding="ascii")
    os.environ[FOLDER_VARIABLE] = folder
    return found


def _listener(path: str, uid: int, gid: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    Path(path).chmod(0o600)
    os.chown(path, uid, gid)
    listener.listen(_BACKLOG)
    return listener


def _order(
    stack: contextlib.ExitStack, folder: str, role: str, number: int, owner: int
) -> dict[str, Any]:
    user = uids.reserve(stack, but=owner)
    box = _BOX_IN_ITS_NAMESPACE
    if not may_make_namespaces():
        box = f"{folder}/boxes/{user}"
        os.mkdir(box, 0o700)
        os.chown(box, user, user)
    return {
        "box": box,
        "uid": user,
        "number": number,
        "bounded": False,
        "namespaces": may_make_namespaces(),
        "packages": packages.of_this_image() if role == "pit" else (),
    }


# The tool's end


def are_there() -> bool:
    """Whether the first process of this container has made slots for this one."""
    return bool(os.environ.get(FOLDER_VARIABLE))


def have_namespaces() -> bool:
    """Whether these slots are in namespaces of their own."""
    about = json.loads(Path(os.environ[FOLDER_VARIABLE], _ABOUT).read_text(encoding="ascii"))
    return bool(about["namespaces"])


def pairs() -> list[tuple[Path, Path]]:
    """The sockets of a candidates' slot and a tests' slot each."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    pits, judges = (sorted((folder / role).glob("*.socket")) for role in ROLES)
    return list(zip(pits, judges, strict=True))
