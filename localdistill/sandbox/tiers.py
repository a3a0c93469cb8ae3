"""Which confinement holds on this machine: proven by attacks on it before any candidate runs."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import kernel, landlock
from localdistill.sandbox.jobs import Sandbox
from localdistill.sandbox.link import Link, LinkBroken, interpreter
from localdistill.sandbox.local import LocalSandbox, default_workers
from localdistill.sandbox.place import WATCHER_OFFSET, Place

_FIX = (
    "run localdistill in Docker, or as root, or allow unprivileged user namespaces "
    "(sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 "
    "kernel.apparmor_restrict_unprivileged_userns=0)"
)
_PROBE = Path(__file__).with_name("probe.py")
# Unused in systemd's scheme from 60578 to 61183; the upper half is for watchers.
_FIRST_UID, _LAST_UID = 60578, 60578 + WATCHER_OFFSET


@dataclass(frozen=True)
class _Way:
    """One way to confine, with what to tell a person about it."""

    tier: str
    not_covered: tuple[str, ...]
    namespaces: bool
    user_ids: bool


_SHARED_KERNEL = "A hole in the Linux kernel itself is not covered: candidates run on this kernel."
_MEMORY = (
    "Memory over several processes is sampled every 20 ms, so it can pass its limit for a moment."
)
_NO_LANDLOCK = (
    "The kernel has no Landlock: candidates see /proc of their own processes and the kernel."
)
_WAYS_OF_ROOT = (
    _Way(
        "3 (namespaces, user ids, Landlock, seccomp)",
        (_SHARED_KERNEL, _MEMORY),
        namespaces=True,
        user_ids=True,
    ),
    _Way(
        "3 (user ids, Landlock, seccomp; no namespaces)",
        (
            _SHARED_KERNEL,
            _MEMORY,
            "There is no network namespace: seccomp is the only barrier to the network.",
            "What a candidate writes is sampled too: it can pass its limit of 64 MiB for a moment.",
            "Candidates that run at the same time share one /dev/shm, in which they can meet.",
        ),
        namespaces=False,
        user_ids=True,
    ),
)
_WAYS_OF_USER = (
    _Way(
        "3 (user namespace, Landlock, seccomp)",
        (
            _SHARED_KERNEL,
            _MEMORY,
            "Candidates have your own user id: namespaces and Landlock part them from the rest.",
        ),
        namespaces=True,
        user_ids=False,
    ),
)


def open_sandbox(kind: str = "auto", workers: int | None = None) -> Sandbox:
    """Open the best sandbox that holds on this machine, proven by attacks on it.

    Args:
        kind: ``auto`` or ``local``.
        workers: how many candidates run at a time; the number of processors if None.

    Raises:
        SandboxUnavailable: no tier holds; the message says what to do.
    """
    if kind not in ("auto", "local"):
        raise SandboxUnavailable(f"there is no sandbox {kind!r}: use auto or local")
    if not kernel.supported():
        raise SandboxUnavailable(
            "the sandbox needs Linux on x86_64: run localdistill in Docker there"
        )
    count = workers or default_workers()
    failures = []
    for way in _WAYS_OF_ROOT if os.geteuid() == 0 else _WAYS_OF_USER:
        try:
            return _open(way, count)
        except (LinkBroken, _Leaky, OSError) as error:
            failures.append(str(error))
    raise SandboxUnavailable(f"no sandbox holds here ({'; '.join(failures)}): {_FIX}")


class _Leaky(Exception):
    """The probe got through."""


def _open(way: _Way, workers: int) -> LocalSandbox:
    has_landlock = landlock.abi() > 0
    if not way.namespaces and not has_landlock:
        raise _Leaky("neither namespaces nor Landlock to part candidates from files")
    with contextlib.ExitStack() as stack:
        places = [_places(way, has_landlock, stack) for _ in range(workers)]
        starts = [_starter(*pair, number) for number, pair in enumerate(places)]
        _attack(starts[0], way)
        closing = stack.pop_all()
    if has_landlock:
        return LocalSandbox(starts, way.tier, way.not_covered, closing.close)
    tier = way.tier.replace(" Landlock,", "")
    return LocalSandbox(starts, tier, (*way.not_covered, _NO_LANDLOCK), closing.close)


def _starter(candidate: Place, judge: Place, number: int) -> Callable[[], Link]:
    return lambda: Link(candidate, judge, interpreter(), number)


def _places(way: _Way, has_landlock: bool, stack: contextlib.ExitStack) -> tuple[Place, Place]:
    def one() -> Place:
        uid = _reserve_uid(stack) if way.user_ids else None
        box = "/box" if way.namespaces else _make_box(stack)
        return Place(box=box, uid=uid, namespaces=way.namespaces, landlock=has_landlock)

    return one(), one()


def _make_box(stack: contextlib.ExitStack) -> str:
    """A folder that its owner alone will enter, in one that nobody may list."""
    parent = stack.enter_context(tempfile.TemporaryDirectory(prefix="localdistill-"))
    Path(parent).chmod(0o711)
    box = Path(parent, "box")
    box.mkdir(mode=0o700)
    return str(box)


def _reserve_uid(stack: contextlib.ExitStack) -> int:
    """A user id that no account and no other run has.

    An abstract socket of that name is the reservation: it goes with this process, leaving no file.
    """
    for uid in range(_FIRST_UID, _LAST_UID):
        if _is_account(uid) or _is_account(uid + WATCHER_OFFSET):
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


def _attack(start: Callable[[], Link], way: _Way) -> None:
    """Run the probe as a candidate. It must find its box to work in, and no way out of it."""
    with contextlib.ExitStack() as stack:
        link = start()
        stack.callback(link.close)
        target = stack.enter_context(tempfile.NamedTemporaryFile(prefix="localdistill-canary-"))
        Path(target.name).chmod(0o644)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listener.getsockname()[1]
        arguments = [target.name, port, [os.getpid(), link.pid], way.user_ids]
        answer = link.ask(
            {
                "code": _PROBE.read_text(encoding="utf-8"),
                "tests": {"kind": "call", "cases": [{"args": arguments, "expected": []}]},
                "entry_point": "breaches",
                "time_limit_s": 30.0,
                "memory_bytes": 1 << 30,
            },
            60.0,
        )
        if answer["status"] != "passed":
            raise _Leaky(f"{way.tier}: {answer['detail']}")
