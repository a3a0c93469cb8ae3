"""User ids for slots: none that an account has, and none that another slot of this machine has."""

from __future__ import annotations

import contextlib
import pwd
import socket
import zlib
from collections.abc import Iterator

from localdistill.sandbox.place import WATCHER_OFFSET

# Unused in systemd's scheme from 60578 to 61183; the upper half is for watchers.
FIRST, LAST = 60578, 60578 + WATCHER_OFFSET


def free_ids() -> Iterator[int]:
    """User ids that no account has, nor has the one of their watchers, in this host's own order.

    A container's begins elsewhere than that of other ones and of the machine: a reservation is not
    seen across containers, while the kernel counts and ends processes by user id across them. On
    one host the order stays: what a killed run has left is ended by the next one with that user id.
    """
    count = LAST - FIRST
    start = zlib.crc32(socket.gethostname().encode()) % count
    for step in range(count):
        uid = FIRST + (start + step) % count
        if not _is_account(uid) and not _is_account(uid + WATCHER_OFFSET):
            yield uid


def reserve(stack: contextlib.ExitStack, but: int | None = None) -> int:
    """A user id that is reserved until ``stack`` is closed, at the latest with this process.

    ``but`` is the id of somebody who has no account here and whose processes are not ours.

    An abstract socket of that name is the reservation: it leaves no file. The limit on processes
    is for each user id of the machine, in containers too, so they need ids of their own as well.
    """
    for uid in free_ids():
        if but in (uid, uid + WATCHER_OFFSET):
            continue
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            holder.bind(f"\0localdistill-uid-{uid}")
        except OSError:
            holder.close()
            continue
        stack.callback(holder.close)
        return uid
    raise OSError("no user id is free for candidates")


def _is_account(uid: int) -> bool:
    with contextlib.suppress(KeyError):
        pwd.getpwuid(uid)
        return True
    return False
