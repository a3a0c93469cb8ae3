"""Reaches for other processes: to end them, and to read and change their memory."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import time

_PTRACE, _READV, _WRITEV, _KCMP = 101, 310, 311, 312
_SEIZE = 0x4206  # attaches, and does not stop whom it gets hold of
_FIRST_NUMBERS = 4096  # process ids that are tried, where no list tells which there are


class GotThrough(Exception):
    """What nothing has stopped."""


def kill(victim: int, others: list[int], other_user: bool) -> str:
    """End process ``victim`` of the tool, ``others``, whatever else there is, and the supervisor.

    Each is asked for the right first, since it may be the whole machine that is reached: only where
    no process is, the one call that ends all of them is made in earnest.
    """
    done = []
    numbers = {*range(2, _FIRST_NUMBERS), *others, victim} - {os.getpid(), os.getppid(), 1}
    reached = [number for number in numbers if _sent(number, 0)]
    if reached:
        done.append(f"may end {len(reached)} processes, such as {min(reached)}")
    else:
        _sent(-1, signal.SIGKILL)  # says that it was done even where all have refused it
    if victim > 1 and _sent(victim, signal.SIGKILL):
        done.append("kills a process of the tool's")
    parent = os.getppid()
    if other_user and parent > 1 and _sent(parent, 0):
        done.append("may signal its supervisor")
    if parent == 1 and _sent(1, signal.SIGKILL):
        time.sleep(0.1)  # the first process of a namespace takes no notice; else this is our end
    if os.getppid() != parent:
        done.append("has ended its supervisor")
    if done:
        raise GotThrough("; ".join(done))
    return "held"


def trace(processes: list[int]) -> str:
    """Get into the memory and the descriptors of ``processes`` and of the supervisor.

    What is written goes to an address where nothing is: that it is looked up shows the right to.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(8)
    here = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
    there = (ctypes.c_void_p * 2)(id(None), 8)  # the same address in whoever forked this process
    nowhere = (ctypes.c_void_p * 2)(16, 8)
    done = []
    for process in {os.getppid(), 1, *processes}:
        calls = {
            "attaches to": (_PTRACE, _SEIZE, process, 0, 0),
            "reads the memory of": (_READV, process, here, 1, there, 1, 0),
            "writes the memory of": (_WRITEV, process, here, 1, nowhere, 1, 0),
            "compares itself with": (_KCMP, process, os.getpid(), 0, 0, 0),
        }
        for what, (number, *arguments) in calls.items():
            if libc.syscall(number, *arguments) >= 0 or ctypes.get_errno() == errno.EFAULT:
                done.append(f"{what} process {process}")
        for name in ("mem", "maps", "environ", "root", "fd"):
            try:
                os.close(os.open(f"/proc/{process}/{name}", os.O_RDONLY))
                done.append(f"opens {name} of process {process}")
            except OSError:
                pass
    if done:
        raise GotThrough("; ".join(done))
    return "held"


def _sent(process: int, number: int) -> bool:
    try:
        os.kill(process, number)
    except OSError:
        return False
    return True
