"""Tries to get out, as a candidate, and tells how it went.

``breaches`` is the first program of every pit and must come back empty. ``attack`` is one part of
it, for ``localdistill doctor``. Only what harms nobody is tried here.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import importlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_Attempt = tuple[str, Callable[[], object]]

_FAMILIES = {
    "IPv4": socket.AF_INET, "IPv6": 10, "unix": socket.AF_UNIX, "netlink": 16, "packet": 17,
    "vsock": 40, "bluetooth": 31, "crypto": 38,
}  # fmt: skip
_NAMESPACES = {
    "user": 0x10000000, "mount": 0x00020000, "pid": 0x20000000, "network": 0x40000000,
}  # fmt: skip
# By number, x86_64: what no candidate needs, called with nothing in hand.
_CALLS = {
    "io_uring_setup": (425, 1, 0), "bpf": (321, 0, 0, 0), "perf_event_open": (298, 0, 0, 0, 0, 0),
    "userfaultfd": (323, 0), "keyctl": (250, 0, 0), "mount": (165, 0, 0, 0, 0, 0),
    "pivot_root": (155, 0, 0), "init_module": (175, 0, 0, 0), "kexec_load": (246, 0, 0, 0, 0),
    "open_by_handle_at": (304, 0, 0, 0), "pidfd_getfd": (438, 0, 0, 0), "setns": (308, 0, 0),
    "memfd_create": (319, 0, 0), "shmget": (29, 0, 4096, 0o600),
}  # fmt: skip
_SYSTEM_FILES = (
    "/etc/passwd", "/etc/shadow", "/root/.ssh/id_rsa", "/proc/1/environ", "/proc/1/mem",
    "/proc/self/environ", "/proc/kcore", "/sys/kernel/notes", "/dev/mem", "/dev/sda",
)  # fmt: skip
# Not to be read, but of an image they are no secret.
_OF_AN_IMAGE = ("/etc/passwd",)


class GotThrough(Exception):
    """What nothing has stopped."""


def breaches(given: dict[str, Any]) -> list[str]:
    """List what is open that should be shut, or shut that should be open.

    ``given``: a file of the tool's (canary), an open port on 127.0.0.1, process ids of the
    run's, whether candidates have a user id of their own, whether all files are those of an image.
    """
    found = []
    for group in _GROUPS:
        found += [what for what, how in _tried(group, given) if not how]
    return found + _shut(given)


def attack(group: str, given: dict[str, Any]) -> str:
    """Try one group; returns "held".

    Raises:
        GotThrough: something is open that should be shut; it says what.
    """
    found = [what for what, how in _tried(group, given) if not how]
    if found:
        raise GotThrough("; ".join(found))
    return "held"


def _tried(group: str, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for what, attempt in _GROUPS[group](given):
        try:
            attempt()
        except OSError as error:
            yield what, errno.errorcode.get(error.errno or 0, type(error).__name__)
        else:
            yield what, ""


def _network(given: dict[str, Any]) -> Iterator[_Attempt]:
    for name, family in _FAMILIES.items():
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            what = f"makes a {name} socket of kind {int(kind)}"
            yield what, functools.partial(_make_socket, family, kind)
    address = ("127.0.0.1", given["port"])
    yield "connects to this machine", lambda: socket.create_connection(address, 2).close()
    metadata = ("169.254.169.254", 80)
    yield "connects to a metadata service", lambda: socket.create_connection(metadata, 2).close()


def _files(given: dict[str, Any]) -> Iterator[_Attempt]:
    yield "reads a file of the tool's", Path(given["canary"]).read_bytes
    for path in _SYSTEM_FILES:
        if not (given["only_image"] and path in _OF_AN_IMAGE):
            yield f"reads {path}", functools.partial(_read, path)
    if not given["only_image"]:
        yield "lists a folder of the system", lambda: list(Path("/var").iterdir())
    for folder in ("/etc", "/usr", "/", "/opt", "/run"):
        yield f"writes to {folder}", Path(folder, "localdistill-probe").touch


def _processes(given: dict[str, Any]) -> Iterator[_Attempt]:
    # A container, or a namespace, counts its processes anew: the number of one of the run's may be
    # this one's there, or that of its parent, which it may signal where both are one user.
    ours = {os.getpid()} if given["other_user"] else {os.getpid(), os.getppid()}
    for process in sorted({*given["processes"]} - ours):
        yield "signals the run", functools.partial(os.kill, process, 0)
        yield "reads the run's memory", functools.partial(_read, f"/proc/{process}/mem")
    parent = os.getppid()
    if given["other_user"]:
        yield "signals its warm parent", functools.partial(os.kill, parent, 0)
        yield "signals process 1", functools.partial(os.kill, 1, 0)
    for process in {parent, 1}:
        yield f"reads the memory of {process}", functools.partial(_read, f"/proc/{process}/mem")
        yield f"traces {process}", functools.partial(_libc, "ptrace", 16, process, 0, 0)
        yield (
            f"copies the memory of {process}",
            functools.partial(_libc, "syscall", 310, process, 0, 0, 0, 0, 0),
        )
        yield f"stops {process}", functools.partial(_libc, "syscall", 302, process, 7, 0, 0)
    yield "lets itself be traced", functools.partial(_libc, "ptrace", 0, 0, 0, 0)


def _rights(given: dict[str, Any]) -> Iterator[_Attempt]:
    yield "becomes root", lambda: os.setuid(0)
    yield "takes root's group", lambda: os.setgid(0)
    yield "takes groups", lambda: os.setgroups([0])
    yield "gives a file to root", _make_setuid_file
    yield "makes a device", lambda: os.mknod("device", 0o600 | 0o020000, os.makedev(1, 1))
    yield "changes its root", lambda: os.chroot(".")
    yield "has kept capabilities", _need_capabilities
    if given["other_user"]:
        yield "has kept an id of root", _need_root_id


def _kernel(given: dict[str, Any]) -> Iterator[_Attempt]:
    for name, flag in _NAMESPACES.items():
        yield f"makes a {name} namespace", functools.partial(_libc, "unshare", flag)
    for name, (number, *arguments) in _CALLS.items():
        yield f"calls {name}", functools.partial(_refused_call, number, *arguments)


_GROUPS: dict[str, Callable[[dict[str, Any]], Iterator[_Attempt]]] = {
    "network": _network,
    "files": _files,
    "processes": _processes,
    "rights": _rights,
    "kernel": _kernel,
}


def _shut(given: dict[str, Any]) -> list[str]:
    """What a right program needs and does not find."""
    found = []
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
    except OSError as error:
        found.append(f"cannot write in its own box: {error}")
    try:
        importlib.import_module("colorsys")  # not preloaded
    except ImportError as error:
        found.append(f"cannot import from the standard library: {error}")
    return found


def _make_socket(family: int, kind: int) -> None:
    socket.socket(family, kind).close()


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(1)


def _libc(name: str, *arguments: int) -> int:
    wide = [ctypes.c_long(each) for each in arguments]
    result = int(getattr(ctypes.CDLL(None, use_errno=True), name)(*wide))
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def _refused_call(number: int, *arguments: int) -> None:
    """Make a call that must be refused as such; that it makes no sense is not enough."""
    try:
        _libc("syscall", number, *arguments)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOSYS, errno.EACCES):
            raise


def _make_setuid_file() -> None:
    path = Path("to-root")
    path.touch()
    os.chown(path, 0, 0)


def _need_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).syscall(125, ctypes.byref(header), ctypes.byref(sets))
    if not any(sets):
        raise OSError(errno.EPERM, "there are none")


def _need_root_id() -> None:
    if 0 not in (*os.getresuid(), *os.getresgid(), *os.getgroups()):
        raise OSError(errno.EPERM, "there is none")
