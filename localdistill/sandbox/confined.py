"""The program of a warm parent: a Python of its own, and what its children run.

Started with ``--warm`` and an order by ``boot.py``, in a process that has never seen a job, with a
hash seed that the pit chose.
"""

from __future__ import annotations

import builtins
import json
import os
import random
import signal
import socket
import sys
from _sitebuiltins import Quitter
from pathlib import Path
from typing import NoReturn

from localdistill.sandbox import (
    candidate,
    comparing,
    judge,
    kernel,
    shared_mapping,
    stdin_program,
    warm,
)
from localdistill.sandbox.channel import Closed, Line
from localdistill.sandbox.decode import decode
from localdistill.sandbox.place import Place

# What candidates commonly import: loaded once, inherited by every fork. No more than that, since
# each library that is mapped makes every fork slower.
_PRELOADED = (
    "bisect collections contextlib copy dataclasses datetime decimal enum fractions functools "
    "heapq io itertools json math operator random re string threading time typing"
)


def main(order: str) -> NoReturn:
    """Be the warm parent that ``order`` (JSON) describes, until the pit is gone."""
    try:
        given = json.loads(order)
        place = Place(**given["place"])
        control = socket.socket(fileno=given["control"])
        os.environ["TMPDIR"] = place.box
        sys.argv = ["main.py"]
        os.environ.pop("PYTHONHASHSEED", None)  # ours; a program that starts Python has its own
        # What the module ``site`` would have brought, which looks for installed packages.
        builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")
        for name in _PRELOADED.split():
            __import__(name)
        # No parent-death signal here: without a pid namespace, whose end takes all with it, a warm
        # parent that finds the pit gone has a slot to clear before it goes.
        kernel.close_all_but(control.fileno())
        if place.namespaces:
            _enter_namespaces(own_user=place.uid is None)
        warm.WarmParent(place, control, confined_body).serve()
    except BaseException as error:
        sys.stderr.write(f"warm parent: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(70)
    os._exit(0)


def confined_body(channel: int) -> None:
    """What runs in each confined child: the first frame says as what."""
    line = Line(channel)
    sys.set_int_max_str_digits(0)  # right programs print long integers; the time limit bounds it
    try:
        kind, body = line.receive()
        if kind in (candidate.MODULE, candidate.PROGRAM) and b"rand" in body:
            random.seed()  # else each child would begin where its warm parent stands
        if kind in (candidate.MODULE, candidate.PROGRAM) and b"mmap" in body:
            shared_mapping.provide()
        if kind == candidate.MODULE:
            candidate.serve_module(line, body.decode("utf-8", "surrogatepass"))
        elif kind == candidate.PROGRAM:
            stdin_program.run_program(line, body.decode("utf-8", "surrogatepass"))
        while kind == judge.JUDGE or kind in comparing.KINDS:
            if kind == judge.JUDGE:
                judge.serve_tests(line, decode(body))
            else:
                comparing.serve(line, kind, body)
            kind, body = line.receive()
    except Closed:
        pass
    line.receive()  # wait to be ended


def _enter_namespaces(*, own_user: bool) -> None:
    """Return in a new process, number 1 of a new pid namespace; this one waits for its end."""
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
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    # Again, because new credentials have cleared it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    first = os.fork()
    if first != 0:
        os.closerange(3, 1024)  # the control socket must be the warm parent's alone
        os.waitpid(first, 0)
        os._exit(0)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
