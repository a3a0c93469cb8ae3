"""Draws the moments of ``recordings`` on the terminal that it runs in: a name a line, to its end.

python -m tests.display.in_terminal
"""

import sys
import threading

from localdistill.display.dashboard.frame import frame
from localdistill.display.dashboard.glyphs import UNICODE
from localdistill.display.dashboard.screen import Screen
from localdistill.display.dashboard.section import View
from tests.display.test_dashboard import KEYS, found_at

asked = [next(iter(sys.stdin)).strip()]
over = threading.Event()


def listen():
    for line in sys.stdin:
        asked[0] = line.strip()
    over.set()


threading.Thread(target=listen, daemon=True).start()
screen = Screen(sys.stdout)
screen.enter()
while not over.wait(0.05):
    recording, state = found_at(asked[0])
    size = screen.size()
    view = View(state, state.working_time(recording.now + 1), size[0], UNICODE, keys=KEYS)
    screen.paint(frame(view, size[1]), size)
screen.leave()
