"""Pausing and stopping stages at work, from the run's side and from theirs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localdistill import control, steering
from localdistill.errors import Stopped
from localdistill.events import Steered
from localdistill.stages import running
from localdistill.stages.running import Running

# A stage of units, each told on stdout at its beginning and at its end, which comes with a line on
# stdin. The last word is how the stage ended.
STAGE = """
import sys
from localdistill import control
from localdistill.errors import Stopped
control.listen(int(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
try:
    with control.cooperative():
        for number in range(9):
            print("begins", number, flush=True)
            sys.stdin.readline()
            print("ends", number, flush=True)
            control.check()
except Stopped:
    print("stopped", flush=True)
else:
    print("ended", flush=True)
"""


class Stage:
    def __init__(self, run):
        self.process = subprocess.Popen(
            [sys.executable, "-c", STAGE, str(run.descriptor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(run.descriptor,),
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert self.said() == "ready"

    def said(self):
        return self.process.stdout.readline().strip()

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def begin(self):
        self.go()
        assert self.said() == "begins 0"


@pytest.fixture
def run():
    return Running()


@pytest.fixture
def stage(run):
    found = Stage(run)
    yield found
    found.process.kill()
    found.process.communicate()


def test_a_stop_comes_after_the_unit_that_is_under_way(run, stage):
    with run.child(stage.process):
        stage.begin()
        run.stop()
        assert run.stopping
        stage.go()
        assert stage.said() == "ends 0"
        assert stage.said() == "stopped"


def test_a_part_of_a_stage_that_does_not_look_is_ended_at_once(run, stage):
    with run.child(stage.process):
        run.stop()
        assert stage.process.wait(timeout=60) == -signal.SIGTERM


def test_a_paused_stage_stands_still_and_goes_on(run, stage):
    seen = []
    with run.child(stage.process), run.telling(seen.append):
        stage.begin()
        run.pause(True)
        assert run.paused
        stage.go()
        assert stage.said() == "ends 0"
        run.pause(False)
        assert stage.said() == "begins 1"
    for thread in [t for t in running.threading.enumerate() if t.name == "steered"]:
        thread.join()
    assert sorted(seen, key=lambda event: event.wish) == [
        Steered(wish="pause"),
        Steered(wish="resume"),
    ]


def test_a_paused_stage_can_be_stopped(run, stage):
    with run.child(stage.process):
        run.pause(True)
        stage.begin()
        stage.go()
        assert stage.said() == "ends 0"
        run.stop()
        assert stage.said() == "stopped"


def test_a_stage_waits_between_two_units_while_it_is_paused(run, monkeypatch):
    clock, mine = [100.0], control._Stage()
    run.pause(True)

    def sleep(seconds):
        clock[0] += seconds
        if clock[0] > 160:
            run.pause(False)

    monkeypatch.setattr(control, "_stage", mine)
    monkeypatch.setattr(control.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(control.time, "sleep", sleep)
    control.listen(os.dup(run.descriptor))
    assert control.goes_on()
    assert clock[0] > 160
    assert control.paused_s() == pytest.approx(clock[0] - 100)
    control.check()  # it goes on without waiting
    assert control.paused_s() == pytest.approx(clock[0] - 100)
    mine.stop.set()
    with pytest.raises(Stopped):
        control.check()


def test_what_does_not_stop_in_time_is_killed(run, stage):
    with run.child(stage.process):
        stage.begin()
        run.stop(within_s=0.01)
        assert stage.process.wait(timeout=60) == -signal.SIGKILL


def test_a_stage_that_begins_while_all_is_stopped_is_ended(run, stage):
    run.stop()
    with run.child(stage.process):
        assert stage.process.wait(timeout=60) == -signal.SIGTERM


@pytest.fixture
def one(run, monkeypatch):
    """The run of this process, and handlers of signals put back afterwards."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    monkeypatch.setattr(steering, "RUNNING", run)
    steering.install()
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_first_signal_stops_in_order_and_a_second_at_once(one, stage):
    with pytest.raises(KeyboardInterrupt), one.child(stage.process):
        stage.begin()
        signal.raise_signal(signal.SIGTERM)
        assert one.stopping and stage.process.poll() is None
        signal.raise_signal(signal.SIGTERM)
    assert stage.process.wait(timeout=60) in (-signal.SIGKILL, 0)


def test_a_signal_between_stages_ends_at_once(one):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_the_keys(one, stage):
    with one.child(stage.process):
        stage.begin()
        steering.on_key("p")
        assert one.paused
        steering.on_key("P")
        assert not one.paused
        steering.on_key("x")
        steering.on_key("q")
        assert one.stopping
        steering.on_key("p")
        assert not one.paused  # nothing goes on any more
        with pytest.raises(KeyboardInterrupt):
            steering.on_key("q")
            signal.sigtimedwait([], 5)  # where the handler comes at the latest


def test_stopped_has_a_shells_exit_code_and_says_how_to_go_on():
    assert Stopped().exit_code == 130
    assert str(Stopped()) == "stopped; the same command goes on from here."
