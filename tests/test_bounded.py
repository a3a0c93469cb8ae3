"""What a stranger wrote runs within bounds of time and memory."""

import resource
import signal
import subprocess
import sys
import threading
import time

import pytest

from localdistill import bounded as bounds
from localdistill.bounded import OutOfBounds, bounded


def loop():
    while True:
        pass


def test_an_endless_loop_ends():
    with pytest.raises(OutOfBounds), bounded(seconds=0.05):
        loop()


def test_so_it_does_in_a_thread():
    caught = []

    def work():
        try:
            with bounded(seconds=0.05):
                loop()
        except OutOfBounds as error:
            caught.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert caught == ["it takes more than 0.05 s of processor time"]


def swallowing():
    try:
        loop()
    except Exception:  # as Jinja does where it computes what is constant
        return


def test_its_end_cannot_be_swallowed():
    with pytest.raises(OutOfBounds), bounded(seconds=0.05):
        swallowing()


# What a step takes that nothing can interrupt is doubled with each of its rounds.
ENDLESS = """
import sys, threading
from localdistill import bounded
bounded.SECONDS = bounded.KILL_AFTER = 0.1
def work():
    with bounded.bounded():
        a, b = [1], [1]
        for _ in range(60):
            a, b = [a, a], [b, b]
        print(a == b)
if sys.argv[1] == "thread":
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
"""


@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_step_that_never_ends_ends_with_its_process(where):
    ended = subprocess.run(
        [sys.executable, "-c", ENDLESS, where], capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (-bounds.KILLED_BY, b"")


def test_the_process_lives_on_after_a_block_that_has_ended(monkeypatch):
    monkeypatch.setattr(bounds, "KILL_AFTER", 0.0)
    with bounded(seconds=0.2):
        pass
    end = time.thread_time() + 0.4
    while time.thread_time() < end:
        pass


def test_a_machine_that_stands_still_counts_for_nothing():
    with bounded(seconds=60):
        signal.raise_signal(signal.SIGALRM)  # as when a container was paused until now
        # What is left of the 60 seconds is waited for.
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0


def test_nor_does_it_in_a_thread(monkeypatch):
    looked, left, caught = threading.Semaphore(0), [], []

    def used(thread=None):
        looked.release()
        return 0.0

    def work():
        try:
            with bounded(seconds=0.001):
                for _ in range(3):  # once to begin, then each time that the clock runs out
                    left.append(looked.acquire(timeout=60))
        except OutOfBounds as error:
            caught.append(error)

    monkeypatch.setattr(bounds, "_used", used)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert (left, caught) == ([True] * 3, [])


def test_memory_is_refused_and_is_there_again():
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(OutOfBounds), bounded(memory=64 << 20):
        bytearray(1 << 30)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert len(bytearray(128 << 20)) == 128 << 20


def test_nothing_stays_behind():
    with bounded():
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_other_errors_come_through():
    with pytest.raises(KeyError), bounded():
        raise KeyError("x")
