"""Draw the live display as an SVG picture, from the events of a real run.

    python scripts/draw_dashboard.py RUN/events.jsonl docs/dashboard.svg [EVENTS]

EVENTS is how many events to take; by default the picture shows the training in its middle.
"""

import io
import re
import sys
import time
from pathlib import Path

from rich.console import Console

from localdistill.display.live import LiveDisplay
from localdistill.events import EVENT, Event, StageProgress


def moment(events: list[Event]) -> int:
    """How many events lie before the middle of the training."""
    training = [
        number
        for number, event in enumerate(events)
        if isinstance(event, StageProgress) and event.stage == "train"
    ]
    return training[len(training) // 2] + 1


def main() -> None:
    """Replay the events into a recording console."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    events = [EVENT.validate_json(line) for line in lines]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else moment(events)
    console = Console(record=True, width=100, file=io.StringIO(), highlight=False)
    display = LiveDisplay(console)
    for event in events[:count]:
        display(event)
    if display.stage is not None:  # the replay takes no time, so it is given the usual
        display.stage.began = time.monotonic() - 40
    console.print(display.render())
    picture = console.export_svg(title="localdistill run")
    # Rich has the viewer fetch a font; the one that is there will do.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    Path(sys.argv[2]).write_text(picture, encoding="utf-8")


main()
