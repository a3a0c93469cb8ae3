"""Who is writing a file of rows: a lock by which others know whether more may come.

The lock is held by the process that works on ``OUT``, on ``OUT.lock`` beside it, and is given back
by the kernel however that process ends. So a second writer is refused, and who follows the file
does not wait for a writer that is no more.
"""

from __future__ import annotations

import os
from pathlib import Path

from localdistill import file_lock
from localdistill.errors import ConfigError


class WriterLock:
    """Held while the block runs.

    Raises:
        ConfigError: another process holds it and does not end.
    """

    def __init__(self, out: Path, patience_s: float = file_lock.ORPHAN_WAIT_S) -> None:
        self._out = out
        self._path = lock_path(out)
        self._patience_s = patience_s
        self._descriptor = -1

    def __enter__(self) -> WriterLock:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        taken = file_lock.take_within(self._path, self._patience_s)
        if taken is None:
            message = f"{self._out}: another process is writing it"
            raise ConfigError(f"{message}; wait for its end, or give another --out.")
        self._descriptor = taken
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1


def is_being_written(out: Path) -> bool:
    """Whether a process holds the lock of ``out`` now."""
    return file_lock.is_held(lock_path(out))


def lock_path(out: Path) -> Path:
    """Where the lock of ``out`` stands."""
    return out.with_name(out.name + ".lock")
