"""The program of a warm parent: a Python of its own, and what its children run.

Started with ``--warm`` and an order by ``boot.py``, in a process that has never seen a job, with a
hash seed that the pit chose.
"""

from __future__ import annotations

import builtins
import marshal
import os
import signal
import sys
from _sitebuiltins import Quitter
from collections.abc import Callable
from typing import NoReturn

from localdistill.sandbox import kernel, warm
from localdistill.sandbox.finder import Finder
from localdistill.sandbox.place import Place

_AWAITED = {signal.SIGTERM, signal.SIGCHLD}  # the pit has ended; a child of ours has

# What candidates commonly import: loaded once, inherited by every fork. No more than that, since
# all that is loaded makes every fork slower: not dataclasses, which brings inspect, ast, dis ...
_PRELOADED = (
    "bisect collections contextlib copy enum functools heapq io itertools math operator random re "
    "string time typing"
)


def main(order: str) -> NoReturn:
    """Be the warm parent that ``order`` (hexadecimal marshal) describes, until the pit is gone."""
    try:
        given = marshal.loads(bytes.fromhex(order))  # noqa: S302  the pit's own
        place = Place(**given["place"])
        control, alive = given["control"], given["alive"]
        os.environ["TMPDIR"] = place.box
        sys.argv = ["main.py"]
        os.environ.pop("PYTHONHASHSEED", None)  # ours; a program that starts Python has its own
        # What the module ``site`` would have brought, which looks for installed packages.
        builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")
        for name in _PRELOADED.split():
            __import__(name)
        # No parent-death signal here: without a pid namespace, whose end takes all with it, a warm
        # parent that finds the pit gone has a slot to clear before it goes.
        kernel.close_all_but(control, *alive)
        body = _body(tests=given["tests"])
        if not given["tests"]:  # which must not depend on what is installed
            Finder(place.packages_seen).install()
        if place.namespaces:
            _enter_namespaces(alive, own_user=place.uid is None)
        warm.WarmParent(
            place, control, body, compiled=given["compiled"], candidates=not given["tests"]
        ).serve()
    except BaseException as error:
        sys.stderr.write(f"warm parent: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(70)
    os._exit(0)


def _body(*, tests: bool) -> Callable[[int], None]:
    """What runs in the children; loaded now, since a child finds no file of ours."""
    if tests:
        from localdistill.sandbox.judge_body import judge_body

        return judge_body
    from localdistill.sandbox.candidate_body import candidate_body
    from localdistill.sandbox.rehearsal import rehearse

    rehearse()
    return candidate_body


def _enter_namespaces(alive: list[int], *, own_user: bool) -> None:
    """Return in a new process, number 1 of a new pid namespace; this one waits for its end.

    With that process the kernel ends all others of the namespace, and they are gone when the wait
    is over. So this one alone holds ``alive``, and does not die of the pit's death before.
    """
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(
        kernel.CLONE_NEWNS
        | kernel.CLONE_NEWPID
        | kernel.CLONE_NEWNET
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWUTS
        | (kernel.CLONE_NEWUSER if own_user else 0)
    )
    if own_user:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    # Not earlier: new credentials clear it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)
    first = os.fork()
    if first != 0:
        kernel.close_all_but(*alive)  # the control socket must be the warm parent's alone
        while signal.sigwait(_AWAITED) != signal.SIGTERM:
            if os.waitpid(first, os.WNOHANG)[0]:  # or it has only been stopped, or goes on
                os._exit(0)
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        os._exit(0)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    for each in alive:
        os.close(each)
