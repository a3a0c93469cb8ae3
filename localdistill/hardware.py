"""What this machine is and has."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

import psutil

from localdistill import memory


@dataclass(frozen=True)
class Machine:
    """What it is easy to tell of the machine that this process runs on; memory in bytes."""

    system: str
    kernel: str
    architecture: str
    python: str
    cores: int  # that this process may use
    memory: int
    available: int  # that this process could still get: a container may have less than the machine
    gpu: bool


def this_machine() -> Machine:
    """Look at this machine."""
    return Machine(
        system=platform.system(),
        kernel=platform.release(),
        architecture=platform.machine(),
        python=platform.python_version(),
        cores=len(os.sched_getaffinity(0)),
        memory=int(psutil.virtual_memory().total),
        available=memory.available_bytes(),
        gpu=memory.has_gpu(),
    )
