"""Docker and Podman: whether they are there, and how a slot's container is started and removed.

Sources: docker-run(1) and podman-run(1) of Docker 20.10 and Podman 4.3, whose options are meant
here; tmpfs(5) for ``size`` and ``nr_inodes``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.sandbox.confine import PROCESSES
from localdistill.sandbox.place import BOX_BYTES, BOX_FILES, SHARED_MEMORY
from localdistill.sandbox.task import MAX_MEMORY_BYTES

ENGINES = ("docker", "podman")
IMAGE_VARIABLE, DEFAULT_IMAGE = "LOCALDISTILL_PIT_IMAGE", "localdistill-pit"
BOOT = "/opt/localdistill/sandbox/boot.py"  # in the image, see the target ``pit`` of the Dockerfile

WAY_IN_NAME = "socket"
_WAY_IN = "/run/localdistill"
_LABEL = "localdistill.owner"
_ASK_S, _REMOVE_S = 20.0, 30.0
# The slot's own first process, its warm parents and what looks after candidates.
_OWN_PROCESSES = 32
_PROCESSES_OF_ALL = 4096  # that a rootless user may have besides
_OWN_BYTES = 512 << 20
_SHARE = 0.8  # of the machine's memory, for all candidates together
_LEAST_BYTES = 1 << 30  # the default limit of a problem
JUDGE_BYTES = (2 << 30) + _OWN_BYTES

_serial = itertools.count(1)


class NoEngine(Exception):
    """An engine that cannot be used, and why: a sentence for a person.

    ``worth_a_note`` is False where it is not installed at all.
    """

    def __init__(self, reason: str, *, worth_a_note: bool = True) -> None:
        super().__init__(reason)
        self.worth_a_note = worth_a_note


@dataclass(frozen=True)
class Box:
    """What one container is given."""

    uid: int
    number: int  # of the worker: its processes keep to one processor
    memory_bytes: int


@dataclass(frozen=True)
class Engine:
    """An engine that answers and has the image."""

    command: str  # docker or podman
    rootless: bool
    image: str  # its id, so that nothing is ever pulled
    bounds_memory: bool
    bounds_processes: bool

    @property
    def bounds_files(self) -> bool:
        """Whether it takes a limit on the number of files. Podman 4 refuses the option."""
        return self.command == "docker"

    def run_command(self, name: str, box: Box, way_in: str | None) -> list[str]:
        """The command line of one slot's container.

        ``way_in`` is a folder of this machine with a socket in it, for the direct way to the pit.
        """
        inodes = f",nr_inodes={BOX_FILES}" if self.bounds_files else ""
        files = f"rw,nosuid,nodev,size={BOX_BYTES}{inodes},mode=1777"
        options = [
            "--rm", "--interactive", f"--name={name}", "--hostname=pit",
            f"--label={_LABEL}={owner()}",
            "--network=none", "--ipc=none", "--read-only",
            "--cap-drop=ALL", "--cap-add=SETUID", "--cap-add=SETGID",
            "--security-opt=no-new-privileges", "--ulimit=nofile=1024:1024", "--ulimit=core=0:0",
            f"--tmpfs=/box:{files},exec", f"--tmpfs={SHARED_MEMORY}:{files},noexec",
            "--log-driver=none", "--workdir=/", "--user=0:0", "--entrypoint=python3",
        ]  # fmt: skip
        if self.bounds_processes:
            options.append(f"--pids-limit={PROCESSES + _OWN_PROCESSES}")
        if self.bounds_memory:
            options += [f"--memory={box.memory_bytes}", f"--memory-swap={box.memory_bytes}"]
        if self.command == "podman":
            # Without its default, which it may not have the right to set.
            hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
            most = _PROCESSES_OF_ALL if hard < 0 else min(hard, _PROCESSES_OF_ALL)
            options += ["--http-proxy=false", f"--ulimit=nproc={most}:{most}"]
        order: dict[str, Any] = {
            "box": f"/box/{box.uid}",
            "uid": box.uid,
            "number": box.number,
            "bounded": self.bounds_files,
        }
        if way_in is not None:
            options.append(f"--mount=type=bind,source={way_in},target={_WAY_IN},readonly")
            order["direct"] = f"{_WAY_IN}/{WAY_IN_NAME}"
        return [
            *(self.command, "run", *options, self.image),
            *("-I", "-S", "-B", BOOT, "--slot", json.dumps(order)),
        ]

    def remove(self, *containers: str) -> None:
        """Remove containers by name or id, whatever they are doing."""
        if containers:
            with contextlib.suppress(NoEngine):
                _ask([self.command, "rm", "--force", *containers], _REMOVE_S)

    def remove_leftovers(self) -> None:
        """Remove containers of runs that were killed on this machine and are gone."""
        form = "{{.ID}} {{.Label " + json.dumps(_LABEL) + "}}"
        if self.command == "podman":
            form = "{{.ID}} {{index .Labels " + json.dumps(_LABEL) + "}}"
        listing = [self.command, "ps", "--all", f"--filter=label={_LABEL}", f"--format={form}"]
        try:
            lines = _ask(listing, _ASK_S).splitlines()
        except NoEngine:
            return
        left = [line.split() for line in lines]
        self.remove(*(pair[0] for pair in left if len(pair) == 2 and is_gone(pair[1])))


def find_engine(command: str) -> Engine:
    """Ask an engine whether it is there and has the image.

    Raises:
        NoEngine
    """
    if shutil.which(command) is None:
        raise NoEngine(f"{command} is not installed", worth_a_note=False)
    info: dict[str, Any] = json.loads(_ask([command, "info", "--format={{json .}}"], _ASK_S))
    if errors := info.get("ServerErrors"):
        raise NoEngine(f"{command} does not answer ({' '.join(str(errors[0]).split())})")
    return Engine(command, image=_find_image(command), **_abilities(command, info))


def image_name() -> str:
    """The name of the image that containers are started from."""
    return os.environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE


def memory_for(workers: int) -> int:
    """Bytes that the container of one of ``workers`` candidates may use.

    A backstop for the machine: what a candidate may use is bounded below it, by sampling.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    share = int(machine * _SHARE) // workers
    return min(max(share, _LEAST_BYTES), MAX_MEMORY_BYTES) + _OWN_BYTES


