"""A Python for tests that other users can reach, root or not, and what it needs to find."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest

REPOSITORY = Path(__file__).parents[2]
NOBODY = 65534


def python_for(user: int) -> list[str]:
    """A command that runs a Python as ``user``: one that other user ids can reach, root or not."""
    nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    own = getattr(sys, "_base_executable", sys.executable)
    for python in filter(None, (own, shutil.which(version, path="/usr/bin"))):
        again = (
            f"import subprocess; subprocess.run([{python!r}, '-c', 'import tempfile'], check=True)"
        )
        reached = subprocess.run([*nobody, python, "-c", again], check=False, capture_output=True)
        if reached.returncode == 0:
            return [*(nobody if user else ["env"]), python]
    pytest.skip(f"no {version} that other users can reach: this mode is NOT tested here")


def environment() -> dict[str, str]:
    packages = Path(pydantic.__file__).parents[1]
    paths = (REPOSITORY, Path(__file__).parent, packages)
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(map(str, paths))}
