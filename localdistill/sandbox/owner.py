"""To whom the results of a container's run belong, and how to become that user.

For the first process of the tool's container; standard library only.
"""

from __future__ import annotations

import os
import pwd
import sys
import tempfile
from typing import NamedTuple, NoReturn

from localdistill.sandbox import kernel

FOLDER_VARIABLE, DEFAULT_FOLDER = "LOCALDISTILL_HOME", "/data"
REFUSED = 2  # exit code of what a person can put right
_NAME = "localdistill"
_HOMES_OF_ROOT = ("", "/", "/root")


class Owner(NamedTuple):
    """A user and group, by number: a container knows no names of the machine's users."""

    uid: int
    gid: int


def results() -> str:
    """The folder in which run directories are made."""
    return os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER


def of_results() -> Owner:
    """Who owns the folder with the results; root where there is none yet."""
    try:
        about = os.stat(results())
    except OSError:
        return Owner(0, 0)
    return Owner(about.st_uid, about.st_gid)


def refuse_if_out_of_reach(whose: Owner) -> None:
    """End this process with a line for the person if it may not become ``whose``."""
    needed = (kernel.CAP_SETUID, kernel.CAP_SETGID)
    if whose.uid != 0 and not all(map(kernel.has_capability, needed)):
        refuse(
            f"{results()} belongs to user {whose.uid}, and this container may not become that "
            "user: start it with Docker's default capabilities (without --cap-drop), or add "
            "--cap-add SETUID --cap-add SETGID --cap-add KILL."
        )


def become(whose: Owner) -> None:
    """Turn this process into one of ``whose``, for good: no capability, and no way to get one.

    Groups that the container was given (``--group-add``, for a GPU's devices) stay. Root of the
    machine, or of a rootless engine, keeps one right: to read and write what belongs to others, as
    root is used to.
    """
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if whose.uid == 0:
        kernel.limit_capabilities((kernel.CAP_DAC_OVERRIDE,))
        return
    os.setgroups([group for group in os.getgroups() if group != 0])
    os.setresgid(whose.gid, whose.gid, whose.gid)
    os.setresuid(whose.uid, whose.uid, whose.uid)
    kernel.drop_capabilities()


def execute(command: list[str]) -> NoReturn:
    """Go over to ``command``, with a home that this user may write to.

    Home is not the folder with the results, in which libraries would leave their own. But what is
    fetched from the hub is kept there.

    Raises:
        OSError: there is no such program, or nowhere to write.
    """
    home = os.environ.get("HOME", "")
    named = home not in _HOMES_OF_ROOT
    if not named or not os.access(home, os.W_OK):
        mounted = f"{home}/.cache/huggingface"
        hub = mounted if named and os.path.isdir(mounted) else f"{results()}/.cache/huggingface"
        if named:  # what is mounted there, to find models: libraries need a home to write to
            os.environ["LOCALDISTILL_STORES"] = home
        if named or os.geteuid() != 0:
            os.environ["HOME"] = tempfile.mkdtemp(prefix="localdistill-home-")
        if "HF_HOME" not in os.environ:
            os.environ["HF_HOME"] = hub
            # For all but fetching: libraries make empty folders there when they are loaded.
            os.environ["LOCALDISTILL_HF_SCRATCH"] = f"{os.environ['HOME']}/.cache/huggingface"
    if not _has_account(os.geteuid()):
        for name in ("USER", "LOGNAME"):  # libraries ask for a name and fail where there is none
            os.environ.setdefault(name, _NAME)
    os.execvp(command[0], command)  # noqa: S606  it is the command that the image names


def remark(command: list[str], whose: Owner) -> None:
    """Say, before a run, what the person may not have meant: results that vanish or are root's."""
    if "run" not in command[1:2] or "--help" in command:
        return
    folder = results()
    if not _is_mounted(folder):
        say(
            f"nothing is mounted on {folder}: what is written there vanishes with the container. "
            f'Start it with -v "$PWD/ld:{folder}".'
        )
    elif whose.uid == 0 and _is_for_a_user(folder):
        say(
            f"the folder mounted on {folder} belongs to root, and so will the results. Docker "
            "makes a missing folder as root: make it yourself to own them."
        )


def refuse(text: str) -> NoReturn:
    """End this process with one line for the person who started the container."""
    say(text)
    os._exit(REFUSED)


def exit_code(status: int) -> int:
    """The exit code that stands for a wait status, as shells have it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def say(text: str) -> None:
    """One line for the person who started the container."""
    sys.stderr.write(f"localdistill: {text}\n")
    sys.stderr.flush()


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _mount(folder: str) -> str | None:
    """What part of its file system is mounted on ``folder``; None where nothing is."""
    found = None
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            fields = line.split()
            if fields[4] == folder:
                found = fields[3]
    return found


def _is_mounted(folder: str) -> bool:
    return _mount(os.path.realpath(folder)) is not None


def _is_for_a_user(folder: str) -> bool:
    """Whether an empty folder of the machine is mounted: no named volume, no rootless engine."""
    with open("/proc/self/uid_map", encoding="ascii") as lines:
        first = lines.readline().split()
    part = _mount(os.path.realpath(folder)) or ""
    return first[1] == "0" and not part.endswith("/_data") and not os.listdir(folder)
