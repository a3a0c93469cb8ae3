"""Proof that a pit holds, by an attack on it: a program that tries to get out, run as a candidate.

Each pit is attacked when it is started, also when it is started again. ``doctor`` does more.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localdistill.sandbox.link import Link, LinkBroken

PROBE = Path(__file__).with_name("probe.py")
_LIMIT_S, _MEMORY_BYTES = 30.0, 512 << 20
_ANSWER_S = 90.0


class Target:
    """Something of this machine's to reach for: a file of the tool's own, and an open port."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.path = str(PROBE)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port: int = listener.getsockname()[1]

    def arguments(self, link: Link, *, other_user: bool, only_image: bool) -> dict[str, Any]:
        """What the probe is told: see there."""
        return {
            "canary": self.path,
            "port": self.port,
            "processes": [os.getpid(), link.pid],
            "other_user": other_user,
            "only_image": only_image,
        }


def proven(
    start: Callable[[], Link], target: Target, *, other_user: bool, only_image: bool = False
) -> Callable[[], Link]:
    """``start``, with an attack on what it has started.

    Args:
        start: starts a pit.
        target: what is reached for.
        other_user: whether candidates must have a user id of their own.
        only_image: whether all the files there are those of a container's image, which are no
            secret: then it is no breach to read them.

    Returns:
        A function that raises LinkBroken where the attack gets through.
    """

    def start_and_attack() -> Link:
        link = start()
        given = target.arguments(link, other_user=other_user, only_image=only_image)
        try:
            answer = link.ask(task(given), _ANSWER_S)
        except LinkBroken:
            link.close()
            raise
        if answer["status"] != "passed":
            link.close()
            raise LinkBroken(f"the attack on it was not stopped: {answer['detail']}")
        return link

    return start_and_attack


def task(given: dict[str, Any]) -> dict[str, Any]:
    """The probe as a task: it passes where nothing is open."""
    return {
        "code": PROBE.read_text(encoding="utf-8"),
        "tests": {"kind": "call", "cases": [{"args": [given], "expected": []}]},
        "entry_point": "breaches",
        "time_limit_s": _LIMIT_S,
        "memory_bytes": _MEMORY_BYTES,
    }
