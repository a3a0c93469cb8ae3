"""The warm parent of a slot: preloaded, forks one confined child after the other, and ends it.

It never sees a program, an argument or a test: what a child works on comes to the child over a
channel that the pit hands through here. So there is nothing in its memory that a child could
inherit. Between two children nothing is left of the first: no process, no file, no shared memory.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import time
from collections.abc import Callable

from localdistill.sandbox import kernel, steps, steps_compiled
from localdistill.sandbox.confine import prepare
from localdistill.sandbox.place import Place, enter, wipe
from localdistill.sandbox.sampling import Sampler, become_watcher
from localdistill.sandbox.steps_plain import PlainSteps, nobody_left

_SAMPLE_EVERY_MS = 20


class WarmParent:
    """Serves START and KILL on ``control``, a socket's descriptor, until it is closed."""

    def __init__(
        self,
        place: Place,
        control: int,
        body: Callable[[int], None],
        *,
        compiled: bool,
        candidates: bool,
    ) -> None:
        self._place = place
        self._control = control
        self._body = body  # what runs in a child, given its channel
        self._candidates = candidates  # its children are candidates, and no tests
        # Loaded now: the way to it may be shut later.
        self._compiled = steps_compiled.load() if compiled else None

    def serve(self) -> None:
        """Prepare, say READY, and work until the pit is gone."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        enter(self._place)
        # A run that was killed together with its pit may have left something.
        self._kill_all()
        self._clear()
        at = self._steps(prepare(self._place))
        run = at.run
        gc.collect()
        gc.freeze()  # children then do not copy the pages of what is loaded by collecting garbage
        os.write(self._control, steps.READY)
        while (answer := at.serve()) != steps.GONE:
            if answer == steps.CHILD:
                try:
                    self._body(run.channel)
                finally:
                    os._exit(71)
            if answer == steps.LOOK:
                why = self._look(run, at.used_before())
                at.end()
            else:
                why = "killed" if run.killed else "exit"
            self._clear()
            with contextlib.suppress(ConnectionError):  # the pit is gone: clear, then go
                os.write(self._control, steps.report(run.status, run.used_s, why))

    def _steps(self, ruleset: int) -> steps.Steps:
        if self._compiled is None or self._place.by_descent:
            return PlainSteps(self._place, self._control, ruleset, candidates=self._candidates)
        return steps_compiled.CompiledSteps(
            self._compiled, self._place, self._control, ruleset, candidates=self._candidates
        )

    def _look(self, run: steps.Run, used_before: list[int]) -> str:
        """Look at a run again and again until it ends or must end; returns why."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(run.pidfd, select.POLLIN)
        sampler = Sampler(self._place, used_before)
        sampler.let_go()
        while True:
            if sampler.files_overflow():
                return "disk"
            if sampler.memory(run.memory_bytes) > run.memory_bytes:
                return "memory"
            ready = dict(poll.poll(_SAMPLE_EVERY_MS))
            if run.pidfd in ready:
                return "exit"
            if ready:
                with contextlib.suppress(ConnectionError):
                    os.read(self._control, 64)  # KILL, or nothing: the pit is gone
                return "killed"

    def _clear(self) -> None:
        """Leave no process and no file of the slot."""
        while not nobody_left():
            self._kill_all()
        wipe(self._place)

    def _kill_all(self) -> None:
        if self._place.namespaces:
            # As process 1 of the slot's namespace: everything in it but ourselves.
            if os.getpid() != 1:  # anywhere else this would end every process of the machine
                raise RuntimeError("a warm parent is not process 1 of its namespace")
            _kill_every_process()
        else:
            killer = os.fork()
            if killer == 0:
                become_watcher(self._place)
                _kill_every_process()
                os._exit(0)
            os.waitpid(killer, 0)
        time.sleep(0.0005)


def _kill_every_process() -> None:
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise
