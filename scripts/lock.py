"""Write requirements/cuda.lock: every package of the CUDA set with its hashes (needs `uv`).

    python3 scripts/lock.py            # resolve again, after a change of the pins
    python3 scripts/lock.py --check    # only tell whether the lock is what the pins resolve to

Resolved for Linux on x86-64 and every Python from 3.11 on, from PyPI. `scripts/install.py --set
cuda` installs from it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
LOCK = REQUIREMENTS / "cuda.lock"
HEADER = "# Made by scripts/lock.py; do not edit. The CUDA set with all that it depends on.\n"


def resolve(out: Path) -> None:
    """Write the lock to ``out``; what it holds already is kept where the pins allow it."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("lock: uv not found; `pip install uv` brings it.")
    with tempfile.TemporaryDirectory() as folder:
        # uv takes the platforms of a universal resolution from a project's file only.
        platforms = "[tool.uv]\nenvironments = [\"sys_platform == 'linux' and "
        platforms += "platform_machine == 'x86_64'\"]\n"
        (Path(folder) / "pyproject.toml").write_text(platforms, encoding="utf-8")
        files = [str(REQUIREMENTS / name) for name in ("base.txt", "train.txt", "unsloth.txt")]
        command = [
            uv, "pip", "compile", *files, "--output-file", str(out), "--universal",
            "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate",
            "--quiet",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, check=False)
    if done.returncode != 0:
        sys.exit("lock: the pins do not resolve; uv's message stands above.")
    out.write_text(HEADER + out.read_text(encoding="utf-8"), encoding="utf-8")


def main() -> None:
    """Parse the command line and resolve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if stale")
    options = parser.parse_args()
    if not options.check:
        resolve(LOCK)
        return
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / LOCK.name
        shutil.copy(LOCK, fresh)
        resolve(fresh)
        # The header that was copied in is in the output once more, or not at all.
        if _pins(fresh) != _pins(LOCK):
            sys.exit("lock: requirements/cuda.lock is stale; run scripts/lock.py")


def _pins(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


if __name__ == "__main__":
    main()
