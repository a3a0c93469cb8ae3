"""Every error that localdistill raises on purpose, by the boundary that was crossed.

    LocaldistillError
    ├── UserError                 the user can fix it: one line that names the fix, exit code 2
    │   ├── ConfigError           a configuration, option or run directory that does not fit
    │   ├── NothingSelected       no completion to train on
    │   ├── ProblemSetError       a problem file that cannot be read as one
    │   ├── ModelError            a model file or folder that cannot be used
    │   ├── SandboxUnavailable    no sandbox tier holds on this machine
    │   ├── StorageError          a disk that is full, or a place that cannot be read or written
    │   ├── MemoryShortage        a model for which there is too little memory
    │   ├── GpuLost               a GPU that failed, or fell off, in the middle of the work
    │   ├── ServerError           a model server that is not there, refuses, or has gone
    │   └── MissingDependency     a part of the installation is not there
    ├── SandboxBreached           an attack on the sandbox got through (exit code 1)
    ├── StageFailed               a stage's process ended without its result (exit code 1)
    │   ├── WriterGone            whoever wrote a file that a stage follows has ended too early
    │   └── TrainingDiverged      a training went astray: no adapter, the model before it stands
    ├── ExportRejected            a finished file did not stand the check against its source
    └── Stopped                   the user has stopped it; the same command goes on (exit code 130)

One bad sample is a record in a file (a verdict, a dropped example), never one of these.
"""

from __future__ import annotations

import errno


class LocaldistillError(Exception):
    """Base of all errors raised on purpose. ``str()`` of it is one line for a person."""

    exit_code = 1


class UserError(LocaldistillError):
    """Something that the user can fix; the message says how."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration, option or run directory that does not fit."""


class NothingSelected(UserError):
    """There is no completion to train on: no adapter, the model before it stands."""


class ProblemSetError(UserError):
    """A problem file that cannot be read as one; the message names file and line."""


class ModelError(UserError):
    """A model file or folder that is missing, damaged or of an unsupported kind."""


class SandboxUnavailable(UserError):
    """No sandbox tier holds on this machine, so no candidate program may be run."""


class StorageError(UserError):
    """A disk that is full, or a place that cannot be read or written."""


class MemoryShortage(UserError):
    """A model for which there is too little memory."""


class GpuLost(UserError):
    """A GPU that failed, or fell off its bus, in the middle of the work."""


class ServerError(UserError):
    """A model server that cannot be reached, refuses a request, or has gone in the middle."""


class MissingDependency(UserError):
    """A library or tool that this command needs is not installed."""


class SandboxBreached(LocaldistillError):
    """An attack on the sandbox got through, or its outcome is not known."""


class StageFailed(LocaldistillError):
    """A stage's process ended without its result."""


class WriterGone(StageFailed):
    """Whoever wrote a file that a stage follows has ended before it was done."""


class TrainingDiverged(StageFailed):
    """A training whose loss exploded or was no number: there is no adapter to go on with."""


class ExportRejected(LocaldistillError):
    """An exported model file did not stand the check against what it was made from."""


class Stopped(LocaldistillError):
    """The user has stopped the work, which the same command goes on with."""

    exit_code = 130  # as shells say for a command ended by Ctrl-C

    def __init__(self, message: str = "stopped; the same command goes on from here.") -> None:
        super().__init__(message)


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Of a place, not of our own doing: a broken pipe or a lost child is none of these.
_OF_A_PLACE = _FULL | {
    errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR,
    errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO,
}  # fmt: skip


def storage_error(error: OSError, place: object = None) -> StorageError | None:
    """What to tell of ``error`` if it is about a file; None if it is about something else.

    ``place`` is where the work writes: an error in the middle of a file does not say in which.
    """
    if error.errno not in _OF_A_PLACE:
        return None
    where, why = error.filename or place or "a file", error.strerror or str(error)
    if error.errno in _FULL:
        # Of a copy, the first name is the one that was only read.
        where = error.filename2 or place or where
        text = f"{where}: the disk is full ({why}). Free some space and give the same command again"
        return StorageError(f"{text}: it goes on from here.")
    return StorageError(f"{where}: cannot be read or written ({why}); check the path and rights.")