def new_name(role: str) -> str:
    """A name for a container that no other on this machine has."""
    return f"localdistill-{role}-{os.getpid()}-{next(_serial)}-{os.urandom(3).hex()}"


def owner() -> str:
    """This process, as a label: host, boot, process id and when it was started."""
    return f"{_machine()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(label: str) -> bool:
    """Whether a label names a process of this machine that has ended. False where in doubt."""
    machine, _, process = label.partition(":")
    number, _, started = process.partition(":")
    return machine == _machine() and number.isdigit() and _started(int(number)) != started


def _machine() -> str:
    # A container has a process id space of its own, and a host name of its own.
    return f"{socket.gethostname()}/{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"


def _started(pid: int) -> str:
    """When a process was started, in clock ticks after the boot; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _find_image(command: str) -> str:
    name = image_name()
    try:
        return _ask([command, "image", "inspect", "--format={{.Id}}", name], _ASK_S).strip()
    except NoEngine:
        build = f"{command} build --target pit -t {name} ."
        raise NoEngine(
            f"{command} has no image {name}: build it in the source folder with `{build}`"
        ) from None


def _abilities(command: str, info: dict[str, Any]) -> dict[str, bool]:
    if command == "docker":
        return {
            "rootless": any("rootless" in str(each) for each in info.get("SecurityOptions") or ()),
            "bounds_memory": bool(info.get("MemoryLimit")),
            "bounds_processes": bool(info.get("PidsLimit")),
        }
    host = info.get("host", {})
    rootless = bool(host.get("security", {}).get("rootless"))
    controllers = host.get("cgroupControllers") or ()
    # Root has all of them; a user those that were handed down, and none in the old hierarchy.
    return {
        "rootless": rootless,
        "bounds_memory": not rootless or "memory" in controllers,
        "bounds_processes": not rootless or "pids" in controllers,
    }


def _ask(command: list[str], limit_s: float) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise NoEngine(f"{command[0]} does not answer") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise NoEngine(
            f"{command[0]} does not answer ({lines[-1] if lines else 'no reason given'})"
        )
    return done.stdout
