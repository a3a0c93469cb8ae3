"""System calls that Python has no name for, through ctypes. Linux on x86_64 only.

Standard library only: this runs inside the pit, which is started without site-packages.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4

CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN = 1, 5, 6, 7, 21

_SYS_CAPGET = 125
_SYS_PIVOT_ROOT = 155
_SYS_CLOSE_RANGE = 436
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_keeping_the_lock = ctypes.PyDLL(None, use_errno=True)  # of the interpreter, while it is called


def supported() -> bool:
    """Whether the numbers in this package are those of the running kernel."""
    return os.uname().sysname == "Linux" and os.uname().machine == "x86_64"


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def syscall(number: int, *arguments: object) -> int:
    """Make a system call by its number.

    Raises:
        OSError: the kernel refused.
    """
    # Without c_long an int is passed in 32 bits, and the rest of the register is left to chance.
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return _check(int(_libc.syscall(ctypes.c_long(number), *wide)), f"system call {number}")


def prctl(option: int, argument: int = 0, pointer: object = 0) -> None:
    """Call ``prctl`` with the unused arguments zero, as the kernel demands."""
    last = ctypes.c_ulong(pointer) if isinstance(pointer, int) else pointer
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(argument), last, zero, zero), f"prctl {option}")


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount ``source`` on ``target``."""
    done = _libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()
    )
    _check(done, f"mount {target}")


def unmount(target: str) -> None:
    """Take the mount at ``target`` out of sight now; it ends when nobody uses it any more."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new_root: str) -> None:
    """Make ``new_root`` (a mount point) the root and let go of the old one."""
    os.chdir(new_root)
    # With "." for both, the old root is stacked on the new one and can be unmounted from there.
    syscall(_SYS_PIVOT_ROOT, b".", b".")
    unmount(".")
    os.chdir("/")


def close_all_but(*keep: int) -> None:
    """Close every descriptor except 0, 1, 2 and those of ``keep`` (which are 3 or more)."""
    # Not os.closerange: built against an old libc, it closes a million numbers one by one.
    first = 3
    for each in sorted(keep):
        if each > first:
            syscall(_SYS_CLOSE_RANGE, first, each - 1, 0)
        first = each + 1
    syscall(_SYS_CLOSE_RANGE, first, 0xFFFFFFFF, 0)


def empty_bounding_set() -> None:
    """See to it that no program started from here gains a capability; those at hand stay."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # past the last one of this kernel, or not ours to change


# Made once: children are forked by the thousand, and share what they do not touch.
_CAPABILITY_HEADER = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
_NO_CAPABILITIES = (ctypes.c_uint32 * 6)()


def drop_capabilities() -> None:
    """Give up every capability of this process."""
    # Kernels before 4.3 have no ambient set, and answer with an error.
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _check(_libc.capset(_CAPABILITY_HEADER, _NO_CAPABILITIES), "capset")


def _permitted() -> int:
    """The capabilities that this process may use, as a set of bits."""
    sets = (ctypes.c_uint32 * 6)()
    syscall(_SYS_CAPGET, ctypes.byref(_CAPABILITY_HEADER), ctypes.byref(sets))
    return int(sets[1]) | int(sets[4]) << 32


def has_capability(number: int) -> bool:
    """Whether this process has a capability."""
    return bool(_permitted() >> number & 1)


def limit_capabilities(kept: Iterable[int]) -> None:
    """Give up every capability but those of ``kept`` that this process has."""
    left = _permitted() & sum(1 << number for number in set(kept))
    low, high = left & 0xFFFFFFFF, left >> 32
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    sets = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    _check(_libc.capset(_CAPABILITY_HEADER, sets), "capset")


def fork() -> int:
    """Fork without what Python does afterwards in the child. For a process with one thread only.

    Python would make its locks anew, which nobody holds where there is one thread, and start the
    generator of ``random`` from another seed, which is for the caller to do. It costs the child
    copies of some 150 pages.
    """
    return _check(int(_keeping_the_lock.fork()), "fork")
