"""Tier 1: the tool is in a container, and containers for candidates and tests stand beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import beside
from localdistill.sandbox.link import Link, LinkBroken, interpreter
from localdistill.sandbox.pit_sandbox import PitSandbox
from localdistill.sandbox.proof import Target, proven
from localdistill.sandbox.sites import SocketSite
from localdistill.sandbox.tier_local import MEMORY, SHARED_KERNEL

_TIER = "1 (containers beside this one, user ids, Landlock, seccomp)"
_LOCKS = (
    "The locks of the containers are those of compose.yaml: an attack at the start has tried them."
)


def open_beside(workers: int) -> PitSandbox:
    """Open a sandbox of the containers that stand beside this one, proven by an attack.

    There are no more workers than there are containers of each kind.

    Raises:
        SandboxUnavailable: none answers, or they do not hold.
    """
    pits, judges = beside.wait_for_sockets("pit"), beside.wait_for_sockets("judge")
    pairs = list(zip(pits, judges, strict=False))[:workers]
    if not pairs:
        raise SandboxUnavailable(
            f"nothing answers in {beside.folder()}: start it with `docker compose up -d pit judge`"
        )
    with contextlib.ExitStack() as stack:
        try:
            target = Target(stack)
            starts = [
                proven(starter(*pair, number), target, other_user=True)
                for number, pair in enumerate(pairs)
            ]
            sandbox = PitSandbox(starts, _TIER, (SHARED_KERNEL, MEMORY, _LOCKS))
        except (LinkBroken, OSError) as error:
            raise SandboxUnavailable(str(error)) from None
        sandbox.keep(stack.pop_all())
    if len(pairs) < workers:
        few = f"Only {len(pairs)} programs are run at a time: there are as many containers beside."
        sandbox.notes = (few,)
    return sandbox


def starter(pit: Path, judge: Path, number: int) -> Callable[[], Link]:
    """What starts a pit, the ``number``-th, whose slots are reached by these two sockets."""

    def start() -> Link:
        try:
            sites = SocketSite(beside.connect(pit)), SocketSite(beside.connect(judge))
        except OSError as error:
            raise LinkBroken(f"{error.strerror}: {pit} or {judge}") from None
        return Link(*sites, interpreter(), number)

    return start
