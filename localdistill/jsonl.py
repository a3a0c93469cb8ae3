"""Append-only JSONL files that survive a kill at any byte.

While a stage works it appends whole lines; a line that was torn by a kill is cut off on the next
open, and the work it stood for is owed again. What says that a file is complete is its marker (see
``markers``), which is written last.
"""

from __future__ import annotations

import codecs
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from localdistill.errors import ConfigError, UserError

RowT = TypeVar("RowT", bound=BaseModel)


def cut_torn_tail(path: Path) -> None:
    """Make ``path``, if it is there, end in a whole line.

    A last line without a newline is cut off, unless only the newline is missing: that one was read
    as a row, so it is kept and finished.
    """
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        position = size
        while position > 0:
            start = max(0, position - 65536)
            file.seek(start)
            newline = file.read(position - start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position == size:
            return
        file.seek(position)
        if _is_object(file.read()):
            file.write(b"\n")
        else:
            file.truncate(position)


def _is_object(line: bytes) -> bool:
    # No proper beginning of a JSON object is one itself.
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class JsonlWriter:
    """Appends rows, one JSON line each, to a file whose torn tail has been cut off first.

    Each row is handed to the operating system at once (a killed process loses none that was
    written) and reaches the disk when the file is closed or ``sync`` is called.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cut_torn_tail(path)
        self._file: BinaryIO = path.open("ab", buffering=0)

    def write(self, *rows: BaseModel) -> None:
        """Append ``rows`` in one system call, so that they are torn at most at one place.

        Raises:
            OSError: they cannot be written, as on a full disk; the file is as it was before.
        """
        left = memoryview(b"".join(row.model_dump_json().encode() + b"\n" for row in rows))
        end = self._file.tell()
        try:
            while left:  # a disk that is nearly full takes a part without complaint
                left = left[self._file.write(left) :]
        except OSError:
            self._file.truncate(end)
            raise

    def sync(self) -> None:
        """Force what was written to the disk."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> JsonlWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Bring all to the disk and close the file."""
        try:
            self.sync()
        finally:
            self._file.close()


def iter_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, UTF-8 bytes) of the non-empty lines of a plain or ``.gz`` file.

    Bytes, because a kill may have torn the last line in the middle of a character.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if text.strip():
                yield number, text


def iter_rows(path: Path, row_type: type[RowT]) -> Iterator[RowT]:
    """Yield all whole rows of ``path``; a torn last line counts as not written.

    Raises:
        UserError: a line that is not a row of ``row_type``; the message names file and line.
    """
    for number, line in iter_lines(path):
        try:
            row = parse_row(path, number, line, row_type)
        except UserError:
            if not line.endswith(b"\n"):
                return  # torn by a kill
            raise
        yield row


def parse_row(path: Path, number: int, line: bytes, row_type: type[RowT]) -> RowT:
    """The row that is line ``number`` of ``path``.

    Raises:
        UserError: it is not a row of ``row_type``; the message names file and line.
    """
    try:
        return row_type.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        message = f"{path}, line {number}: {where}: {first['msg']}"
        raise UserError(f"{message}. Correct or delete that line.") from error


def read_rows(path: Path, row_type: type[RowT]) -> list[RowT]:
    """Read all whole rows of ``path`` at once; see ``iter_rows``."""
    return list(iter_rows(path, row_type))


def refuse_as_output(out: Path, *inputs: Path | None) -> None:
    """Make sure that writing ``out`` does not destroy what is read.

    Raises:
        ConfigError: it is one of ``inputs``.
    """
    if any(path is not None and path.resolve() == out.resolve() for path in inputs):
        raise ConfigError(f"{out} is an input as well; name another file with --out.")


def stopped_record(path: Path) -> Path:
    """Where it stands, if samples of ``path`` were stopped by their own results, when and why."""
    return path.with_name(path.name + ".stopped.json")
