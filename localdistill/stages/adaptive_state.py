"""What is known of each problem while it is sampled adaptively, from completions and verdicts.

Verdicts are read from the file that *verify* appends to while it follows the completions. All state
is in files, so an interrupted stage knows as much as before.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from localdistill import control
from localdistill.errors import WriterGone
from localdistill.events import Callback, Notice
from localdistill.jsonl import parse_row
from localdistill.problems.broken import is_broken
from localdistill.problems.extract import extract_code
from localdistill.selection.duplicates import normalise
from localdistill.stages.adaptive_rule import Reason, Rule, Tally
from localdistill.stages.follow import POLL_S, Tail
from localdistill.stages.verify_follow import PutOff, put_off_path
from localdistill.stages.writer_lock import is_being_written
from localdistill.types import Completion, Problem, Status, Verdict

Key = tuple[str, int]
_TELL_S = 30.0  # how long it waits for a *verify* in silence


class Sampled:
    """The problems, and what has come out of their samples so far.

    Args:
        problems: all of them; those without tests are never sampled.
        rule: when a problem gets more.
        verdicts: where *verify* writes.
        callback: is told if nobody does.
    """

    def __init__(
        self, problems: Sequence[Problem], rule: Rule, verdicts: Path, callback: Callback
    ) -> None:
        self.rule = rule
        self.tallies = {problem.id: Tally() for problem in problems if problem.tests is not None}
        self.reasons: dict[str, Reason] = {
            problem.id: "no_tests" for problem in problems if problem.tests is None
        }
        self.drawn = 0  # samples handed out, over all problems
        self.pending = 0  # those of which nothing is known yet
        self.judged = 0  # those that count
        self.problems = {problem.id: problem for problem in problems}
        # Of finished samples without a verdict; None: one that selection drops whatever it is.
        self._programs: dict[Key, int | None] = {}
        self._early: dict[Key, Status] = {}  # verdicts that came before we heard of the sample
        self._known: set[Key] = set()  # samples with a verdict, or put off
        self._resolved: set[str] = set()
        self._feed = _Feed(verdicts, callback)

    def take_resolved(self) -> set[str]:
        """Problems all of whose samples have become known since the last call."""
        found, self._resolved = self._resolved, set()
        return found

    def hand_out(self, problem_id: str) -> Key:
        """The next sample of a problem, from now on pending."""
        tally = self.tallies[problem_id]
        key = problem_id, tally.drawn
        tally.drawn += 1
        self.drawn += 1
        self.pending += 1
        return key

    def restore(self, rows: Sequence[Completion]) -> list[Key]:
        """Take up what earlier calls drew; returns samples that they had begun and never finished.

        Numbers have no gaps: whatever stands below a finished sample was handed out before it.
        """
        present = {row.key for row in rows}
        for row in rows:
            tally = self.tallies[row.problem_id]
            tally.drawn = max(tally.drawn, row.sample + 1)
        self.drawn = self.pending = sum(tally.drawn for tally in self.tallies.values())
        for row in rows:
            self.completed(row)
        return [
            (name, sample)
            for name, tally in self.tallies.items()
            for sample in range(tally.drawn)
            if (name, sample) not in present
        ]

    def completed(self, row: Completion) -> None:
        """A sample is finished, and will be tested."""
        tally = self.tallies[row.problem_id]
        tally.finished += 1
        tally.tokens += max(1, row.token_count)  # a server may not tell: samples cost alike then
        problem = self.problems[row.problem_id]
        code = extract_code(row.text, problem)
        unfit = code is None or row.looped or is_broken(row, problem)
        self._programs[row.key] = None if unfit else hash(normalise(code or ""))
        if row.key in self._early:
            self._judge(row.key, self._early.pop(row.key))

    def look(self) -> bool:
        """Read what verdicts have come; whether there were any."""
        found = self._feed.read()
        for key, status in found:
            if key[0] in self.tallies and key not in self._known:
                if key in self._programs:
                    self._judge(key, status)
                else:
                    self._early[key] = status
        return bool(found)

    def wait(self) -> None:
        """Wait until more verdicts have come.

        Raises:
            WriterGone: *verify* has ended.
            Stopped: the run is to end here.
        """
        self._feed.begin_to_wait()
        while not self.look():
            control.check()
            self._feed.wait()

    def _judge(self, key: Key, status: Status) -> None:
        tally, program = self.tallies[key[0]], self._programs.pop(key)
        self._known.add(key)
        self.pending -= 1
        if status == "infra_error":
            tally.unjudged += 1
        else:
            tally.judged += 1
            self.judged += 1
        if status == "passed" and program is not None:
            tally.passed += 1
            tally.programs[program] += 1
        if not tally.pending:
            self._resolved.add(key[0])


class _Feed:
    """Verdicts as they are appended. One that was put off counts as it did then, whatever comes."""

    def __init__(self, verdicts: Path, callback: Callback) -> None:
        self._verdicts = Tail(verdicts)
        self._put_off = Tail(put_off_path(verdicts))
        self._callback = callback
        self._seen = False  # somebody at work on the verdicts
        self._told = False
        self._began = 0.0

    def read(self) -> list[tuple[Key, Status]]:
        found: list[tuple[Key, Status]] = []
        # Those put off first: their verdicts may be there already, from an earlier call's end.
        for line in self._put_off.lines():
            later = parse_row(self._put_off.path, 0, line, PutOff)
            found.append((later.key, later.status))
        for line in self._verdicts.lines():
            row = parse_row(self._verdicts.path, 0, line, Verdict)
            found.append((row.key, row.status))
        return found

    def begin_to_wait(self) -> None:
        self._began = time.monotonic()

    def wait(self) -> None:
        path = self._verdicts.path
        if is_being_written(path):
            self._seen = True
        elif self._seen:
            message = f"generate: nobody writes verdicts to {path} any more"
            raise WriterGone(f"{message}; give the commands `verify --follow` and this one again.")
        elif not self._told and time.monotonic() - self._began > _TELL_S:
            self._told = True
            message = f"Waiting for verdicts in {path}"
            message = f"{message}: start `localdistill verify --follow` on these completions."
            self._callback(Notice(level="warning", message=message))
        time.sleep(POLL_S)
