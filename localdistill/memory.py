"""How much memory this process could still get, and the refusal of a model that needs more.

The least of what the machine has free, what its control groups leave (a container's limit is one)
and what the process's own limits leave. Caches that the kernel gives up on demand count as free.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from localdistill.errors import MemoryShortage

_CGROUPS = Path("/sys/fs/cgroup")
_PROCESS = Path("/proc/self")
# Device files of a GPU's driver: NVIDIA's on Linux, on WSL2, AMD's.
_GPUS = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))

# As PyTorch, llama.cpp and the C++ library say it, in lower case.
_SHORT = (
    "can't allocate memory", "cannot allocate memory", "unable to allocate", "failed to allocate",
    "out of memory", "could not allocate", "not enough memory", "insufficient memory", "bad_alloc",
    "failed to reserve memory", "could not reserve space",
)  # fmt: skip


def total_bytes() -> int:
    """Bytes that there are: of the machine, or of a control group above this process."""
    limits = cgroup_limits(_CGROUPS, _PROCESS / "cgroup")
    return min(psutil.virtual_memory().total, *limits, 1 << 62)


def available_bytes() -> int:
    """Bytes that this process could take now."""
    left = [psutil.virtual_memory().available, *cgroup_rooms(_CGROUPS, _PROCESS / "cgroup")]
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        left.append(limit - psutil.Process().memory_info().vms)
    return max(0, min(left))


def cgroup_rooms(root: Path, membership: Path) -> Iterator[int]:
    """What each memory-limited control group above this process leaves, in bytes.

    ``root`` is where the groups are mounted, ``membership`` is ``/proc/PID/cgroup``. Both versions
    are read; formats: cgroups(7), Documentation/admin-guide/cgroup-v2.rst and
    cgroup-v1/memory.rst of the kernel. In a container the group's own path may not be visible: its
    limit then stands at the root of the mount.
    """
    for group, limit, usage, prefix in _groups(root, membership):
        room = _room(group, limit, usage, prefix)
        if room is not None:
            yield room


def cgroup_limits(root: Path, membership: Path) -> Iterator[int]:
    """The limit in bytes of each memory-limited control group above this process."""
    for group, limit, _, _ in _groups(root, membership):
        with contextlib.suppress(OSError, ValueError):  # "max": no limit
            yield int((group / limit).read_text())


def _groups(root: Path, membership: Path) -> Iterator[tuple[Path, str, str, str]]:
    """Each group's folder, with the names of its limit, its use, and a prefix of its figures."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount, names = root, ("memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            mount = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            continue
        group = mount / path.lstrip("/")
        while group.is_relative_to(mount):
            yield (group, *names)
            group = group.parent


def _room(group: Path, limit: str, usage: str, prefix: str) -> int | None:
    """Limit minus use of one group; None where it has no limit (or is not there)."""
    try:
        most, used = (int((group / name).read_text()) for name in (limit, usage))
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # "max": no limit
        return None
    caches = (int(stat.get(f"{prefix}{name}_file", 0)) for name in ("active", "inactive"))
    return most - used + sum(caches)


def has_gpu() -> bool:
    """Whether a GPU may take a model, so that this machine's own memory says nothing."""
    return any(path.exists() for path in _GPUS)


def is_short(text: str) -> bool:
    """Whether ``text``, an error or a log of PyTorch or llama.cpp, says that memory ran out."""
    said = text.lower()
    return any(words in said for words in _SHORT)


def require(
    needed: int, what: object, fix: str, available: Callable[[], int] = available_bytes
) -> None:
    """Refuse what cannot fit, before it is loaded.

    ``needed`` is a lower bound in bytes: nothing that would fit may be refused.

    Raises:
        MemoryShortage: less than ``needed`` is free; ``fix`` ends the message.
    """
    free = available()
    if needed > free:
        text = f"{what}: needs at least {size(needed)} of memory and {size(free)} are free"
        raise MemoryShortage(f"{text}. {fix}")


def size(count: int) -> str:
    """``count`` bytes for people, in decimal units."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
