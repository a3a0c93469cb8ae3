"""The command ``doctor``: what this machine is, and a proof of its sandbox by attacks on it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from localdistill.display.doctor import Screen, open_screen
from localdistill.errors import SandboxBreached
from localdistill.hardware import this_machine
from localdistill.result_text import sandbox_lines
from localdistill.stages.verify_work import sandbox_use

# Not ``unsafe``: there is nothing that could hold.
KINDS = ("auto", "compose", "docker", "podman", "local")
_WORKERS = 2  # an attack on the slot beside needs one


def add_commands(commands: Any) -> None:
    """Add ``doctor`` to ``commands`` (an argparse sub-parsers object)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="what this machine is, and a proof of the sandbox by attacks on it",
        description="Attacks the sandbox by hostile programs, each bounded so that it does no "
        "harm where it gets through. Exit code 1 if one does, or if its outcome is not known; 2 if "
        "there is no sandbox.",
    )
    parser.add_argument("--sandbox", choices=KINDS, default="auto")
    parser.set_defaults(act=run_doctor_command)


def run_doctor_command(options: argparse.Namespace) -> None:
    """Attack the sandbox and show what became of each attack.

    Raises:
        SandboxUnavailable: no tier holds, or not that one; the message says what to do.
        SandboxBreached: an attack got through.
    """
    from localdistill.sandbox import open_sandbox
    from localdistill.sandbox.attacks import Bait, attack_all

    screen = open_screen(sys.stdout, rich=sys.stdout.isatty())
    screen.machine(this_machine())
    # The bait first: a sandbox that lets any of it in must have had the chance.
    with Bait() as bait, open_sandbox(options.sandbox, _WORKERS) as sandbox:
        screen.lines([*sandbox_lines(sandbox_use(sandbox)), *sandbox.notes])
        show(screen, attack_all(sandbox, bait))


def show(screen: Screen, findings: Iterable[Any]) -> None:
    """Show findings as they are made, and what they come to.

    Raises:
        SandboxBreached: one of them got through, or there was none.
    """
    seen = []
    with screen.table() as row:
        for finding in findings:
            seen.append(finding)
            row(finding)
    through = [each.attack for each in seen if each.got_through]
    if through or not seen:
        names = ", ".join(through) or "none was made"
        raise SandboxBreached(
            f"{len(through)} of {len(seen)} attacks got through ({names}): let no program that a "
            "model wrote run in this sandbox; take another by --sandbox."
        )
    not_covered = [each.attack for each in seen if each.outcome == "not covered"]
    text = "The sandbox holds: nothing got through."
    if not_covered:
        text = f"{text} This tier does not cover: {', '.join(not_covered)}."
    screen.lines([text])
