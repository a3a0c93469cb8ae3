"""Which files a candidate may touch, by Landlock (Linux 5.13 and later)."""

from __future__ import annotations

import ctypes
import os
import struct

from localdistill.sandbox import kernel

_CREATE, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHAR, _MAKE_BLOCK, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 6, 1 << 11, 1 << 13, 1 << 14, 1 << 15
_FIRST_ABI = (1 << 13) - 1

LIST = _READ_DIR
READ = _EXECUTE | _READ_FILE | _READ_DIR
DEVICE = _READ_FILE | _WRITE_FILE
WRITE = (_FIRST_ABI | _REFER | _TRUNCATE) & ~(_MAKE_CHAR | _MAKE_BLOCK)
FILES = _READ_FILE | _WRITE_FILE | _TRUNCATE | 1 << 5 | 1 << 8  # make and remove plain files
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE


def abi() -> int:
    """The version of Landlock that the kernel offers; 0 for none."""
    try:
        return kernel.syscall(_CREATE, 0, 0, 1)
    except OSError:
        return 0


def _handled(version: int) -> int:
    files = _FIRST_ABI
    files |= _REFER if version >= 2 else 0
    files |= _TRUNCATE if version >= 3 else 0
    files |= _IOCTL_DEV if version >= 5 else 0
    return files


def ruleset(rules: list[tuple[str, int]]) -> int:
    """Make a descriptor of a rule set that allows only ``rules``: (path, rights below it).

    Paths that are not there are left out. From ABI 4 TCP is refused as well, from ABI 6 signals and
    abstract sockets that lead out of the domain.
    """
    version = abi()
    handled = _handled(version)
    attributes = [handled]
    attributes += [3] if version >= 4 else []  # bind and connect
    attributes += [3] if version >= 6 else []  # abstract unix sockets, signals
    packed = struct.pack(f"={len(attributes)}Q", *attributes)
    descriptor = kernel.syscall(_CREATE, ctypes.c_char_p(packed), len(packed), 0)
    for path, rights in rules:
        try:
            parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = rights & handled
        if not os.path.isdir(path):
            allowed &= _OF_A_FILE
        rule = struct.pack("=Qi", allowed, parent)
        kernel.syscall(_ADD_RULE, descriptor, 1, ctypes.c_char_p(rule), 0)
        os.close(parent)
    return descriptor


def restrict(descriptor: int) -> None:
    """Confine this process and its children to the rule set, for good. Needs no_new_privs."""
    kernel.syscall(_RESTRICT_SELF, descriptor, 0)
