"""What a child does to itself before untrusted code runs in it. Nothing here can be undone."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from typing import NamedTuple

from localdistill.sandbox import kernel, landlock, seccomp
from localdistill.sandbox.descent import threads_of
from localdistill.sandbox.place import BOX_BYTES, Place, rules

# Together they bound what may wait in sockets, which no sampling sees: 64 x 32 pairs x 0.4 MiB.
PROCESSES, OPEN_FILES = 64, 64
ADDRESS_SPACE_SLACK = 1 << 30  # stacks of threads, mapped files: address space is not memory
STACK_BYTES = 100 << 20


class Limits(NamedTuple):
    """What the kernel bounds for each process; the warm parent bounds the sum of memory."""

    memory_bytes: int
    cpu_s: int
    sampled: bool = True  # whether the sum is looked at; not needed for what starts no process


def prepare(place: Place) -> int:
    """Make, once in the warm parent, what its children need.

    Returns the descriptor of the Landlock rule set, or -1.
    """
    kernel.empty_bounding_set()
    ruleset = landlock.ruleset(rules(place)) if place.landlock else -1
    for what, bound in _FIXED:
        _lower(what, bound)
    # A program may raise it: a stack counts as address space and as memory as everything does.
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    if hard == resource.RLIM_INFINITY or hard > STACK_BYTES:
        resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))
    if not place.by_descent:
        _lower(resource.RLIMIT_NPROC, PROCESSES)
    # From here on also for the warm parent, since each filter is work for the kernel. What it
    # needs beyond a candidate's calls (changing user, Landlock) gives a candidate nothing.
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install()
    return ruleset


def go_first() -> None:
    """Be whom the kernel ends first where memory runs out, with all that is forked from here.

    For candidates. A warm parent's end would break its pit, and the processes of the tool, which
    are larger by far, are not to pay for a candidate.
    """
    with contextlib.suppress(OSError):  # of a kernel, or a container, without it
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(score, b"1000")
        os.close(score)


def confine(place: Place, ruleset: int, limits: Limits, parent: int, keep: int) -> None:
    """Give up everything that the child of a warm parent need not have.

    Descriptors 0, 1 and 2 are in place already; ``keep`` stays open beside them.

    Raises:
        OSError: a lock did not close; the child must end without running anything.
    """
    os.setsid()
    os.umask(0o077)
    _lower(resource.RLIMIT_AS, limits.memory_bytes + ADDRESS_SPACE_SLACK)
    _lower(resource.RLIMIT_CPU, limits.cpu_s)
    if place.by_descent:
        # The kernel counts all threads of the user id. Not in the warm parent: it must still be
        # able to fork the one who ends its children.
        _lower(resource.RLIMIT_NPROC, PROCESSES + threads_of(os.getuid()))
    if place.uid is not None:
        os.setgroups([])
        os.setresgid(place.uid, place.uid, place.uid)
        os.setresuid(place.uid, place.uid, place.uid)
    os.chdir(place.box)  # after the change of user: root may lack the right to enter
    kernel.drop_capabilities()
    # Both after the change of user, which clears them. Dumpable, so that its memory can be measured
    # by a process of the same user; it writes no core, and no candidate may trace or read /proc.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    if ruleset >= 0:
        landlock.restrict(ruleset)
    kernel.close_all_but(keep)


def _lower(what: int, bound: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(what, (value, value))


_FIXED = (
    (resource.RLIMIT_FSIZE, BOX_BYTES),
    (resource.RLIMIT_NOFILE, OPEN_FILES),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_MEMLOCK, 0),
    (resource.RLIMIT_MSGQUEUE, 0),
)
