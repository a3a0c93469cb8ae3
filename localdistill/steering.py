"""What signals and keys do to a command at work: stop it in order, stop it at once, pause it."""

from __future__ import annotations

import os
import signal
from types import FrameType

from localdistill.stages.running import RUNNING

# Of the ten seconds that Docker gives, the rest is for closing files and telling of the end.
_WITHIN_S = 6.0


def install() -> None:
    """Take SIGINT, SIGTERM and SIGHUP, but for those that whoever started us has had ignored.

    The first lets the stage at work come to the end of its unit of work, for six seconds at most;
    the second, or one between stages, ends all at once. Both are safe.
    """
    RUNNING.reset()
    signal.signal(signal.SIGTERM, _on_signal)
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if RUNNING.at_work and not RUNNING.stopping:
        RUNNING.stop(_WITHIN_S)
        return
    RUNNING.kill()
    raise KeyboardInterrupt


def on_key(key: str) -> None:
    """q stops, without a time limit; q again stops at once; p pauses and goes on."""
    if key in "qQ":
        if RUNNING.at_work and not RUNNING.stopping:
            RUNNING.stop()
        else:  # it is the main thread that has to be interrupted
            os.kill(os.getpid(), signal.SIGTERM)
    elif key in "pP":
        RUNNING.pause(not RUNNING.paused)
