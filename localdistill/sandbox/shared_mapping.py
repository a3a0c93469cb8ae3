"""``mmap.mmap(-1, length)`` for candidates, which the kernel is told to refuse them.

The pages of an anonymous shared mapping are memory that no limit sees (see ``seccomp``). Those of a
file in the box are bounded as the box is, and are as good to a program.
"""

from __future__ import annotations

from typing import Any


def provide() -> None:
    """Put it into the place of Python's own, in this process."""
    # In here, since each library that a warm parent maps makes every fork slower.
    import mmap
    import tempfile

    class Mapping(mmap.mmap):
        def __new__(cls, fileno: int, length: int, *rest: Any, **named: Any) -> Mapping:
            flags = rest[0] if rest else named.get("flags", mmap.MAP_SHARED)
            if fileno != -1 or not flags & mmap.MAP_SHARED:
                return super().__new__(cls, fileno, length, *rest, **named)
            if rest:
                rest = (flags & ~mmap.MAP_ANONYMOUS, *rest[1:])
            elif "flags" in named:
                named["flags"] = flags & ~mmap.MAP_ANONYMOUS
            with tempfile.TemporaryFile() as file:
                file.truncate(length)
                return super().__new__(cls, file.fileno(), length, *rest, **named)

    Mapping.__name__ = Mapping.__qualname__ = "mmap"
    mmap.mmap = Mapping  # type: ignore[misc]
