"""Capture the dashboard of a real run from tmux: each stage in three sizes of the terminal.

    python scripts/tmux_capture.py FOLDER [OPTIONS OF localdistill run ...]

It needs tmux. Without options it runs on the seed model, in FOLDER/run, and presses p twice while
the model is trained. The captures are FOLDER/STAGE-80x24.txt and so on; look at them.
"""

import shlex
import subprocess
import sys
import time
from pathlib import Path

from localdistill.display.state import RunState
from localdistill.run_dir import RunDir
from localdistill.watching import Recording

SIZES = ((80, 24), (120, 40), (200, 60))
SETTLE_S = 0.9  # a resize is seen within a quarter of a second, and drawn at once
SERVER = "localdistill-capture"
SMALL = ("--set", "generate.samples=4", "--set", "evaluate.samples=2", "--limit", "60")


def tmux(*arguments: str) -> str:
    """Run one tmux command on a server of our own."""
    command = ["tmux", "-L", SERVER, "-f", "/dev/null", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def start(folder: Path, options: list[str]) -> Path:
    """Begin the run in a session of its own; returns its directory."""
    run_dir = folder / "run"
    code = "from localdistill.cli import main; main()"
    given = ["run", "--run-dir", str(run_dir), *(options or SMALL)]
    command = shlex.join([sys.executable, "-c", code, *given])
    kept = f"LANG=C.UTF-8 {command}; echo ended with $?; exec cat"
    columns, lines = SIZES[0]
    tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), kept)
    tmux("set-option", "-g", "window-size", "manual")
    return run_dir


def capture(folder: Path, name: str) -> None:
    """What is to be seen now, in each size."""
    for columns, lines in SIZES:
        tmux("resize-window", "-x", str(columns), "-y", str(lines))
        time.sleep(SETTLE_S)
        text = tmux("capture-pane", "-p")
        (folder / f"{name}-{columns}x{lines}.txt").write_text(text, encoding="utf-8")
    tmux("resize-window", "-x", str(SIZES[0][0]), "-y", str(SIZES[0][1]))


def follow(folder: Path, run_dir: Path) -> None:
    """Capture each stage once, when it has begun to tell of its progress."""
    state, recording, seen = RunState(), Recording(RunDir(run_dir)), set()
    while state.end is None:
        for recorded in recording.new():
            state.take(recorded.event, recorded.at)
        names = [stage.name for stage in state.at_work() if stage.info or stage.name == "prepare"]
        name = "+".join(names)
        if name and name not in seen:
            seen.add(name)
            capture(folder, name)
            if name == "train":
                tmux("send-keys", "p")
                time.sleep(2)
                capture(folder, "paused")
                tmux("send-keys", "p")
        if "ended with" in tmux("capture-pane", "-p"):
            break
        time.sleep(0.2)


def main() -> None:
    """Do the run and capture it."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run_dir = start(folder, sys.argv[2:])
        follow(folder, run_dir)
        while "ended with" not in tmux("capture-pane", "-p"):
            time.sleep(0.2)
        # After the end: what is left in the terminal's history.
        history = tmux("capture-pane", "-p", "-S", "-100")
        (folder / "afterwards.txt").write_text(history, encoding="utf-8")
    finally:
        subprocess.run(["tmux", "-L", SERVER, "kill-server"], check=False, capture_output=True)


main()
