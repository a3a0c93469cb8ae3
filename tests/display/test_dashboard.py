"""The dashboard in each stage, as text; and that it fits terminals of all sizes.

The pictures stand in ``snapshots/``. After a change that is meant, renew them and look at them:

    python -m tests.display.test_dashboard
"""

import functools
from dataclasses import replace
from pathlib import Path

import pytest

from localdistill.display.dashboard import around, head
from localdistill.display.dashboard import found as found_so_far
from localdistill.display.dashboard.frame import frame
from localdistill.display.dashboard.glyphs import ASCII, UNICODE
from localdistill.display.dashboard.section import View
from localdistill.display.state import RunState
from localdistill.events import Notice, RunStarted
from tests.display.recordings import MOMENTS, SIZES

SNAPSHOTS = Path(__file__).with_name("snapshots")
KEYS = "q stops, p pauses"


def state_of(recording):
    state = RunState()
    for at, event in recording.events:
        state.take(event, at)
    return state


@functools.cache
def found_at(moment):
    recording = MOMENTS[moment]()
    return recording, state_of(recording)


def drawn(moment, size, glyphs=UNICODE):
    recording, state = found_at(moment)
    view = View(state, state.working_time(recording.now + 1), size[0], glyphs, keys=KEYS)
    return frame(view, size[1])


def text_of(lines):
    return "".join(f"{line.plain.rstrip()}\n" for line in lines)


def path_of(moment, size, kind=""):
    return SNAPSHOTS / f"{moment}{kind}-{size[0]}x{size[1]}.txt"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("moment", MOMENTS)
def test_it_looks_as_it_did(moment, size):
    assert text_of(drawn(moment, size)) == path_of(moment, size).read_text(encoding="utf-8")


def test_it_looks_as_it_did_in_ascii():
    text = text_of(drawn("train", SIZES[0], ASCII))
    assert text == path_of("train", SIZES[0], "-ascii").read_text(encoding="utf-8")
    assert text.isascii()


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_no_frame_is_wider_or_higher_than_its_terminal(moment, glyphs):
    for columns in (40, 53, 80, 109, 110, 111, 163, 240):
        for lines in (10, 13, 24, 33, 34, 70):
            found = drawn(moment, (columns, lines), glyphs)
            assert len(found) == lines, (columns, lines)
            assert max(line.cell_len for line in found) <= columns, (columns, lines)


def test_every_reason_for_which_something_was_dropped_is_shown_in_a_column():
    """So that what is kept and dropped adds up for who reads it."""
    state = RunState()
    counts = {"failed tests": 11496, "duplicate": 3111, "over the cap": 2311, "no code": 1020}
    counts |= {"in a loop": 310, "among the shortest": 205, "not judged": 23, "broken text": 3}
    state.selection = {"kept": 11185, "problems": "3318 of 3740", **counts}
    section = found_so_far.selection(View(state, 0.0, 58, UNICODE))
    text = " ".join(line.plain.strip() for line in section.lines)
    assert all(f"{count:,} {reason}" in text for reason, count in counts.items())


def test_wide_characters_and_long_names_fit_too():
    recording = MOMENTS["train"]()
    run = RunStarted(model="/模型/" + "模" * 70, directory="蒸馏" * 30, log="日志" * 40, rounds=1)
    recording.events.insert(0, (999.0, Notice(message="警告" * 80, level="warning")))
    state = state_of(recording)
    state.run = run
    state.notices.append(Notice(message="注意 " * 60))
    state.noticed.append(61.0)
    for columns, lines in ((40, 10), (80, 24), (111, 30), (200, 60)):
        found = frame(View(state, recording.now, columns, UNICODE, keys=KEYS), lines)
        assert len(found) == lines
        assert max(line.cell_len for line in found) <= columns


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_smallest_terminal_shows_the_work_and_the_last_line(moment):
    text = text_of(drawn(moment, (40, 10)))
    names = {"generate_and_verify": "generate", "second_round": "generate"}
    names["evaluate_verify"], names["plain_questions"] = "evaluate", "plain questio"
    names |= dict.fromkeys(("paused", "stopping"), "train")
    shown = {"end": "Verdict: better", "error": "its process was killed"}
    assert shown.get(moment, names.get(moment, moment)) in text
    assert text.splitlines()[-1].strip()


def renew():
    for moment in MOMENTS:
        for size in SIZES:
            path_of(moment, size).write_text(text_of(drawn(moment, size)), encoding="utf-8")
    ascii_text = text_of(drawn("train", SIZES[0], ASCII))
    path_of("train", SIZES[0], "-ascii").write_text(ascii_text, encoding="utf-8")


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_is_kept_of_a_screen_is_what_would_be_drawn_anew(moment, size):
    state = RunState()
    for at, event in MOMENTS[moment]().events:
        state.take(event, at)
        view = View(state, state.working_time(at + 1), size[0], UNICODE, keys=KEYS)
        for other in SIZES:
            frame(replace(view, width=other[0], glyphs=ASCII), other[1])
            frame(replace(view, width=other[0] - 1), other[1] + 1)
        after_others = frame(view, size[1])
        forget()
        anew = frame(view, size[1])
        assert [line.markup for line in after_others] == [line.markup for line in anew]


def forget():
    for part in (around, found_so_far, head):
        for function in vars(part).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()


if __name__ == "__main__":
    renew()
