"""A terminal that takes nothing any more, as after Ctrl-S or where a connection hangs."""

import io
import os
import subprocess
import sys
import termios
import threading
import time
import tty

import pytest

from localdistill.display.dashboard.display import Dashboard
from localdistill.events import Notice, Recorded, RunStarted
from localdistill.jsonl import JsonlWriter
from localdistill.run_dir import RunDir

# The end of a run, on a terminal that takes nothing: stands in for the pipeline.
PROGRAM = """
import argparse, sys, termios
from pathlib import Path
from localdistill import pipeline, run_command
from localdistill.errors import Stopped
from localdistill.events import RunFinished

def run(config, place, callback):
    termios.tcflow(1, termios.TCOOFF)
    callback(RunFinished(outcome="finished", exit_code=7, run_dir=str(place.path)))
    if sys.argv[1] == "stopped":
        raise Stopped

pipeline.run = run
run_command.write_at_the_end = lambda *arguments: None
told = f"sh -c 'cat >{sys.argv[2]}'"
options = argparse.Namespace(progress="live", on_finish=told, run_dir=Path(sys.argv[2]).parent)
run_command.run_config = lambda options, claim: None
run_command.run(options)
"""


@pytest.fixture
def terminal():
    """Both ends of a terminal; the person's is read until it is closed."""
    person, program = os.openpty()
    tty.setraw(program)
    yield person, program
    termios.tcflow(program, termios.TCOON)  # so that no thread waits for ever
    os.close(program)
    os.close(person)


def drain(person):
    """Read what is shown, so that only the stopped flow holds it up; tells when it begins."""
    begun = threading.Event()

    def read():
        try:
            while os.read(person, 65536):
                begun.set()
        except OSError:
            pass

    threading.Thread(target=read, daemon=True).start()
    return begun


def test_the_dashboard_ends_without_another_word(terminal):
    person, program = terminal
    drain(person)
    stream = io.TextIOWrapper(os.fdopen(os.dup(program), "wb"), write_through=False)
    with Dashboard(stream) as dashboard:
        assert not dashboard.stuck
        termios.tcflow(program, termios.TCOOFF)
        dashboard(RunStarted(model="m", directory="d", log="l", rounds=1))
    assert dashboard.stuck
    termios.tcflow(program, termios.TCOON)
    dashboard._thread.join()
    assert not dashboard.stuck


@pytest.mark.parametrize("how", ["finished", "stopped"])
def test_the_runs_end_is_told_and_the_process_ends(terminal, tmp_path, how):
    person, program = terminal
    drain(person)
    told = tmp_path / "told.json"
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, told],
        stdin=subprocess.DEVNULL, stdout=program, stderr=subprocess.PIPE, timeout=120, check=False,
        env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    assert ended.returncode == 7, ended.stderr.decode()
    assert '"exit_code":7' in told.read_text()


def test_a_watcher_is_gone_when_the_run_ends(terminal, tmp_path):
    person, program = terminal
    begun = drain(person)
    directory = RunDir(tmp_path)
    watch = "import sys; from localdistill.cli import main; main(['watch', sys.argv[1]])"
    with directory, JsonlWriter(directory.events) as writer:
        started = RunStarted(model="m", directory="d", log="l", rounds=1)
        writer.write(Recorded(at=time.time(), event=started))
        watcher = subprocess.Popen(
            [sys.executable, "-c", watch, tmp_path], stdin=subprocess.DEVNULL, stdout=program,
            env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        assert begun.wait(120)
        termios.tcflow(program, termios.TCOOFF)
        writer.write(Recorded(at=time.time(), event=Notice(message="of the end")))
    assert watcher.wait(120) == 0
