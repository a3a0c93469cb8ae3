"""Leaves things for the next candidate, or one that runs at the same time, and looks for them."""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import sys
import tempfile
import time
import types
from pathlib import Path

_SHARED = "/dev/shm"
_WAIT_S = 0.3
_ROUNDS = 300  # of the one that stays: some seconds, should nobody end it


class GotThrough(Exception):
    """What nothing has stopped."""


class Here(Exception):
    """Not an attack: tells where this candidate's box is."""


def where() -> str:
    """Tell the box's path in the only way that crosses: as what was raised."""
    raise Here(f"<{Path.cwd()}>")


def plant(token: str) -> str:
    """Leave files, shared memory, a changed interpreter and a process that leaves more files."""
    Path(token).write_text("planted")  # in its own box: this must work
    for folder in _folders():
        with contextlib.suppress(OSError):
            Path(folder, token).write_text("planted")
    for name in ("sitecustomize.py", "random.py"):
        Path(name).write_text(f"import sys; sys.modules[{token!r}] = sys")
    sys.modules[token] = types.ModuleType(token)
    os.environ[token] = "planted"
    setattr(builtins, token, "planted")
    setattr(json, token, "planted")
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(_ROUNDS):
                for folder in _folders():
                    with contextlib.suppress(OSError):
                        Path(folder, f"{token}{number}").write_text("still here")
                time.sleep(0.02)
        os._exit(0)
    return "held"


def look(token: str) -> str:
    """Look for what was left."""
    time.sleep(_WAIT_S)  # one that has stayed has the time to show itself
    # By name: not every folder that can be written to can be listed.
    names = (token, *(f"{token}{number}" for number in range(_ROUNDS)))
    found = [
        f"a file in {folder}"
        for folder in sorted(_folders())
        if sum(_taken_away(f"{folder}/{name}") for name in names)
    ]
    planted = ("sitecustomize.py", "random.py")
    found += [f"{name} in its box" for name in planted if _taken_away(name)]
    for what, holder in (("module", sys.modules), ("environment variable", os.environ)):
        found += [f"a {what}"] if token in holder else []
    for module in (builtins, json):
        found += [f"a changed module {module.__name__}"] if hasattr(module, token) else []
    if found:
        raise GotThrough(f"finds of the one before it: {', '.join(found)}")
    return "held"


def hold(token: str, seconds: float) -> str:
    """Have files of its own for a while."""
    Path(token).write_text("private")
    with contextlib.suppress(OSError):
        Path(_SHARED, token).write_text("private")
    time.sleep(seconds)
    _taken_away(f"{_SHARED}/{token}")
    return "held"


def offer(token: str, seconds: float) -> str:
    """Put out a file for whoever runs at the same time."""
    for folder in _folders():
        with contextlib.suppress(OSError):
            path = Path(folder, token)
            path.write_text("for you")
            path.chmod(0o666)
    time.sleep(seconds)
    for folder in _folders():
        _taken_away(f"{folder}/{token}")
    return "held"


def reach(token: str, box: str, seconds: float) -> str:
    """Reach for files of that name in ``box``, shared memory and other processes' folders."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        folders = [box, _SHARED]
        for process in filter(str.isdigit, _listed("/proc")):
            folders += [f"/proc/{process}/{name}" for name in ("cwd", f"root{box}")]
        for folder in folders:
            try:
                os.close(os.open(f"{folder}/{token}", os.O_RDONLY))
            except OSError:
                continue
            raise GotThrough(f"opens a file of another candidate in {folder}")
        time.sleep(0.02)
    return "held"


def _folders() -> set[str]:
    return {str(Path.cwd()), _SHARED, tempfile.gettempdir(), "/tmp"}


def _listed(folder: str) -> list[str]:
    try:
        return [each.name for each in Path(folder).iterdir()]
    except OSError:
        return []


def _taken_away(path: str) -> bool:
    """Whether there was such a file. Where nothing else clears up, this does."""
    there = os.path.lexists(path)
    if there:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return there
