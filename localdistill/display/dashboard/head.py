"""The first lines, which say what runs, how far it is and how long it will take; and the last."""

from __future__ import annotations

from rich.text import Text

from localdistill.display.dashboard.drawing import (
    BAD,
    DIM,
    GOOD,
    LATE,
    NOW,
    STRONG,
    fitted,
    keep,
    spread,
)
from localdistill.display.dashboard.estimate import ROUND, SHORT, run_left
from localdistill.display.dashboard.glyphs import Glyphs
from localdistill.display.dashboard.section import Section, View, name_of
from localdistill.display.words import about, duration, steer
from localdistill.events import RunStarted

STOPPING = "stopping after this batch; the same command goes on from here"
_WIDE_ENOUGH = 72  # columns, to say what is not counted
_STOPPING_SHORT = " stopping; the same command goes on"


def header(view: View) -> Section:
    """Model, directory and how the run is; round, and time left in all."""
    state, glyphs = view.state, view.glyphs
    title = _title(state.run, glyphs)
    lines = [spread(title, status(view), view.width, glyphs)]
    where = Text(" ")
    if state.round:
        where.append(f"Round {state.round} of {state.rounds}")
    lines.append(spread(where, Text(_time_left(view), DIM), view.width, glyphs))
    return Section(lines, rank=0, least=2, likes=2, gap=False)


@keep
def _title(run: RunStarted | None, glyphs: Glyphs) -> Text:
    title = Text(" localdistill", STRONG)
    if run is not None:
        title.append(f"  {glyphs.text(name_of(run.model))}", NOW)
        title.append(f" {glyphs.arrow} {glyphs.text(run.directory)}", DIM)
    return title


def _time_left(view: View) -> str:
    """For the whole run; nothing where it cannot be told, or stands still."""
    state = view.state
    left = run_left(state, view.now)
    if left is None or state.paused_since is not None or state.stopping:
        return ""
    told, is_most = f"about {about(left.seconds)} left", SHORT.issuperset(left.without)
    told += " in all" if is_most else ""
    if left.without and view.width >= _WIDE_ENOUGH:
        return f"{told}, {' and '.join(left.without)} not counted "
    return f"{told} " if is_most else ""


def status(view: View) -> Text:
    """How the run is, in a word or two, and how long it has worked."""
    state = view.state
    words, style = "running", GOOD
    if state.end is not None:
        words = state.end.outcome
        style = {"finished": GOOD, "stopped": LATE, "failed": BAD}[words]
    elif state.stopping:
        words, style = "stopping", LATE
    elif state.paused_since is not None:
        words, style = "paused", LATE
    worked = duration(view.now - state.began) if state.run is not None else ""
    return Text.assemble((words, style), f" {worked} ")


# Under which of a round's stages a person looks for the others.
_PART_OF = {
    "fetch": "prepare",
    "diversity": "verify",
    "budget": "select",
    "regression": "evaluate",
}


def strip(view: View) -> Section:
    """The stages of a round, and which of them are done."""
    state = view.state
    at_work = {_PART_OF.get(stage.name, stage.name) for stage in state.at_work()}
    done = {entry.stage for entry in state.done if entry.round == state.round}
    if state.round:
        done.add("prepare")
    line = _strip(frozenset(at_work), frozenset(done), view.width, view.glyphs)
    return Section([line], rank=9, gap=False)


@keep
def _strip(at_work: frozenset[str], done: frozenset[str], width: int, glyphs: Glyphs) -> Text:
    line = Text(" ")
    for name in ("prepare", *ROUND, "evaluate"):
        if name in at_work:
            line.append(f"{glyphs.at_work} {name}   ", f"{STRONG} {NOW}")
        elif name in done:
            line.append(f"{glyphs.done} {name}   ", GOOD)
        else:
            line.append(f"{glyphs.ahead} {name}   ", DIM)
    line.rstrip()
    return fitted(line, width, glyphs)


def footer(view: View) -> Section:
    """Where the log is, and the keys."""
    state = view.state
    stopping = state.stopping and state.end is None
    log = state.run.log if state.run is not None else ""
    lines = _footer(log, view.keys, stopping, view.width, view.glyphs)
    return Section(lines, rank=2, least=1, likes=2)


@keep
def _footer(log: str, keys: str, stopping: bool, width: int, glyphs: Glyphs) -> tuple[Text, ...]:
    rule = Text(glyphs.rule * width, DIM)
    if stopping:
        long = f" {STOPPING}{'; q again stops at once' if steer(keys) else ''}"
        text = Text(long if len(long) < width else _STOPPING_SHORT, LATE)
        return rule, fitted(text, width, glyphs)
    left = Text(f" log {glyphs.text(log)}", DIM)
    right = Text(f"{keys} " if keys else "", DIM)
    return rule, spread(left, right, width, glyphs)
