"""Reaches for files of the machine, and for secrets that lie in them or in the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_SECRETS = (
    ".ssh/id_rsa", ".ssh/id_ed25519", ".aws/credentials", ".netrc", ".docker/config.json",
    ".git-credentials", ".cache/huggingface/token", ".bash_history",
)  # fmt: skip


class GotThrough(Exception):
    """What nothing has stopped."""


def attack(secret: str, writable: str, tool: str) -> str:
    """Read ``secret`` and the file ``tool``, write to folder ``writable``; leave links to both."""
    box = Path.cwd()
    attempts: dict[str, Callable[[], object]] = {
        "reads a file of this machine": Path(secret).read_bytes,
        "lists a folder of this machine": lambda: list(Path(secret).parent.iterdir()),
        "reads the tool's own source": Path(tool).read_bytes,
        "changes a file of this machine": lambda: Path(secret).open("ab").close(),
        "writes to a folder of this machine": Path(writable, "planted").touch,
        "reads through a link": lambda: _linked(box / "a-link", secret).read_bytes(),
        "writes through a link": lambda: _write_below(_linked(box / "b-link", writable)),
        "makes a hard link": lambda: os.link(secret, box / "c-link"),
    }
    _report(attempts)
    return "held"


def secrets(home: str, variable: str) -> str:
    """Look for keys and tokens below ``home``, and for the environment of whoever started this."""
    attempts: dict[str, Callable[[], object]] = {
        f"lists {home}": lambda: _list_other(home),
        "lists /root": lambda: _list_other("/root"),
        "reads /run/secrets": lambda: list(Path("/run/secrets").iterdir()),
    }
    for name in _SECRETS:
        attempts[f"reads {name}"] = Path(home, name).read_bytes
    for process in ("self", "1", str(os.getppid())):
        attempts[f"reads the environment of process {process}"] = Path(
            f"/proc/{process}/environ"
        ).read_bytes
    if variable in os.environ:
        raise GotThrough("the environment of the tool is its own")
    _report(attempts)
    return "held"


def _linked(link: Path, target: str) -> Path:
    link.symlink_to(target)
    return link


def _write_below(folder: Path) -> None:
    (folder / "planted").touch()


def _list_other(folder: str) -> None:
    """A home that is no more than a candidate's own box is no secret."""
    if Path.cwd().is_relative_to(folder):
        raise PermissionError
    list(Path(folder).iterdir())


def _report(attempts: dict[str, Callable[[], object]]) -> None:
    done = []
    for what, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        done.append(what)
    if done:
        raise GotThrough("; ".join(done))
