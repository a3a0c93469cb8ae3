"""The system calls that a candidate may make: a seccomp filter written by hand.

An allow list, so that what a later kernel adds is refused. Not on it: sockets other than a pair of
connected local ones, ptrace and reading other processes' memory, keys, io_uring, bpf, perf,
userfaultfd, mounts, namespaces, modules, message queues, the limits of other processes, and memory
that no limit sees: System V segments, memfd, and shared anonymous mappings, whose pages stay as
long as one page of them is mapped.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Sequence

from localdistill.sandbox import kernel

_ARCH_X86_64 = 0xC000003E
_X32_BIT = 0x40000000

# By number, x86_64. Ranges are inclusive.
_ALLOWED = (
    (0, 8),  # read write open close stat fstat lstat poll lseek
    (10, 15),  # mprotect munmap brk rt_sig*
    (17, 28),  # pread64 .. madvise
    (32, 40),  # dup dup2 pause nanosleep timers getpid sendfile
    (44, 48),  # send and receive on what is open already
    (51, 52),  # getsockname getpeername
    (55, 55),  # getsockopt
    (57, 63),  # fork vfork execve exit wait4 kill uname
    (72, 100),  # fcntl .. times: files, links, permissions of one's own files
    (102, 102),  # getuid
    (104, 104),  # getgid
    (107, 112),  # geteuid getegid setpgid getppid getpgrp setsid
    (115, 117),  # getgroups setgroups setresuid
    (118, 121),  # getresuid setresgid getresgid getpgid
    (124, 126),  # getsid capget capset
    (127, 133),  # rt_sig* sigaltstack utime mknod
    (137, 138),  # statfs fstatfs
    (140, 140),  # getpriority
    (143, 143),  # sched_getparam
    (145, 152),  # sched_get* mlock munlock mlockall munlockall
    (157, 158),  # prctl arch_prctl
    (160, 160),  # setrlimit
    (186, 187),  # gettid readahead
    (191, 196),  # reading extended attributes (shutil.copy2)
    # tkill time futex sched_*affinity. Of other processes too, since by this a warm parent lets its
    # children go. A watcher can be moved by it: as if the slot's processes went where that is.
    (200, 204),
    (213, 213),  # epoll_create
    (217, 219),  # getdents64 set_tid_address restart_syscall
    (221, 226),  # fadvise64 timer_*
    (228, 235),  # clock_* exit_group epoll_* tgkill utimes
    (247, 247),  # waitid
    (253, 255),  # inotify
    (257, 271),  # openat .. ppoll
    (273, 274),  # robust lists of futexes
    (277, 277),  # sync_file_range
    (280, 287),  # utimensat epoll_pwait signalfd timerfd eventfd fallocate
    (289, 297),  # signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev
    (299, 299),  # recvmmsg
    (307, 307),  # sendmmsg
    (309, 309),  # getcpu
    (315, 316),  # sched_getattr renameat2
    (318, 318),  # getrandom
    (324, 328),  # membarrier mlock2 copy_file_range preadv2 pwritev2
    (332, 332),  # statx
    (334, 334),  # rseq
    (424, 424),  # pidfd_send_signal
    (434, 434),  # pidfd_open
    (436, 437),  # close_range openat2
    (439, 439),  # faccessat2
    (441, 441),  # epoll_pwait2
    (446, 446),  # landlock_restrict_self
    (449, 449),  # futex_waitv
    (452, 452),  # fchmodat2
)
_MMAP, _IOCTL, _SOCKETPAIR, _SETSOCKOPT, _CLONE, _PRLIMIT, _CLONE3 = 9, 16, 53, 54, 56, 302, 435
_SETPRIORITY = 141
_NAMESPACE_FLAGS = 0x7E020000
_TIOCSTI = 0x5412  # types into the terminal of whoever started us
_TIOCLINUX = 0x541C
# Of ioctl only this group, in which FIONREAD and FIOCLEX are too. Others mark files and folders
# (FS_IOC_SETFLAGS) in ways that emptying a folder does not take back.
_OF_TERMINALS, _ALL_BUT_THE_LAST_BYTE = 0x5400, 0xFFFFFF00
_PRIO_PROCESS = 0
_AF_UNIX = 1
_SOCK_DGRAM, _SOCK_RAW, _SOCK_TYPES = 2, 3, 0xF  # one of a pair can send to any other socket
_SO_SNDBUF = 7  # what waits in a socket is memory of the kernel, which belongs to no process
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20  # also a bit of MAP_SHARED_VALIDATE

_LOAD, _AND, _JUMP_EQUAL, _JUMP_ABOVE, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = (
    0x20, 0x54, 0x15, 0x25, 0x35, 0x45, 0x06,
)  # fmt: skip
_KILL, _ALLOW = 0x80000000, 0x7FFF0000
_AT_NUMBER, _AT_ARCH, _AT_FIRST, _AT_SECOND, _AT_THIRD, _AT_FOURTH = 0, 4, 16, 24, 32, 40

_Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def _refuse(code: int) -> _Instruction:
    return (_RETURN, 0, 0, 0x00050000 | code)


_deny = _refuse(errno.EPERM)
_allow: _Instruction = (_RETURN, 0, 0, _ALLOW)


def _case(number: int, *body: _Instruction) -> list[_Instruction]:
    """What happens to one system call; the body ends with an answer, and others jump over it."""
    return [(_JUMP_EQUAL, 0, len(body), number), *body]


def _program() -> list[_Instruction]:
    shared_anonymous = _MAP_SHARED | _MAP_ANONYMOUS
    lines: list[_Instruction] = [
        (_LOAD, 0, 0, _AT_ARCH),
        (_JUMP_EQUAL, 1, 0, _ARCH_X86_64),
        (_RETURN, 0, 0, _KILL),  # 32-bit system calls have other numbers
        (_LOAD, 0, 0, _AT_NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
        # The flags of clone3 lie in memory where a filter cannot look; libc falls back to clone.
        *_case(_CLONE3, _refuse(errno.ENOSYS)),
        *_case(
            _CLONE,
            (_LOAD, 0, 0, _AT_FIRST), (_JUMP_BITS, 0, 1, _NAMESPACE_FLAGS), _deny,
            _allow,
        ),
        *_case(
            _SOCKETPAIR,
            (_LOAD, 0, 0, _AT_FIRST), (_JUMP_EQUAL, 1, 0, _AF_UNIX), _deny,
            (_LOAD, 0, 0, _AT_SECOND), (_AND, 0, 0, _SOCK_TYPES),
            (_JUMP_EQUAL, 0, 1, _SOCK_DGRAM), _deny,
            (_JUMP_EQUAL, 0, 1, _SOCK_RAW), _deny,
            _allow,
        ),
        *_case(
            _SETSOCKOPT,
            (_LOAD, 0, 0, _AT_THIRD), (_JUMP_EQUAL, 0, 1, _SO_SNDBUF), _deny,
            _allow,
        ),
        *_case(
            _MMAP,
            (_LOAD, 0, 0, _AT_FOURTH), (_AND, 0, 0, shared_anonymous),
            (_JUMP_EQUAL, 0, 1, shared_anonymous), _deny,
            _allow,
        ),
        *_case(
            _PRLIMIT,
            (_LOAD, 0, 0, _AT_FIRST), (_JUMP_EQUAL, 1, 0, 0), _deny,  # 0 is the caller itself
            _allow,
        ),
        # Of oneself only: a watcher has the user id of those whom it watches, and would starve.
        *_case(
            _SETPRIORITY,
            (_LOAD, 0, 0, _AT_FIRST), (_JUMP_EQUAL, 1, 0, _PRIO_PROCESS), _deny,
            (_LOAD, 0, 0, _AT_SECOND), (_JUMP_EQUAL, 1, 0, 0), _deny,
            _allow,
        ),
        *_case(
            _IOCTL,
            (_LOAD, 0, 0, _AT_SECOND),
            (_JUMP_EQUAL, 0, 1, _TIOCSTI), _deny,
            (_JUMP_EQUAL, 0, 1, _TIOCLINUX), _deny,
            (_AND, 0, 0, _ALL_BUT_THE_LAST_BYTE), (_JUMP_EQUAL, 1, 0, _OF_TERMINALS), _deny,
            _allow,
        ),
    ]  # fmt: skip
    return lines + _search(_ALLOWED)


def _search(ranges: Sequence[tuple[int, int]]) -> list[_Instruction]:
    """Allow what lies in one of the sorted ``ranges``, by bisection.

    The kernel looks every system call up when a filter is installed, so its depth is what it costs.
    """
    if len(ranges) == 1:
        first, last = ranges[0]
        return [(_JUMP_AT_LEAST, 0, 2, first), (_JUMP_ABOVE, 1, 0, last), _allow, _deny]
    middle = len(ranges) // 2
    below, above = _search(ranges[:middle]), _search(ranges[middle:])
    return [(_JUMP_AT_LEAST, len(below), 0, ranges[middle][0]), *below, *above]


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


_INSTRUCTIONS = _program()
# Built once, in the warm parent; kept alive by these names.
_code = ctypes.create_string_buffer(
    b"".join(struct.pack("=HBBI", *instruction) for instruction in _INSTRUCTIONS)
)
_FILTER = _SockFprog(len(_INSTRUCTIONS), ctypes.cast(_code, ctypes.c_void_p))


def install() -> None:
    """Filter all further system calls of this process and its children, for good.

    Needs no_new_privs. Raises OSError where the kernel has no seccomp filters.
    """
    kernel.prctl(kernel.PR_SET_SECCOMP, 2, ctypes.byref(_FILTER))
