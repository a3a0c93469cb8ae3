"""What has come out so far: verdicts, selection, losses, scores."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.text import Text

from localdistill.display.curve import Curve
from localdistill.display.dashboard.drawing import (
    BAD,
    DIM,
    GOOD,
    LATE,
    NOW,
    curve,
    fitted,
    interval,
    keep,
    parts_bar,
    wrapped,
)
from localdistill.display.dashboard.glyphs import Glyphs
from localdistill.display.dashboard.section import LABEL, Section, View, labelled
from localdistill.display.state import Tally
from localdistill.events import Scalar, Scored

_ROWS = 4  # of a curve where there is room
_NARROW = 60  # columns


def verdicts(view: View) -> Section | None:
    """Passed, failed and timed out, as they come in."""
    tally = view.state.tally
    if tally is None:
        return None
    open_ = [stage.total or 0 for stage in view.state.at_work() if stage.title == tally.title]
    lines = _verdicts(tally, max(open_, default=0), view.width, view.glyphs)
    return Section(lines, 3, least=2, likes=2)


@keep
def _verdicts(tally: Tally, total: int, width: int, glyphs: Glyphs) -> tuple[Text, ...]:
    counts = (tally.passed, tally.failed, tally.timeouts)
    drawn = parts_bar(counts, total, width - LABEL - 2, glyphs)
    told = _told(counts, width, glyphs)
    second = Text.assemble(" ", labelled(_of_which(tally.title)), told)
    if second.cell_len > width:
        second = Text.assemble(" ", told)
    return Text.assemble(" ", labelled("tests", drawn)), fitted(second, width, glyphs)


def _of_which(title: str) -> str:
    """``on dev`` for a comparison of models; nothing for a round's own completions."""
    found = re.search(r"\((\w+)\)", title)
    return f"on {found[1]}" if found else ""


def _told(counts: tuple[int, int, int], width: int, glyphs: Glyphs) -> Text:
    """The figures of a bar of verdicts, with its characters."""
    short = width < _NARROW
    known = max(1, sum(counts))
    parts = []
    for name, character, count, style in zip(
        ("passed", "failed", "timed out"),
        glyphs.kinds,
        counts,
        (GOOD, BAD, LATE),
        strict=True,
    ):
        part = Text.assemble((f"{character} ", style), f"{name} {count:,}")
        if name == "passed" and not short:
            part.append(f" ({100 * count / known:.0f}%)", DIM)
        parts.append(part)
    return Text(" " if short else "   ").join(parts)


def selection(view: View) -> Section | None:
    """Kept and dropped, with the reasons."""
    summary = view.state.selection
    if summary is None:
        return None
    lines = _selection(tuple(summary.items()), view.width, view.glyphs)
    return Section(lines, rank=7, least=1, likes=len(lines), keep_first=len(lines))


@keep
def _selection(
    told: tuple[tuple[str, Scalar], ...], width: int, glyphs: Glyphs
) -> tuple[Text, ...]:
    summary = dict(told)
    reasons = [
        f"{count:,} {name}"
        for name, count in told
        if name not in ("kept", "problems") and isinstance(count, int)
    ]
    kept = summary.get("kept", 0)
    text = f"{kept:,} kept" if isinstance(kept, int) else ""
    text += f", from {summary['problems']} problems" if "problems" in summary else ""
    text += f"; dropped: {', '.join(reasons)}" if reasons else ""
    parts = wrapped(glyphs.text(text), width - LABEL - 2, 5, glyphs)
    return tuple(
        Text.assemble(" ", labelled("selected" if not number else "", part))
        for number, part in enumerate(parts)
    )


def losses(view: View) -> Section | None:
    """The loss in training and on what was held out, over the whole of the training."""
    lines: list[Text] = []
    shown = (("loss", view.state.loss, NOW), ("held-out", view.state.held_out, LATE))
    for name, values, style in shown:
        if values.points:
            lines += _curve(view, name, values, style)
    if not lines:
        return None
    return Section(lines, rank=4, least=min(2, len(lines)), likes=len(lines))


def _curve(view: View, name: str, values: Curve, style: str) -> Sequence[Text]:
    told = f"  {values.first:.3f} {view.glyphs.arrow} {values.last:.3f} "
    width = view.width - LABEL - 1 - len(told)
    if width < 8:
        return [Text.assemble(" ", labelled(name, told.strip()))]
    high = _ROWS if view.roomy else 1
    return _drawn(name, told, values.columns(width), high, view.glyphs, style)


@keep
def _drawn(
    name: str,
    told: str,
    columns: tuple[float | None, ...],
    high: int,
    glyphs: Glyphs,
    style: str,
) -> tuple[Text, ...]:
    rows = curve(columns, high, glyphs, style)
    last = len(rows) - 1
    return tuple(
        Text.assemble(
            " ", labelled(name if not number else "", row, told if number == last else "")
        )
        for number, row in enumerate(rows)
    )


def scores(view: View) -> Section | None:
    """pass@1 of each round's model on dev (and at the end on eval), with its interval."""
    found = sorted(view.state.scores.values(), key=lambda each: (each.problem_set, each.round))
    if not found:
        return None
    lines: list[Text] = []
    for number, score in enumerate(found):
        if not number or score.problem_set != found[number - 1].problem_set:
            lines.append(_title_of(score.problem_set, view.width, view.glyphs))
        lines.append(_score(score, view.width, view.glyphs))
    first = 2 if found[0].round == 0 else 1
    return Section(
        lines, rank=5, least=min(2, len(lines)), likes=min(4, len(lines)), keep_first=first
    )


@keep
def _title_of(problem_set: str, width: int, glyphs: Glyphs) -> Text:
    text = Text.assemble(" ", (f"pass@1 on {glyphs.text(problem_set)}", DIM))
    return fitted(text, width, glyphs)


@keep
def _score(score: Scored, width: int, glyphs: Glyphs) -> Text:
    value = f"{100 * score.value:5.1f}% ({100 * score.low:.1f} to {100 * score.high:.1f})"
    room = width - LABEL - 3 - len(value)
    drawn = Text("")
    if room >= 10:
        drawn = interval(score.low, score.value, score.high, room, glyphs)
    label = "base" if score.round == 0 else glyphs.text(score.model)
    return fitted(Text.assemble(" ", labelled(label, drawn, f" {value} ")), width, glyphs)
