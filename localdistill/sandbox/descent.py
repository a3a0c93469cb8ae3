"""The processes of a slot without namespaces or a user id of its own, by their descent."""

from __future__ import annotations

import contextlib
import os
import signal


def descendants(root: int) -> list[int]:
    """Process ids of all that descend from process ``root`` and have not ended."""
    children: dict[int, list[int]] = {}
    for number in _numbers():
        with contextlib.suppress(OSError, IndexError, ValueError):  # it has ended meanwhile
            state, parent = _status(number)
            if state != "Z":
                children.setdefault(parent, []).append(number)
    found: list[int] = []
    ring = [root]
    while ring:
        ring = [child for each in ring for child in children.pop(each, ())]
        found += ring
    return found


def end_descendants(root: int) -> None:
    """Kill all that descend from ``root``, except this process.

    They are stopped first: what is stopped has no more children.
    """
    stopped: set[int] = set()
    while fresh := set(descendants(root)) - stopped - {os.getpid()}:
        for number in fresh:
            _send(number, signal.SIGSTOP)
        stopped |= fresh
    for number in stopped:
        _send(number, signal.SIGKILL)


def threads_of(uid: int) -> int:
    """How many threads a user id has on this machine, as RLIMIT_NPROC counts them."""
    total = 0
    for number in _numbers():
        with contextlib.suppress(OSError, LookupError, ValueError):  # it has ended meanwhile
            lines = _text(f"/proc/{number}/status").splitlines()
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
            if int(fields["Uid"].split()[0]) == uid:
                total += int(fields["Threads"])
    return total


def _numbers() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _status(number: int) -> tuple[str, int]:
    fields = _text(f"/proc/{number}/stat").rpartition(")")[2].split()
    return fields[0], int(fields[1])


def _text(path: str) -> str:
    with open(path, errors="replace") as file:
        return file.read()


def _send(number: int, what: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.kill(number, what)
