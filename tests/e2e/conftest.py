"""Drives the command line as a user would: the installed program, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("localdistill")
# A default run in small: every stage, few problems.
SMALL = (
    "run", "--limit", 24, "--deterministic",
    "--set", "generate.samples=4", "--set", "evaluate.samples=2", "--set", "train.epochs=1",
)  # fmt: skip


@dataclass
class Finished:
    """A command that came to its end (or was brought to it)."""

    code: int
    out: str
    err: str
    events: list[dict] = field(default_factory=list)


def localdistill(*arguments, cwd=None, timeout=900):
    """Run the program to its end."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def kill_in_stage(stage, *arguments, after=1):
    """Start the program and `kill -9` it at the ``after``-th event of ``stage``.

    Returns whether that came to pass before the program ended by itself.
    """
    process = subprocess.Popen(
        [PROGRAM, *map(str, arguments), "--progress", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = 0
    for line in process.stdout:
        event = json.loads(line)
        if event.get("stage") == stage and event["kind"] != "stage_finished":
            seen += 1
            if seen == after:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                return True
    process.wait()
    return False


@pytest.fixture(scope="session")
def seed_dir():
    return Path(__file__).resolve().parents[2] / "models" / "seed"
