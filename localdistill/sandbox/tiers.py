"""Which sandbox is used: the first of the tiers that is there, and proven by an attack on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import beside, containers, inside
from localdistill.sandbox.pit_sandbox import PitSandbox, default_workers
from localdistill.sandbox.tier_beside import open_beside
from localdistill.sandbox.tier_containers import open_containers
from localdistill.sandbox.tier_inside import open_inside
from localdistill.sandbox.tier_local import UNSAFE, open_local, open_way

KINDS = ("auto", "compose", "docker", "podman", "local", "unsafe")

_COMPOSE = (
    "start the tool by `docker compose run` with the compose.yaml of localdistill, which puts a "
    "sandbox beside it, or take verify.sandbox = auto (--sandbox auto)"
)
_ENGINE = (
    "see that `{engine} info` works and build the image (`{engine} build --target pit -t {image} .`"
    "), or take verify.sandbox = auto (--sandbox auto)"
)
_IN_A_CONTAINER = (
    "run this container as root with Docker's default capabilities (no --user, no --cap-drop), or "
    "start it by `docker compose run`, which puts a sandbox beside it"
)
_ON_A_HOST = (
    "install Docker or Podman and build the image (`docker build --target pit -t "
    f"{containers.DEFAULT_IMAGE} .`), or run as root, or allow unprivileged user namespaces "
    "(sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 "
    "kernel.apparmor_restrict_unprivileged_userns=0)"
)

Opener = Callable[[], PitSandbox]


def open_sandbox(kind: str = "auto", workers: int | None = None) -> PitSandbox:
    """Open a sandbox, proven by an attack on it.

    Args:
        kind: one of ``KINDS``; ``auto`` takes the first tier that is there. ``unsafe`` is not
            proven by anything, and never taken by itself.
        workers: how many candidates run at a time; the number of processors if None.

    Raises:
        SandboxUnavailable: no tier holds, or not that one; the message says what to do.
    """
    if kind not in KINDS:
        raise SandboxUnavailable(f"There is no sandbox {kind!r}: take one of {', '.join(KINDS)}.")
    count = workers or default_workers()
    passed_over: list[str] = []
    notes: list[str] = []  # of them, what a person who has no sandbox needs to know
    if kind == "auto" and not beside.is_expected():
        passed_over.append("compose: this process was not started by compose.yaml")
    for name, opener in openers(kind, count):
        try:
            sandbox = opener()
        except SandboxUnavailable as error:
            notes.append(f"{name}: {error}")
            passed_over.append(notes[-1])
        except containers.NoEngine as error:
            passed_over.append(str(error))
            if error.worth_a_note or kind != "auto":
                notes.append(str(error))
        else:
            sandbox.passed_over = (*passed_over, *sandbox.passed_over)
            return sandbox
    raise SandboxUnavailable(f"No sandbox holds here ({'; '.join(notes)}): {what_to_do(kind)}.")


def openers(kind: str, workers: int) -> list[tuple[str, Opener]]:
    """What is tried for ``kind``, by name, in the order of the tiers.

    An opener raises SandboxUnavailable or NoEngine.
    """
    known: dict[str, Opener] = {
        "compose": lambda: open_beside(workers),
        **{name: _container_opener(name, workers) for name in containers.ENGINES},
        "local": lambda: open_inside(workers) if inside.are_there() else open_local(workers),
        "unsafe": lambda: open_way(UNSAFE, workers),
    }
    if kind != "auto":
        return [(kind, known[kind])]
    first = ["compose"] if beside.is_expected() else []
    return [(name, known[name]) for name in (*first, *_engines_in_order(), "local")]


def what_to_do(kind: str) -> str:
    """How to get the sandbox that was asked for, said for where this process is."""
    if kind in containers.ENGINES:
        return _ENGINE.format(engine=kind, image=containers.image_name())
    if kind == "compose":
        return _COMPOSE
    return _IN_A_CONTAINER if in_container() else _ON_A_HOST


def in_container() -> bool:
    """Whether this process is in a container, as far as its files tell."""
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _container_opener(name: str, workers: int) -> Opener:
    return lambda: open_containers(containers.find_engine(name), workers)


def _engines_in_order() -> list[str]:
    """Docker, then Podman. For a user who is not root Podman is rootless, and comes first."""
    return list(containers.ENGINES if os.geteuid() == 0 else reversed(containers.ENGINES))
