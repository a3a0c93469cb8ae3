"""What is done now: the stages at work; and at the end, what came out."""

from __future__ import annotations

from rich.text import Text

from localdistill.display.dashboard.drawing import (
    BAD,
    DIM,
    GOOD,
    LATE,
    STRONG,
    bar,
    fitted,
    spread,
    wrapped,
)
from localdistill.display.dashboard.section import Section, View
from localdistill.display.state import StageState
from localdistill.display.words import duration, figures
from localdistill.events import RunFinished

# Told elsewhere on the screen.
_ELSEWHERE = {"passed", "failed", "timeouts", "loss", "held-out loss"}
_VERDICTS = {
    "better": "better",
    "worse": "worse",
    "no evidence": "no evidence that it is better",
    "not known": "not known: there was no time to compare the new model with the old",
    "no new model": "no new model: the starting model is kept",
}
_MESSAGE_LINES = 6


def work(view: View) -> Section:
    """A title with times, a bar with counts, and figures, for each stage at work."""
    if view.state.end is not None:
        lines = [fitted(line, view.width, view.glyphs) for line in outcome(view, view.state.end)]
        return Section(lines, rank=1, least=len(lines), likes=len(lines))
    stages = view.state.at_work()
    if not stages:
        begun = view.state.run is None or view.state.round or view.state.done
        text = "" if begun else "Checking problems, model, memory and sandbox ..."
        return Section([Text(f" {text}", DIM)], rank=1)
    lines = [line for stage in stages for line in _stage(view, stage)]
    likes = len(lines)
    if len(stages) > 1:  # without their figures there is room for both
        least = [line for stage in stages for line in _stage(view, stage)[:2]]
        return Section(lines, rank=1, least=len(least), likes=likes, instead=tuple(least))
    return Section(lines, rank=1, least=min(2, likes), likes=likes, keep_first=2)


def _stage(view: View, stage: StageState) -> list[Text]:
    glyphs, width = view.glyphs, view.width
    told = stage.time_left(view.now)
    so_far = duration(view.now - stage.began)
    times = f"{so_far} so far, {told} " if told else f"{so_far} so far "
    title = Text(f" {glyphs.text(stage.title)}", STRONG)
    lines = [spread(title, Text(times), width, glyphs)]
    count = Text(f"{stage.count('/', '~')} {stage.unit} ")
    room = width - count.cell_len - 3
    if stage.total and room >= 8:
        lines.append(Text.assemble(" ", bar(stage.done / stage.total, room, glyphs), "  ", count))
    elif stage.total != 0:
        lines.append(spread(Text(""), count, width, glyphs))
    shown = {name: value for name, value in stage.info.items() if name not in _ELSEWHERE}
    if info := figures(shown):
        lines.append(fitted(Text(f" {glyphs.text(info)}", DIM), width, glyphs))
    return lines


def outcome(view: View, end: RunFinished) -> list[Text]:
    """The verdict and where the model is, or why there is none."""
    glyphs, width = view.glyphs, view.width - 2
    lines: list[Text] = []
    if end.verdict is not None:
        style = {"better": GOOD, "worse": BAD, "no new model": BAD}.get(end.verdict, LATE)
        text = f"Verdict: {_VERDICTS[end.verdict]}"
        lines += [Text(f" {part}", f"{STRONG} {style}") for part in wrapped(text, width, 2, glyphs)]
    if end.gain is not None and end.gain_low is not None and end.gain_high is not None:
        gain, low, high = (100 * value for value in (end.gain, end.gain_low, end.gain_high))
        level = f"{100 * (end.level or 0.95):g}% interval {low:+.1f} to {high:+.1f}"
        text = f"{gain:+.1f} points in pass@1, {level}"
        lines += [Text(f" {part}") for part in wrapped(text, width, 2, glyphs)]
    if end.model is not None:
        lines.append(Text(f" Model: {glyphs.text(end.model)}"))
    if end.reason is not None:
        parts = wrapped(glyphs.text(end.reason), width, _MESSAGE_LINES, glyphs)
        style = LATE if end.outcome == "stopped" else BAD
        lines += [Text(f" {part}", style) for part in parts]
    return lines or [Text(f" {end.outcome}")]
