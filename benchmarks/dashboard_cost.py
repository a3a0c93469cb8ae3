"""What the dashboard costs: the processor time of the run's own process, display and journal.

    python benchmarks/dashboard_cost.py [OPTIONS OF localdistill run ...]

Stages work in processes of their own, so the run's process has little to do but to take events,
write them down and draw. Runs once with the dashboard on a terminal of 200x60 and once without any
display. ``display_share`` is what the first one's process took more, against what all cores could
have done in the time that the run took. It must be under 0.01. ``share`` is all of that process,
with what it does once whatever is shown: imports, checks, the journal, the report.
"""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

SMALL = ("--set", "generate.samples=4", "--set", "evaluate.samples=2")
CODE = "from localdistill.cli import main; main()"
TICKS = os.sysconf("SC_CLK_TCK")


def own_seconds(pid: int) -> float | None:
    """Processor time of process ``pid`` without its children's."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS


def drain(descriptor: int) -> None:
    """Read what is drawn, as a terminal does."""
    try:
        while os.read(descriptor, 65536):
            pass
    except OSError:
        return


def measure(kind: str, options: list[str]) -> tuple[float, float]:
    """(processor seconds of the run's process, seconds that the run took)."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    threading.Thread(target=drain, args=(screen,), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        given = ["run", "--run-dir", f"{folder}/run", "--progress", kind, *options]
        began = time.monotonic()
        run = subprocess.Popen(
            [sys.executable, "-c", CODE, *given],
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        used = 0.0
        while run.poll() is None:
            used = own_seconds(run.pid) or used
            time.sleep(0.1)
        seconds = time.monotonic() - began
    os.close(terminal)
    os.close(screen)
    if run.returncode != 0:
        sys.exit(f"the run ended with {run.returncode}")
    return used, seconds


def main() -> None:
    """Measure both and print one line."""
    options = sys.argv[1:] or list(SMALL)
    bare, _ = measure("none", options)
    live, seconds = measure("live", options)
    cores = len(os.sched_getaffinity(0))
    found = {
        "share": round(live / (seconds * cores), 5),
        "display_share": round((live - bare) / (seconds * cores), 5),
        "run_process_s": round(live, 2),
        "without_display_s": round(bare, 2),
        "run_s": round(seconds, 1),
        "cores": cores,
    }
    print(json.dumps(found))


main()
