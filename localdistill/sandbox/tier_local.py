"""Tier 3: no container but the one that we may be in. What the kernel permits here is made use of.

Our own system calls make the namespaces, as ``unshare`` or bubblewrap would: it needs neither.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import kernel, landlock, packages, uids
from localdistill.sandbox.link import Link, LinkBroken, interpreter
from localdistill.sandbox.pit_sandbox import PitSandbox
from localdistill.sandbox.place import Place
from localdistill.sandbox.proof import Target, proven
from localdistill.sandbox.sites import NearSite


@dataclass(frozen=True)
class Way:
    """One way to confine, with what to tell a person about it."""

    tier: str
    not_covered: tuple[str, ...]
    namespaces: bool
    user_ids: bool
    proven: bool = True  # False only where the user wants no proof


SHARED_KERNEL = "A hole in the Linux kernel itself is not covered: candidates run on this kernel."
SHARED_FOLDER = "Candidates that run at the same time share one /dev/shm, in which they can meet."
OWN_USER = "Candidates have your own user id: namespaces and Landlock part them from the rest."
MEMORY = (
    "Memory over several processes is sampled every 20 ms, so it can pass its limit for a moment."
)
NO_LANDLOCK = (
    "The kernel has no Landlock: candidates see /proc of their own processes and the kernel."
)
WAYS_OF_ROOT = (
    Way(
        "3 (namespaces, user ids, Landlock, seccomp)",
        (SHARED_KERNEL, MEMORY),
        namespaces=True,
        user_ids=True,
    ),
    Way(
        "3 (user ids, Landlock, seccomp; no namespaces)",
        (
            SHARED_KERNEL,
            MEMORY,
            "There is no network namespace: seccomp is the only barrier to the network.",
            "What a candidate writes is sampled too: it can pass its limit of 64 MiB for a moment.",
            SHARED_FOLDER,
        ),
        namespaces=False,
        user_ids=True,
    ),
)
WAYS_OF_USER = (
    Way(
        "3 (user namespace, Landlock, seccomp)",
        (
            SHARED_KERNEL,
            MEMORY,
            OWN_USER,
        ),
        namespaces=True,
        user_ids=False,
    ),
)
UNSAFE = Way(
    "4 (UNSAFE: your own user id, no namespaces)",
    (
        "No sandbox holds here. You asked to go on without one, by the kind 'unsafe'.",
        "Candidates run as you: what seccomp and Landlock of this kernel do not refuse, they may.",
        "How many processes there are and how much memory they take is sampled, and nothing else.",
        "What a candidate leaves in /dev/shm stays there.",
    ),
    namespaces=False,
    user_ids=False,
    proven=False,
)


def open_local(workers: int) -> PitSandbox:
    """Open the best way that holds here, proven by an attack.

    Raises:
        SandboxUnavailable: none does; the message is why.
    """
    if not kernel.supported():
        raise SandboxUnavailable("it needs Linux on x86_64")
    failures = []
    for way in WAYS_OF_ROOT if os.geteuid() == 0 else WAYS_OF_USER:
        try:
            sandbox = open_way(way, workers)
        except SandboxUnavailable as error:
            failures.append(f"{way.tier}: {error}")
        else:
            sandbox.passed_over = tuple(failures)
            return sandbox
    raise SandboxUnavailable("; ".join(failures))


def open_way(way: Way, workers: int) -> PitSandbox:
    """Open one way.

    Raises:
        SandboxUnavailable: it does not hold here.
    """
    has_landlock = landlock.abi() > 0
    if way.proven and not way.namespaces and not has_landlock:
        raise SandboxUnavailable("neither namespaces nor Landlock to part candidates from files")
    with contextlib.ExitStack() as stack:
        try:
            target = Target(stack)
            starts = []
            for number in range(workers):
                candidate, judge = (_place(way, has_landlock, stack) for _ in range(2))
                candidate = candidate._replace(packages=packages.beside_the_tool())
                start = _starter(candidate, judge, number)
                if way.proven:
                    start = proven(start, target, other_user=way.user_ids)
                starts.append(start)
            shown = way if has_landlock else without_landlock(way)
            sandbox = PitSandbox(starts, shown.tier, shown.not_covered, unsafe=not way.proven)
        except (LinkBroken, OSError) as error:
            raise SandboxUnavailable(str(error)) from None
        sandbox.keep(stack.pop_all())
    return sandbox


def without_landlock(way: Way) -> Way:
    """What a person is told of ``way`` where the kernel has no Landlock."""
    tier = way.tier.replace(" Landlock,", "")
    return dataclasses.replace(way, tier=tier, not_covered=(*way.not_covered, NO_LANDLOCK))


def _starter(candidate: Place, judge: Place, number: int) -> Callable[[], Link]:
    return lambda: Link(NearSite(candidate), NearSite(judge), interpreter(), number)


def _place(way: Way, has_landlock: bool, stack: contextlib.ExitStack) -> Place:
    uid = uids.reserve(stack) if way.user_ids else None
    box = "/box" if way.namespaces else _make_box(stack)
    return Place(box=box, uid=uid, namespaces=way.namespaces, landlock=has_landlock)


def _make_box(stack: contextlib.ExitStack) -> str:
    """A folder that its owner alone will enter, in one that nobody may list."""
    parent = stack.enter_context(tempfile.TemporaryDirectory(prefix="localdistill-"))
    Path(parent).chmod(0o711)
    box = Path(parent, "box")
    box.mkdir(mode=0o700)
    return str(box)
