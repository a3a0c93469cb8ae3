"""Draw the dashboard as an SVG picture, from the events of a real run.

    python scripts/draw_dashboard.py RUN/events.jsonl docs/dashboard.svg [SHARE]

SHARE is the part of the training, from 0 to 1, at whose end the picture is taken (default 0.6).
"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from localdistill.display.dashboard.frame import frame
from localdistill.display.dashboard.glyphs import UNICODE
from localdistill.display.dashboard.section import View
from localdistill.display.state import RunState
from localdistill.events import Recorded, StageProgress
from localdistill.jsonl import read_rows

SIZE = (100, 28)


def moment(rows: list[Recorded], share: float) -> int:
    """How many events lie before that moment of the training."""
    training = [
        number
        for number, row in enumerate(rows)
        if isinstance(row.event, StageProgress) and row.event.stage == "train"
    ]
    return training[int(share * (len(training) - 1))] + 1


def main() -> None:
    """Bring a state to that moment, and draw it."""
    rows = read_rows(Path(sys.argv[1]), Recorded)
    share = float(sys.argv[3]) if len(sys.argv) > 3 else 0.6
    state = RunState()
    for row in rows[: moment(rows, share)]:
        state.take(row.event, row.at)
        now = state.working_time(row.at)
    console = Console(
        record=True, width=SIZE[0], file=io.StringIO(), highlight=False, force_terminal=True
    )
    for line in frame(View(state, now, SIZE[0], UNICODE, keys="q stops, p pauses"), SIZE[1]):
        console.print(line, no_wrap=True)
    picture = console.export_svg(title="localdistill run")
    # Rich has the viewer fetch a font; the one that is there will do.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    Path(sys.argv[2]).write_text(picture, encoding="utf-8")


main()
