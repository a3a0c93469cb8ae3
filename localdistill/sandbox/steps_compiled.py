"""The compiled steps of a warm parent: ``spawner.c`` through ctypes."""

from __future__ import annotations

import ctypes
import os
from typing import cast

from localdistill.sandbox.place import SHARED_MEMORY, Place
from localdistill.sandbox.steps import Run

_FOLDER = os.path.dirname(os.path.realpath(__file__))
SOURCE, LIBRARY = f"{_FOLDER}/spawner.c", f"{_FOLDER}/_spawner.so"
_FAILED = 4
_DIGITS = 8


class _Spawner(ctypes.Structure):
    """As in spawner.c."""

    _fields_ = (
        ("box", ctypes.c_char_p),
        ("shared", ctypes.c_char_p),
        ("uid", ctypes.c_int64),
        ("control", ctypes.c_int32),
        ("ruleset", ctypes.c_int32),
        ("namespaces", ctypes.c_int32),
        ("bounded", ctypes.c_int32),
        ("candidates", ctypes.c_int32),
        ("used_before", ctypes.c_uint64 * 2),
        ("channel", ctypes.c_int32),
        ("child", ctypes.c_int32),
        ("pidfd", ctypes.c_int32),
        ("memory_bytes", ctypes.c_uint64),
        ("cpu_s", ctypes.c_uint32),
        ("sampled", ctypes.c_uint32),
        ("status", ctypes.c_int32),
        ("killed", ctypes.c_int32),
        ("used_s", ctypes.c_double),
        ("error", ctypes.c_int32),
    )


class CompiledSteps:
    """See ``steps.Steps``."""

    def __init__(
        self,
        library: ctypes.PyDLL,
        place: Place,
        control: int,
        ruleset: int,
        *,
        candidates: bool = False,
    ) -> None:
        self._run = _Spawner(
            box=place.box.encode(),
            shared=SHARED_MEMORY.encode(),
            uid=-1 if place.uid is None else place.uid,
            control=control,
            ruleset=ruleset,
            namespaces=place.namespaces,
            bounded=place.bounded,
            candidates=candidates,
        )
        self._serve, self._end = library.ld_serve, library.ld_end
        self._at = ctypes.byref(self._run)

    @property
    def run(self) -> Run:
        """See ``steps.Steps``."""
        return cast(Run, self._run)

    def serve(self) -> int:
        """See ``steps.Steps``."""
        return self._checked(self._serve(self._at))

    def end(self) -> None:
        """See ``steps.Steps``."""
        self._checked(self._end(self._at))

    def _checked(self, answer: int) -> int:
        if answer == _FAILED:
            raise OSError(self._run.error, f"spawner: {os.strerror(self._run.error)}")
        return answer

    def used_before(self) -> list[int]:
        """See ``steps.Steps``."""
        return [] if self._run.bounded else list(self._run.used_before)


def load() -> ctypes.PyDLL | None:
    """The library; None where it is not there or does not fit this machine."""
    if not os.path.exists(LIBRARY):
        return None
    try:
        return ctypes.PyDLL(LIBRARY)  # keeps the interpreter's lock: there is one thread
    except OSError:  # for another machine, or of another C library
        return None


def are_current() -> bool:
    """Whether the library was made from the source that is here. For the pit to ask."""
    import zlib
    from pathlib import Path

    library = load()
    if library is None:
        return False
    digest = f"{zlib.crc32(Path(SOURCE).read_bytes()):0{_DIGITS}x}"
    try:
        made_from = bytes((ctypes.c_char * _DIGITS).in_dll(library, "ld_source"))
    except ValueError:
        return False
    return made_from == digest.encode()
