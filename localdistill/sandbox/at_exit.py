"""What Python does when a program has come to its end, without the time that it takes to exit.

A child of a warm parent ends by ``os._exit``: to take down an interpreter takes longer than most
programs run.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import sys
from typing import Any

_WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)  # the outer ones first
# One of these is in the text of a program that opens its output by itself, or ends by a finaliser.
_OPENS = ("open", "FileIO", "Buffered", "TextIO")
_FINALISES = "__del__"


def finish(source: str) -> bool:
    """Do what is left to do, and let go of the module ``__main__``; False where it did not work.

    Nobody else may hold the module by then, or its finalisers do not run.
    """
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()  # waits for those that are no daemons
        atexit._run_exitfuncs()
        if _FINALISES in source:
            sys.modules.pop("__main__", None)
            gc.collect()
        if not _is_closed(sys.stdout):
            sys.stdout.flush()
    except BaseException:
        return False
    with contextlib.suppress(BaseException):  # as with an object that is finalised: no matter
        if not _is_closed(sys.__stdout__):
            sys.__stdout__.flush()  # type: ignore[union-attr]
    if any(word in source for word in _OPENS):
        _flush_all()
    return True


def _is_closed(stream: Any) -> bool:
    return stream is None or bool(getattr(stream, "closed", False))


def _flush_all() -> None:
    found = [each for each in gc.get_objects() if type(each) in _WRITERS]
    for kind in _WRITERS:
        for each in found:
            with contextlib.suppress(Exception):  # closed, or not for writing
                if type(each) is kind and each.writable():
                    each.flush()
