"""What goes to the terminal: what has changed, in characters that it knows."""

import io
import os
import re
import threading

import pytest
from rich.text import Text

from localdistill.display import open_run_display
from localdistill.display.dashboard import display as shown
from localdistill.display.dashboard.display import Dashboard, Pace
from localdistill.display.dashboard.glyphs import ASCII, UNICODE, glyphs_for
from localdistill.display.dashboard.screen import Screen
from localdistill.display.plain import PlainDisplay
from localdistill.events import StageStarted
from tests.display.recordings import MOMENTS

PLACE = re.compile(r"\x1b\[(\d+);1H")


class Terminal(io.StringIO):
    """Says that it is one, in whose foreground we are."""

    encoding = "utf-8"

    def isatty(self):
        return True

    def fileno(self):
        raise OSError("it has none")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LANG", "en_US.UTF-8")


def test_only_lines_that_have_changed_are_written():
    stream = Terminal()
    screen = Screen(stream)
    assert screen.paint([Text("a"), Text("b", "red"), Text("c")], (80, 24)) == 3
    stream.truncate(0)
    assert screen.paint([Text("a"), Text("b", "green"), Text("c")], (80, 24)) == 1
    assert PLACE.findall(stream.getvalue()) == ["2"]
    stream.truncate(0)
    assert screen.paint([Text("a"), Text("b", "green"), Text("c")], (80, 24)) == 0
    assert stream.getvalue() == ""


def test_lines_that_are_no_more_are_cleared():
    stream = Terminal()
    screen = Screen(stream)
    screen.paint([Text("a"), Text("b"), Text("c")], (80, 24))
    stream.truncate(0)
    assert screen.paint([Text("a")], (80, 24)) == 0
    assert "\x1b[2;1H\x1b[J" in stream.getvalue()


def test_what_cannot_be_drawn_is_one_line_and_no_end_of_the_display(monkeypatch):
    def broken(view, height):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(shown, "frame", broken)
    (line,) = Dashboard(Terminal()).frame((80, 24))
    assert "ZeroDivisionError: oh" in line.plain and "The run goes on" in line.plain


def test_after_a_resize_everything_is_written_on_an_empty_screen():
    stream = Terminal()
    screen = Screen(stream)
    screen.paint([Text("a"), Text("b")], (80, 24))
    stream.truncate(0)
    screen.paint([Text("a"), Text("b")], (100, 24))
    assert "\x1b[2J" in stream.getvalue()
    assert PLACE.findall(stream.getvalue()) == ["1", "2"]


def test_without_colour_there_is_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31" not in Screen(Terminal()).encoded(Text("a", "red"))
    assert Screen(Terminal()).encoded(Text("a", "bold")) == "\x1b[1ma\x1b[0m"


def test_with_colour_there_is():
    assert "\x1b[31ma" in Screen(Terminal()).encoded(Text("a", "red"))


def test_it_leaves_the_screen_as_it_was_and_a_line_for_each_finished_stage():
    stream = Terminal()
    recording = MOMENTS["train"]()
    with pytest.raises(ZeroDivisionError), Dashboard(stream) as display:
        for at, event in recording.events:
            display.take(event, at)
        raise ZeroDivisionError
    text = stream.getvalue()
    assert text.startswith("\x1b[?1049h")
    left = re.sub(r"\x1b\[[0-9;]*m", "", text[text.index("\x1b[?1049l") :])
    assert "\x1b[?25h" in text
    assert "✓ generate" in left and "Round 1 of 2" in left and "Warning: Memory ran out" in left


def test_a_look_paints_what_is_new_though_its_next_moment_is_far_away():
    painted, seen = threading.Event(), threading.Event()

    class Watched(Terminal):
        def write(self, text):
            if "2026h" in text:
                painted.set()
            if "of its own" in text:
                seen.set()
            return super().write(text)

    with Dashboard(Watched(), pace=Pace(look=3600, paint=0, clock=3600)) as display:
        assert painted.wait(60)
        display(StageStarted(stage="train", title="a stage of its own", total=1, unit="examples"))
        display.look()
        assert seen.wait(60)
    assert not display.stuck  # its end is such a look, too


@pytest.mark.parametrize(
    ("encoding", "environment", "glyphs"),
    [
        ("utf-8", {"LANG": "de_DE.UTF-8"}, UNICODE),
        ("utf-8", {"LANG": "C.utf8"}, UNICODE),
        ("utf-8", {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, ASCII),  # as Python coerces it
        ("utf-8", {"LC_CTYPE": "C.UTF-8"}, ASCII),
        ("utf-8", {"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, UNICODE),
        ("utf-8", {"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, ASCII),
        ("iso8859-1", {"LANG": "de_DE.UTF-8"}, ASCII),
        ("utf-8", {}, ASCII),
        (None, {"LANG": "de_DE.UTF-8"}, ASCII),
    ],
)
def test_blocks_are_drawn_only_where_they_are_known(encoding, environment, glyphs):
    assert glyphs_for(encoding, environment) is glyphs


def test_in_ascii_names_are_ascii_too():
    assert ASCII.text("modèle → x") == "mod?le ? x"


def test_a_terminal_gets_the_dashboard_and_whatever_cannot_be_drawn_on_plain_lines(monkeypatch):
    opened = Terminal()
    monkeypatch.setattr(Terminal, "fileno", lambda self: os.open(os.devnull, os.O_RDONLY))
    assert isinstance(open_run_display(None, opened), Dashboard)
    assert isinstance(open_run_display("live", io.StringIO()), PlainDisplay)
    assert isinstance(open_run_display("plain", opened), PlainDisplay)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_run_display("live", opened), PlainDisplay)
