"""A machine that stood still for a while (a paused container) is no fault of a program's."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from localdistill.sandbox import link, pits
from localdistill.sandbox.link import Link

TASK = {"time_limit_s": 1.0, "tests": None}


class FakeLink:
    """Gives answers, and how long all stood still during each."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.stood_still_s = 0.0

    def ask(self, task, limit_s):
        status, self.stood_still_s = self.answers.pop(0)
        return {"status": status, "detail": ""}

    def kill(self):
        pass

    close = kill


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([("timeout", 0.0)], "timeout"),
        ([("timeout", 9.0), ("passed", 0.0)], "passed"),
        ([("failed", 9.0), ("passed", 0.0)], "passed"),  # its tests had no time
        ([("failed", 9.0), ("failed", 0.0)], "failed"),
        ([("passed", 9.0)], "passed"),
        ([("timeout", 9.0), ("timeout", 9.0), ("timeout", 9.0)], "timeout"),  # for ever: told as is
    ],
)
def test_what_was_tested_meanwhile_is_tested_again(answers, status):
    fake = FakeLink(*answers)
    answer = pits.Pit(lambda: fake).ask(TASK, threading.Event())
    assert answer["status"] == status
    assert not fake.answers


@pytest.fixture
def piped(monkeypatch):
    """A link whose pit is this test, at the other ends of two pipes."""
    theirs, ours = os.pipe(), os.pipe()
    made = Link.__new__(Link)
    made._process = subprocess.Popen(
        ["true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )  # it is looked at for its pipes only
    made._process.stdin = os.fdopen(theirs[1], "wb", buffering=0)
    made._process.stdout = os.fdopen(ours[0], "rb", buffering=0)
    made._log, made._sites = Path(os.devnull).open("rb"), ()  # noqa: SIM115
    yield made, ours[1]
    made._process.wait()
    for file in (made._process.stdin, made._process.stdout, made._log):
        file.close()
    os.close(theirs[0])
    os.close(ours[1])


def test_a_wait_that_took_far_too_long_is_told(piped, monkeypatch):
    made, answer_to = piped
    body = json.dumps({"status": "timeout"}).encode()
    clock = [100.0]
    ready = link.select.select

    def select(read, write, error, timeout):
        if clock[0] < 101:  # the first wait: everything stands still for an hour
            clock[0] += 3600
            os.write(answer_to, link._length.pack(len(body)) + body)
            return [], [], []
        return ready(read, write, error, timeout)

    monkeypatch.setattr(link.select, "select", select)
    monkeypatch.setattr(link.time, "monotonic", lambda: clock[0])
    # The hour does not count for how long the pit may take either.
    assert made.ask({}, 60.0) == {"status": "timeout"}
    assert made.stood_still_s == pytest.approx(3600)
    os.write(answer_to, link._length.pack(len(body)) + body)
    made.ask({}, 60.0)
    assert made.stood_still_s == 0


def test_a_pit_that_does_not_answer_is_given_up(piped, monkeypatch):
    made, _ = piped
    clock = [100.0]

    def select(read, write, error, timeout):
        clock[0] += timeout
        return [], [], []

    monkeypatch.setattr(link.select, "select", select)
    monkeypatch.setattr(link.time, "monotonic", lambda: clock[0])
    with pytest.raises(link.LinkBroken):
        made.ask({}, 0.3)
    assert made.stood_still_s == 0
    assert clock[0] == pytest.approx(100.3)
