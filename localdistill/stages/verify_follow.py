"""Completions that are still being drawn: tested as they are appended.

The record of what the verdicts are on grows with them: it covers a completion, and the disk has
that, before its verdict is written. So what is pinned is always what the file begins with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from localdistill.durable import to_disk
from localdistill.errors import WriterGone
from localdistill.jsonl import JsonlWriter, parse_row
from localdistill.problems import ProblemSet
from localdistill.stages import verify_resume as resume
from localdistill.stages.follow import Following
from localdistill.stages.writer_lock import is_being_written
from localdistill.types import Completion, Row, Status


class PutOff(Row):
    """A completion whose verdict waits for the end.

    Until then it counts as ``status``: timeout where it ran out of time on a busy machine,
    infra_error where the sandbox broke.
    """

    problem_id: str
    sample: int
    status: Status = "timeout"

    @property
    def key(self) -> resume.Key:
        """The completion's."""
        return self.problem_id, self.sample


def put_off_path(out: Path) -> Path:
    """Where ``PutOff`` rows stand while the verdicts in ``out`` come in."""
    return out.with_name(out.name + ".put_off")


class FollowedCompletions:
    """The rows of ``completions``, each once, until their writer is done."""

    def __init__(self, completions: Path, out: Path, problems: ProblemSet) -> None:
        self._completions = completions
        self._out = out
        self._problems = problems
        self._following = Following(completions)
        self._put_off: JsonlWriter | None = None  # nothing to tell as a rule

    def check(self) -> None:
        """As ``resume.check``, once the file is as long as it was then.

        A generation that is done again in fixed chunks cuts off a torn one and writes it again.

        Raises:
            ConfigError: as ``resume.check``, or there is neither a file nor a writer.
            WriterGone: the writer has ended before the file was that long.
        """
        if not self._completions.is_file() and not is_being_written(self._completions):
            raise resume.no_such_file(self._completions)
        saved = resume.pinned(self._out)
        if saved is not None:
            if not self._following.wait_for(saved["bytes"]) and not self._completions.is_file():
                raise self.left_alone()
            resume.check(self._completions, self._out, self._problems)
        self._pinned = saved["bytes"] if saved is not None else -1

    def rows(self) -> Iterator[Completion]:
        """Yield rows as they come; what is yielded is pinned. See ``died`` for how it ended.

        Raises:
            UserError: a line that is no completion.
        """
        digest, size, number = hashlib.sha256(), 0, 0
        for lines in self._following.blocks():
            for line in lines:
                digest.update(line)
                size += len(line)
            if size > self._pinned:
                to_disk(self._completions)  # else a record could outlive what it is on
                resume.pin(self._out, self._problems, size, digest.hexdigest())
            for line in lines:
                number += 1
                if line.strip():
                    yield parse_row(self._completions, number, line, Completion)

    @property
    def died(self) -> bool:
        """Whether the writer has ended before it was done."""
        return self._following.died

    def left_alone(self) -> WriterGone:
        """What to raise then."""
        message = f"verify: nobody writes {self._completions} any more, and it is not finished"
        return WriterGone(f"{message}; go on with `localdistill generate` first.")

    def put_off(self, key: resume.Key, status: Status) -> None:
        """Tell those who wait for verdicts that this one will come at the end, and why."""
        if self._put_off is None:
            self._put_off = JsonlWriter(put_off_path(self._out))
        self._put_off.write(PutOff(problem_id=key[0], sample=key[1], status=status))

    def stop(self) -> None:
        """End all waiting, in whatever thread."""
        self._following.stop()

    def __enter__(self) -> FollowedCompletions:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._put_off is not None:
            self._put_off.close()
