"""What ``chaos.py`` does to a run: each function strikes once and tells what it did."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from chaos_run import Call, Moment, docker

# Appended to with every event: as the newest file they would be cut nearly every time.
_TALKATIVE = {"events.jsonl", "log.txt"}
_STOP_S = 10.0  # within which a run must have stopped when it is asked to


_PATIENCE_S = 20.0  # for what is to be struck to be there


class Missed(Exception):
    """There was nothing to strike."""


@dataclass(frozen=True)
class Kind:
    """A way to strike: when it can be done, what it does, and how the call may end then."""

    strike: Callable[[Call, Path, random.Random], str]
    codes: tuple[int, ...]
    suits: Callable[[Moment], bool] = lambda moment: True
    ends_s: float | None = None  # within which the call must have ended
    one_line: bool = False  # it ends with one line for a person


def _tests_programs(moment: Moment) -> bool:
    return "verify" in moment.name or moment.number == 0  # where the sandbox is tried


def kill_group(call: Call, directory: Path, chance: random.Random) -> str:
    """As a terminal that is closed, or a machine that is switched off, without a warning."""
    os.killpg(call.process.pid, signal.SIGKILL)
    return "kill -9 of the process group"


def kill_stage(call: Call, directory: Path, chance: random.Random) -> str:
    """As the kernel does where memory runs out."""
    for process in call.tree()[1:]:
        with contextlib.suppress(psutil.NoSuchProcess):
            if "localdistill.stages.process" in process.cmdline():
                process.kill()
                return "kill -9 of the stage's process"
    raise Missed("no process of a stage")


def kill_pit(call: Call, directory: Path, chance: random.Random) -> str:
    """A process of the sandbox, or all of them, as soon as there are any."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (there := _of_sandbox(call)):
        if call.process.poll() is not None or time.monotonic() > deadline:
            raise Missed("no process of the sandbox")
        time.sleep(0.01)
    struck = there if chance.random() < 0.5 else chance.sample(there, min(1, len(there)))
    for process in struck:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return f"kill -9 of {len(struck)} of {len(there)} processes of the sandbox"


def _of_sandbox(call: Call) -> list[psutil.Process]:
    found = []
    for process in call.tree()[1:]:
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(word.endswith("sandbox/boot.py") for word in process.cmdline()):
                found.append(process)
    return found


def truncate(call: Call, directory: Path, chance: random.Random) -> str:
    """As a crash might leave it: killed, and the newest file cut short."""
    os.killpg(call.process.pid, signal.SIGKILL)
    call.end()
    _wait_for_orphans(directory)
    files = [path for path in directory.rglob("*") if path.is_file() and path.stat().st_size]
    if chance.random() < 0.7:
        files = [path for path in files if path.name not in _TALKATIVE]
    if not files:
        return "kill -9, and no file to cut"
    newest = max(files, key=lambda path: path.stat().st_mtime_ns)
    size = newest.stat().st_size
    left = chance.randrange(size)
    os.truncate(newest, left)
    return f"kill -9, {newest.relative_to(directory)} cut from {size} to {left} bytes"


def fill(call: Call, directory: Path, chance: random.Random) -> str:
    """Another program takes (nearly) all that is left on the disk."""
    disk = directory.parent
    left = chance.choice([0, chance.randrange(1 << 16), chance.randrange(1 << 21)])
    free = shutil.disk_usage(disk).free
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        block, rest = bytes(1 << 20), max(0, free - left)
        while rest > 0:
            rest -= file.write(block[: min(len(block), rest)])
    return f"the disk is full up to {shutil.disk_usage(disk).free} bytes"


def stop(call: Call, directory: Path, chance: random.Random) -> str:
    """Asked to stop, as by Ctrl-C or by an engine that stops a container."""
    number = chance.choice([signal.SIGINT, signal.SIGTERM])
    call.process.send_signal(number)
    return signal.Signals(number).name


def freeze(call: Call, directory: Path, chance: random.Random) -> str:
    """Everything stands still for a while and goes on, as with an engine's `pause`."""
    seconds = chance.uniform(6.0, 8.0)  # longer than any program may take
    with call.stand_still() as processes:
        time.sleep(seconds)
    return f"{processes} processes stood still for {seconds:.1f} s"


def kill_container(call: Call, directory: Path, chance: random.Random) -> str:
    """As an engine does that is out of memory, or of patience."""
    assert call.container is not None
    docker("kill", call.container)
    return "the container killed"


def enlarge(disk: Path) -> None:
    """Make the disk larger on which ``fill`` has left no room."""
    size = 2 * shutil.disk_usage(disk).total
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


def _wait_for_orphans(directory: Path) -> None:
    """Until the kernel has ended the stage: what is cut now must not be written to any more."""
    lock = directory / "stage.lock"
    if lock.exists():
        subprocess.run(["flock", "--wait", "60", lock, "true"], check=True)


KINDS = {
    "group": Kind(kill_group, codes=(-signal.SIGKILL,)),
    "training": Kind(kill_stage, codes=(1,), suits=lambda moment: moment.stage == "train"),
    "pit": Kind(kill_pit, codes=(0, 1, 2), suits=_tests_programs),
    "truncate": Kind(truncate, codes=(-signal.SIGKILL,)),
    "full": Kind(fill, codes=(0, 2), one_line=True),
    "stop": Kind(stop, codes=(130,), ends_s=_STOP_S, one_line=True),
    "freeze": Kind(freeze, codes=(0,)),
}
# Where all of the run is in a container, whose processes are not the engine's client's children.
# 137 is what the client makes of SIGKILL.
IN_CONTAINER = {
    "container": Kind(kill_container, codes=(137,)),
    "pause": KINDS["freeze"],
}
