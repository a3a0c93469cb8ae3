"""Write requirements/*.lock: every package of a dependency set with its hashes (needs `uv`).

    .venv/bin/python scripts/lock.py            # resolve again, after a change of the pins
    .venv/bin/python scripts/lock.py --check    # only tell whether the locks are what the pins give

Resolved for Linux on x86-64 and every Python from 3.11 on, from PyPI. `scripts/install.py` installs
from them. PyTorch is not in the lock of the CPU set: its CPU build stands on another index, and its
wheel differs from machine to machine that offers one. What that build depends on is in it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

UNREACHABLE = 69  # exit code where there is no index (EX_UNAVAILABLE of sysexits.h)
REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
# In what uv says where it could not ask, of which its exit code tells nothing.
_OF_THE_NETWORK = ("Failed to fetch", "Request failed after", "error sending request")
# What PyTorch's CPU build depends on (its `Requires-Dist`); the general one has the CUDA libraries.
_TORCH_ON_CPU = (
    "filelock", "typing-extensions", "setuptools", "sympy", "networkx", "jinja2", "fsspec",
)  # fmt: skip
_UNSLOTH = "unsloth.txt"


@dataclass(frozen=True)
class Set:
    """One dependency set: its lock, and the files with what was chosen by hand."""

    name: str
    files: tuple[str, ...]
    on_cpu: bool = False

    @property
    def lock(self) -> Path:
        """Where its lock stands."""
        return REQUIREMENTS / f"{self.name}.lock"

    @property
    def header(self) -> str:
        """Its first line."""
        what = f"The {self.name.upper()} set with all that it depends on"
        what += ", but for PyTorch" if self.on_cpu else ""
        return f"# Made by scripts/lock.py; do not edit. {what}.\n"


SETS = (
    Set("cuda", ("base.txt", "train.txt", _UNSLOTH)),
    Set("cpu", ("base.txt", "train.txt"), on_cpu=True),
    Set("audit", ("audit.txt",)),
)


def resolve(each: Set, out: Path) -> None:
    """Write the lock to ``out``; what it holds already is kept where the pins allow it."""
    text = _compile(each.files, out, on_cpu=each.on_cpu)
    if each.on_cpu:  # Unsloth is installed without what it depends on: see docs/decisions/0002
        text += _compile((_UNSLOTH,), out, alone=True)
    out.write_text(each.header + text, encoding="utf-8")


def _compile(
    files: tuple[str, ...], kept: Path, *, on_cpu: bool = False, alone: bool = False
) -> str:
    """What uv resolves ``files`` to."""
    beside = Path(sys.executable).parent
    uv = shutil.which("uv", path=os.pathsep.join((str(beside), os.environ.get("PATH", ""))))
    if uv is None:
        sys.exit("lock: uv not found; `make install` brings it.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # uv takes the platforms of a universal resolution from a project's file only.
        platforms = "[tool.uv]\nenvironments = [\"sys_platform == 'linux' and "
        platforms += "platform_machine == 'x86_64'\"]\n"
        (folder / "pyproject.toml").write_text(platforms, encoding="utf-8")
        sources = [str(REQUIREMENTS / file) for file in files]
        options = []
        if on_cpu:
            (folder / "torch.txt").write_text("\n".join(_TORCH_ON_CPU) + "\n", encoding="utf-8")
            # Nothing may bring it in: an override takes the place of what packages ask for.
            never = "torch ; sys_platform == 'never'\n"
            (folder / "override.txt").write_text(never, encoding="utf-8")
            sources.append(str(folder / "torch.txt"))
            options += ["--override", str(folder / "override.txt")]
        if alone:
            options.append("--no-deps")
        out = folder / "out.lock"
        if kept.exists():
            shutil.copy(kept, out)
        command = [
            uv, "pip", "compile", *sources, "--output-file", str(out), "--universal",
            "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate",
            "--quiet", *options,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, check=False, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.stderr.write(done.stderr)
            if any(words in done.stderr for words in _OF_THE_NETWORK):
                sys.stderr.write("lock: the index cannot be reached; nothing is known.\n")
                sys.exit(UNREACHABLE)
            sys.exit("lock: the pins do not resolve; uv's message stands above.")
        return out.read_text(encoding="utf-8")


def main() -> None:
    """Parse the command line and resolve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if stale")
    options = parser.parse_args()
    for each in SETS:
        if not options.check:
            resolve(each, each.lock)
            continue
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / each.lock.name
            shutil.copy(each.lock, fresh)
            resolve(each, fresh)
            if _pins(fresh) != _pins(each.lock):
                sys.exit(f"lock: requirements/{each.lock.name} is stale; run scripts/lock.py")


def _pins(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


if __name__ == "__main__":
    main()
