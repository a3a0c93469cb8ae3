"""What the processes of a slot use: memory, and files that no folder shows.

Without namespaces another user's processes can be looked into only by their own user, or with a
capability that containers do not have. So a *watcher* does it: a short-lived fork that has the
effective user id of the slot, and a real one that its processes can neither signal nor stop.

Without namespaces and without another user (the kind ``unsafe``) a slot's processes are those that
descend from its warm parent, to which all orphans below it are given.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable

from localdistill.sandbox.confine import PROCESSES
from localdistill.sandbox.descent import descendants, end_descendants
from localdistill.sandbox.place import BOX_BYTES, SHARED_MEMORY, Place, overfull

_PAGE = os.sysconf("SC_PAGE_SIZE")
_DESCRIPTORS = 768  # of all processes together
_FEW_PROCESSES = 8  # cannot have so many
_UNKNOWN = 1 << 62  # what cannot be looked at counts as too much


class Sampler:
    """Looks at one run of a slot's processes.

    Args:
        place: the slot's.
        used_before: what ``used_bytes`` gave before the run.
    """

    def __init__(self, place: Place, used_before: list[int]) -> None:
        self._place = place
        self._used_before = used_before

    def let_go(self) -> None:
        """Let the slot's processes run on any processor: a pit keeps to one."""
        members = self._members()
        self._by_watcher(lambda: sum(map(_let_go, members)), 0)

    def memory(self, limit: int) -> int:
        """Bytes of memory of all processes of the slot; shared pages once where it matters."""
        members = self._members()
        if self._place.by_descent and len(members) > PROCESSES:
            return _UNKNOWN  # the kernel does not bound root's processes
        total = sum(map(_resident, members))
        if total > limit:  # looked at again with shared pages counted once, which costs more
            return self._by_watcher(lambda: sum(map(_proportional, members)), limit)
        return total

    def files_overflow(self) -> bool:
        """Whether more was written, or is held open, than a slot may."""
        members = self._members()
        # What waits in sockets and pipes is memory of the kernel, which belongs to no process.
        if len(members) > _FEW_PROCESSES:
            opened = self._by_watcher(lambda: sum(map(_descriptors, members)), _DESCRIPTORS)
            if opened > _DESCRIPTORS:
                return True
        if self._place.bounded:  # its file systems are in memory, and have a size
            return False
        if overfull(self._place):
            return True
        grown = any(
            now - before > BOX_BYTES
            for now, before in zip(used_bytes(self._place), self._used_before, strict=True)
        )
        if not grown:  # by us or by anybody else on this machine
            return False
        place = self._place
        return self._by_watcher(lambda: sum(_nameless(m, place) for m in members), 0) > BOX_BYTES

    def _members(self) -> list[str]:
        if self._place.by_descent:
            return [str(each) for each in descendants(os.getpid())]
        own = str(os.getpid())
        entries = os.listdir("/proc")
        numbers = [each for each in entries if each.isdigit() and each != own]
        if self._place.namespaces:
            return numbers
        return [each for each in numbers if _owner(each) == self._place.uid]

    def _by_watcher(self, look: Callable[[], int], limit: int) -> int:
        if self._place.namespaces or self._place.by_descent:
            return look()
        reading, writing = os.pipe()
        watcher = os.fork()
        if watcher == 0:
            become_watcher(self._place)
            os.write(writing, str(look()).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(watcher, 0)
        text = os.read(reading, 64)
        os.close(reading)
        return int(text) if text.isdigit() else limit + _UNKNOWN


def used_bytes(place: Place) -> list[int]:
    """Bytes in use in the file systems of box and shared memory, unless the kernel bounds them."""
    if place.bounded:  # what only the slot can fill needs no look
        return []
    systems = map(os.statvfs, (place.box, SHARED_MEMORY))
    return [(each.f_blocks - each.f_bfree) * each.f_frsize for each in systems]


def become_watcher(place: Place) -> None:
    """Turn this fork into a watcher of the slot's user, and return; where that fails, end it.

    Where the slot has no user that a watcher could have, the warm parent's descendants are ended
    here: what comes after a return would end all processes of the user's.
    """
    if place.by_descent:
        end_descendants(os.getppid())
        os._exit(0)
    try:
        if place.uid is None or place.watcher_uid is None:
            raise ValueError("there is no other user")
        os.setresgid(place.uid, place.uid, place.uid)
        # A process may signal those whose real or saved id is its own: the slot's not this one.
        os.setresuid(place.watcher_uid, place.uid, place.watcher_uid)
    except (OSError, ValueError):
        os._exit(1)


def _owner(number: str) -> int:
    try:
        return os.stat(f"/proc/{number}").st_uid
    except OSError:
        return -1


def _resident(number: str) -> int:
    try:
        own = _resident_of(f"/proc/{number}")
        if own == 0:  # the first thread may have ended, and others work on
            own = max(_resident_of(f"/proc/{number}/task/{task}") for task in _tasks(number))
    except (OSError, IndexError, ValueError):
        return 0  # it has ended meanwhile
    return own


def _resident_of(folder: str) -> int:
    return int(_text(f"{folder}/statm").split()[1]) * _PAGE


def _text(path: str) -> str:
    with open(path, errors="replace") as file:
        return file.read()


def _tasks(number: str) -> list[str]:
    return os.listdir(f"/proc/{number}/task")


def _let_go(number: str) -> int:
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for task in _tasks(number):
            os.sched_setaffinity(int(task), range(os.cpu_count() or 1))
    return 0


def _proportional(number: str) -> int:
    """Resident bytes of a process, each shared page divided by the number of its users."""
    try:
        for line in _text(f"/proc/{number}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    except (OSError, IndexError, ValueError):
        pass
    return _resident(number)  # it does not let itself be looked at, has no first thread, or ended


def _descriptors(number: str) -> int:
    try:
        return len(os.listdir(f"/proc/{number}/fd"))
    except PermissionError:  # its first thread may have ended, and others work on
        return _descriptors_of_a_thread(number)
    except OSError:
        return 0  # it has ended meanwhile


def _descriptors_of_a_thread(number: str) -> int:
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for task in _tasks(number):
            with contextlib.suppress(OSError):
                return len(os.listdir(f"/proc/{number}/task/{task}/fd"))
    return _DESCRIPTORS


def _nameless(number: str, place: Place) -> int:
    """Bytes in files that a process holds and that have no name any more."""
    sizes: dict[tuple[int, int], int] = {}
    own = (place.box + "/", SHARED_MEMORY + "/")
    try:
        for name in os.listdir(f"/proc/{number}/fd"):
            found = os.stat(f"/proc/{number}/fd/{name}")
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
                sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
        for line in _text(f"/proc/{number}/maps").splitlines():
            path = "".join(line.split(maxsplit=5)[5:])
            if path.endswith("(deleted)") and path.startswith(own):
                return _UNKNOWN  # one mapped page keeps the whole file, whose size none tells
    except PermissionError:
        return _UNKNOWN
    except OSError:
        return 0  # it has ended meanwhile
    return sum(sizes.values())
