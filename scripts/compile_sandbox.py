"""Compile the part of the sandbox that is written in C (standard library and a C compiler only).

    python3 scripts/compile_sandbox.py localdistill/sandbox

The sandbox works without it, and then takes longer for each candidate. Returns at once where it
has been compiled from the source that is there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

NAME, MADE = "spawner.c", "_spawner.so"


def compile_in(folder: Path) -> bool:
    """Make ``_spawner.so`` beside ``spawner.c``; False where there is no compiler.

    Raises:
        subprocess.CalledProcessError: it does not compile.
    """
    # By this the sandbox sees whether what was compiled is the source that is there.
    digest = f"{zlib.crc32((folder / NAME).read_bytes()):08x}"
    made, partial = folder / MADE, folder / f"{MADE}.{os.getpid()}"
    if made.exists() and digest.encode() in made.read_bytes():
        return True
    compilers = filter(None, (os.environ.get("CC"), "cc", "gcc", "clang"))
    found = next(filter(shutil.which, compilers), None)
    if found is None:
        return False
    flags = ["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", f'-DLD_SOURCE="{digest}"']
    subprocess.run([found, *flags, "-o", partial, folder / NAME], check=True)
    partial.replace(made)  # a running sandbox keeps the old one
    return True


if __name__ == "__main__":
    if not compile_in(Path(sys.argv[1])):
        sys.exit("compile_sandbox: no C compiler found (cc, gcc or clang)")
