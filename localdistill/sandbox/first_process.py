"""The first process of the tool's container: root, for what nobody else can do there.

It makes slots for candidates and tests while it has the right to, and starts the tool as the owner
of the folder with the results, without any capability. Then it passes signals on, reaps what has
ended, and starts a *keeper* for each slot that the tool connects to: a process that may change its
user, as the containers of ``compose.yaml`` may, and nothing else. It looks into nothing that comes
from a candidate or a model. Standard library only; see docs/decisions/0010-in-one-container.md.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from localdistill.sandbox import inside, kernel, owner, slot_server

_PASSED_ON = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGCONT, signal.SIGWINCH,
)  # fmt: skip
_TO_CHANGE_USER = (kernel.CAP_SETGID, kernel.CAP_SETUID)
_REST_MS = 200  # between two keepers of one slot, so that one that cannot start starts no storm


def main(command: list[str]) -> NoReturn:
    """Start ``command`` as the owner of the results, and be there for it until it ends.

    Ends with the command's exit code, or 128 and the number of the signal that ended it.
    """
    sys.executable = os.path.realpath(sys.executable)  # the only path that a candidate finds
    if os.geteuid() != 0:  # by --user: there is nothing to give up, and nothing to change to
        owner.execute(command)
    whose = owner.of_results()
    owner.refuse_if_out_of_reach(whose)
    owner.remark(command, whose)
    with contextlib.ExitStack() as stack:
        slots: list[inside.Slot] = []
        if inside.are_wanted():
            try:
                slots = inside.make_slots(stack, whose.uid, whose.gid)
            except OSError as error:  # no such right: the tool says so if it needs a sandbox
                owner.say(f"there will be no sandbox in this container: {error}")
        code = _Init(slots).run(command, whose)
    os._exit(code)


class _Init:
    """Waits for the end of the command, and sees to all that happens before."""

    def __init__(self, slots: list[inside.Slot]) -> None:
        self._slots = {slot.listener.fileno(): slot for slot in slots}
        self._keepers: dict[int, int] = {}  # process -> listener
        self._resting: list[int] = []
        self._command = 0
        self._owner = 0
        self._status: int | None = None

    def run(self, command: list[str], whose: owner.Owner) -> int:
        """Start the command and wait for it; the exit code."""
        self._owner = whose.uid
        woken, wakes = socket.socketpair()
        woken.setblocking(False)
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_BLOCK, (*_PASSED_ON, signal.SIGCHLD))
        for number in _PASSED_ON:
            signal.signal(number, self._pass_on)
        signal.signal(signal.SIGCHLD, lambda number, at: None)  # wakes
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)  # where an engine's --init comes before us
        self._command = os.fork()
        if self._command == 0:
            _start(command, whose)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_PASSED_ON, signal.SIGCHLD))
        with contextlib.suppress(OSError):
            # To start keepers and to pass signals on to another user's process.
            kernel.limit_capabilities((*_TO_CHANGE_USER, kernel.CAP_KILL, *_all_if_they_show()))
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        for listener in self._slots:
            poll.register(listener, select.POLLIN)
        while self._status is None:
            ready = poll.poll(_REST_MS if self._resting else None)
            with contextlib.suppress(BlockingIOError):
                woken.recv(4096)
            died = self._reap()
            if self._resting and not self._end_left_over():
                for listener in self._resting:
                    poll.register(listener, select.POLLIN)
                self._resting = []
            self._resting += died
            for listener, _ in ready:
                if listener in self._slots:
                    poll.unregister(listener)
                    self._keepers[self._keep(self._slots[listener])] = listener
        return owner.exit_code(self._status)

    def _pass_on(self, number: int, at: object) -> None:
        with contextlib.suppress(OSError):
            os.kill(self._command, number)

    def _reap(self) -> list[int]:
        """Reap all that has ended; the listeners that are without a keeper now."""
        left = []
        with contextlib.suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if process == 0:
                    break
                if process == self._command:
                    self._status = status
                if process in self._keepers:
                    left.append(self._keepers.pop(process))
        return left

    def _end_left_over(self) -> bool:
        """End what keepers that died have left, which is ours now; whether there was anything.

        A slot gets no other keeper before: what is left clears up behind itself, and would take the
        next one's processes, which have the same user id, for its own.
        """
        found = False
        with contextlib.suppress(OSError):  # a kernel that does not tell of children
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
            for child in map(int, children.split()):
                ours = child == self._command or child in self._keepers
                if not ours and self._is_of_a_slot(child):
                    found = True
                    os.kill(child, signal.SIGKILL)
        return found

    def _is_of_a_slot(self, process: int) -> bool:
        """Whether it is none of the tool's: it may change its user, or has changed it already."""
        with contextlib.suppress(OSError):  # it has ended by now
            user = os.stat(f"/proc/{process}").st_uid
            return user not in (0, self._owner) or _may_change_user(process)
        return False

    def _keep(self, slot: inside.Slot) -> int:
        process = os.fork()
        if process:
            return process
        try:
            _reset_signals()
            os.setsid()  # a Ctrl-C is the run's to handle
            for other in self._slots.values():
                if other is not slot:
                    other.listener.close()
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
            kernel.limit_capabilities((*_TO_CHANGE_USER, *_all_if_they_show()))
            slot_server.keep(slot.listener, slot.order)
        except BaseException as error:
            sys.stderr.write(f"localdistill: sandbox: {type(error).__name__}: {error}\n")
            sys.stderr.flush()
        finally:
            os._exit(1)


def _may_change_user(process: int) -> bool:
    """Whether a process has the right that the sandbox's have and the tool's have not."""
    with contextlib.suppress(OSError, StopIteration):  # it has ended by now
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace")
        line = next(line for line in lines.splitlines() if line.startswith("CapPrm:"))
        return bool(int(line.split()[1], 16) >> kernel.CAP_SETUID & 1)
    return False


def _all_if_they_show() -> Iterable[int]:
    """What it takes to make namespaces, where the container was given the right to."""
    return range(64) if inside.may_make_namespaces() else ()


def _start(command: list[str], whose: owner.Owner) -> NoReturn:
    """The command's own process: never returns."""
    try:
        _reset_signals()
        # In a group of its own, to which the terminal belongs: Ctrl-C reaches it, once.
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # no shell is there to go on after Ctrl-Z
        owner.become(whose)
        owner.execute(command)
    except OSError as error:
        owner.refuse(f"{command[0]} cannot be started: {error}")
    finally:
        os._exit(owner.REFUSED)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (*_PASSED_ON, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
