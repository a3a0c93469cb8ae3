"""Compile the parts of localdistill that are written in C (standard library and a C compiler only).

    python3 scripts/compile_c.py localdistill/sandbox/spawner.c localdistill/backends/draw.c

Everything works without them, and takes longer. Returns at once where they have been compiled from
the sources that are there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

SOURCES = ("localdistill/sandbox/spawner.c", "localdistill/backends/draw.c")
# draw.c is loops over a vocabulary: to be vectorised, with the same result on every processor.
FLAGS = {
    "spawner.c": ["-O2"],
    "draw.c": ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
}


def compile_c(source: Path) -> bool:
    """Make ``_NAME.so`` beside ``NAME.c``; False where there is no compiler.

    Raises:
        subprocess.CalledProcessError: it does not compile.
    """
    # By this its user sees whether what was compiled is the source that is there.
    digest = f"{zlib.crc32(source.read_bytes()):08x}"
    made = source.with_name(f"_{source.stem}.so")
    # A name that .gitignore and .dockerignore leave out too: an image may be built meanwhile.
    partial = source.with_name(f"_{source.stem}.{os.getpid()}.so")
    if made.exists() and digest.encode() in made.read_bytes():
        return True
    compilers = filter(None, (os.environ.get("CC"), "cc", "gcc", "clang"))
    found = next(filter(shutil.which, compilers), None)
    if found is None:
        return False
    flags = ["-Wall", "-Wextra", "-shared", "-fPIC", f'-DLD_SOURCE="{digest}"']
    command = [found, *FLAGS[source.name], *flags, "-o", partial, source, "-lm"]
    subprocess.run(command, check=True)
    partial.replace(made)  # whoever has the old one loaded keeps it
    return True


if __name__ == "__main__":
    if not all([compile_c(Path(source)) for source in sys.argv[1:]]):
        sys.exit("compile_c: no C compiler found (cc, gcc or clang)")
