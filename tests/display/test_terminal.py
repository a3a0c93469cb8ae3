"""The dashboard as tmux has it on its screen, after changes of its size: the same snapshots."""

import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.display.recordings import MOMENTS, SIZES
from tests.display.test_dashboard import path_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
PATIENCE_S = 60  # for a machine that is busy; a picture that is right is seen at once


class Terminal:
    """A window of a tmux server of its own, in which the moments are drawn."""

    def __init__(self) -> None:
        self.server = f"localdistill-test-{uuid.uuid4().hex[:8]}"
        command = shlex.join([sys.executable, "-m", "tests.display.in_terminal"])
        root = Path(__file__).parents[2]
        shell = f"cd {shlex.quote(str(root))}; stty -echo; exec env COLORTERM= {command}"
        columns, lines = SIZES[0]
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), shell)
        self.tmux("set-option", "-g", "window-size", "manual")

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-u", "-L", self.server, "-f", os.devnull, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def turn_to(self, size: tuple[int, int]) -> None:
        self.tmux("resize-window", "-x", str(size[0]), "-y", str(size[1]))

    def until(self, wanted: str) -> str:
        """What is on the screen, when it is ``wanted`` or there is no more patience."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            shown = "".join(
                f"{line.rstrip()}\n" for line in self.tmux("capture-pane", "-p").splitlines()
            )
            if shown == wanted or time.monotonic() > deadline:
                return shown
            time.sleep(0.02)


@pytest.fixture(scope="module")
def terminal():
    found = Terminal()
    yield found
    found.tmux("kill-server")


@pytest.mark.parametrize("moment", MOMENTS)
def test_tmux_shows_each_moment_in_each_size(terminal, moment):
    terminal.tmux("send-keys", "-l", moment)  # letters: `end` is a key
    terminal.tmux("send-keys", "Enter")
    for size in SIZES:
        terminal.turn_to(size)
        wanted = path_of(moment, size).read_text(encoding="utf-8")
        assert terminal.until(wanted) == wanted
