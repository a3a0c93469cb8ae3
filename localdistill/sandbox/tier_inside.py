"""Tier 3 in the tool's own container: its first process holds the slots, and the tool no rights."""

from __future__ import annotations

import contextlib

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import inside, kernel, landlock
from localdistill.sandbox.link import LinkBroken
from localdistill.sandbox.pit_sandbox import PitSandbox
from localdistill.sandbox.proof import Target, proven
from localdistill.sandbox.tier_beside import starter
from localdistill.sandbox.tier_local import WAYS_OF_ROOT, without_landlock


def open_inside(workers: int) -> PitSandbox:
    """Open a sandbox of the slots that this container's first process has made.

    The ways to confine are those of root on a machine, since that is what the first process is.

    Raises:
        SandboxUnavailable: they do not hold, or do not answer.
    """
    if not kernel.supported():
        raise SandboxUnavailable("it needs Linux on x86_64")
    try:
        way = WAYS_OF_ROOT[0 if inside.have_namespaces() else 1]
        pairs = inside.pairs()[:workers]
        if not pairs:
            raise SandboxUnavailable("this container's first process has made no slots")
        with contextlib.ExitStack() as stack:
            target = Target(stack)
            starts = [
                proven(starter(*pair, number), target, other_user=True)
                for number, pair in enumerate(pairs)
            ]
            shown = way if landlock.abi() > 0 else without_landlock(way)
            sandbox = PitSandbox(starts, shown.tier, shown.not_covered)
            sandbox.keep(stack.pop_all())
    except (LinkBroken, OSError) as error:
        raise SandboxUnavailable(str(error)) from None
    if len(pairs) < workers:
        sandbox.notes = (f"Only {len(pairs)} programs are run at a time: there are as many slots.",)
    return sandbox
