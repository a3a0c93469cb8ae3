"""Tier 2: containers of Docker or Podman, two a worker: one for candidates, one for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import containers, uids
from localdistill.sandbox.containers import Box, Engine
from localdistill.sandbox.link import Link, LinkBroken, interpreter
from localdistill.sandbox.pit_sandbox import PitSandbox
from localdistill.sandbox.proof import Target, proven
from localdistill.sandbox.sites import ContainerSite, WayIn
from localdistill.sandbox.tier_local import MEMORY, SHARED_KERNEL

_ROOTFUL = (
    "{engine} runs as root: what breaks out of its containers is root. A rootless engine is not."
)
_FILES = "{engine} does not bound the number of files: it is sampled, and may pass 4,096 briefly."
_UNBOUND = "{engine} cannot bound the {what} of containers here: only the slot's own limits do."


def open_containers(engine: Engine, workers: int) -> PitSandbox:
    """Open a sandbox of containers of ``engine``, proven by an attack.

    Raises:
        SandboxUnavailable: it does not start, or does not hold.
    """
    engine.remove_leftovers()
    try:
        return _open(engine, workers, direct=True)
    except SandboxUnavailable:
        # An engine that does not see this machine's folders cannot show one to a container.
        return _open(engine, workers, direct=False)


def _open(engine: Engine, workers: int, *, direct: bool) -> PitSandbox:
    with contextlib.ExitStack() as stack:
        try:
            target = Target(stack)
            starts = [
                proven(
                    _starter(engine, workers, number, stack, direct=direct), target, other_user=True
                )
                for number in range(workers)
            ]
            sandbox = PitSandbox(starts, _tier(engine), _not_covered(engine))
        except (LinkBroken, OSError) as error:
            raise SandboxUnavailable(f"{engine.command}: {error}") from None
        sandbox.keep(stack.pop_all())
    return sandbox


def _starter(
    engine: Engine, workers: int, number: int, stack: contextlib.ExitStack, *, direct: bool
) -> Callable[[], Link]:
    candidate_uid, judge_uid = uids.reserve(stack), uids.reserve(stack)

    def site(role: str, box: Box) -> ContainerSite:
        name = containers.new_name(role)
        way_in = WayIn() if direct else None
        command = engine.run_command(name, box, way_in.folder if way_in else None)
        return ContainerSite(command, lambda: engine.remove(name), way_in)

    def start() -> Link:
        candidate = site("pit", Box(candidate_uid, number, containers.memory_for(workers)))
        judge = site("judge", Box(judge_uid, number, containers.JUDGE_BYTES))
        return Link(candidate, judge, interpreter(), number)

    return start


def _tier(engine: Engine) -> str:
    kind = "rootless " if engine.rootless else ""
    return f"2 ({kind}{engine.command} containers, user ids, Landlock, seccomp)"


def _not_covered(engine: Engine) -> tuple[str, ...]:
    name = engine.command.capitalize()
    found = [SHARED_KERNEL, MEMORY]
    if not engine.rootless:
        found.append(_ROOTFUL.format(engine=name))
    for what, is_bound in (
        ("memory", engine.bounds_memory),
        ("processes", engine.bounds_processes),
    ):
        if not is_bound:
            found.append(_UNBOUND.format(engine=name, what=what))
    if not engine.bounds_files:
        found.append(_FILES.format(engine=name))
    return tuple(found)
