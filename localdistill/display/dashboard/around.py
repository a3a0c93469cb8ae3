"""What is around the work: the machine, what has been done before, what was noticed."""

from __future__ import annotations

from rich.text import Text

from localdistill.display.dashboard.drawing import DIM, GOOD, LATE, bar, fitted, keep, wrapped
from localdistill.display.dashboard.glyphs import Glyphs
from localdistill.display.dashboard.section import LABEL, Section, View, labelled
from localdistill.display.state import Done
from localdistill.display.words import duration, figures, size
from localdistill.events import Notice

_NEARLY_FULL = 0.9
_STAGES, _NOTICES = 40, 30  # at most


def gauges(view: View) -> Section | None:
    """Memory of the machine and of its GPUs."""
    usage = view.state.usage
    if usage is None or view.state.end is not None:
        return None
    rows = [("memory", usage.memory_used, usage.memory_total, "")]
    for number, gpu in enumerate(usage.gpus):
        busy = "" if gpu.busy is None else f", {100 * gpu.busy:.0f}% busy"
        rows.append((f"GPU {number}", gpu.memory_used, gpu.memory_total, busy))
    lines = [_gauge(*row, view.width, view.glyphs) for row in rows]
    return Section(lines, rank=6, least=1, likes=len(lines), keep_first=len(lines))


@keep
def _gauge(label: str, used: int, total: int, more: str, width: int, glyphs: Glyphs) -> Text:
    share = used / total if total else 0.0
    told = f"  {size(used)} of {size(total)}{more} "
    room = width - LABEL - 1 - len(told)
    style = LATE if share >= _NEARLY_FULL else GOOD
    drawn = bar(share, room, glyphs, style) if room >= 6 else Text("")
    return fitted(Text.assemble(" ", labelled(label, drawn, told)), width, glyphs)


def finished(view: View) -> Section | None:
    """The stages that are done, with their times and figures; the last ones at the bottom."""
    lines = [_finished(entry, view.width, view.glyphs) for entry in view.state.done[-_STAGES:]]
    if not lines:
        return None
    return Section(lines, rank=10, least=1, likes=1)


@keep
def _finished(entry: Done, width: int, glyphs: Glyphs) -> Text:
    told = "  already done"
    if not entry.skipped:
        summary = glyphs.text(figures(entry.summary))
        told = f"  {duration(entry.ended - entry.began)}  {summary}"
    line = Text.assemble((f" {glyphs.done} ", GOOD), glyphs.text(entry.title))
    return fitted(line.append(told, DIM), width, glyphs)


def notices(view: View) -> Section | None:
    """What a person should read, the last at the bottom, with the run's time at which it came."""
    state, most = view.state, 3 if view.roomy else 2
    lines: list[Text] = []
    heads = set()
    for notice, at in zip(state.notices[-_NOTICES:], state.noticed[-_NOTICES:], strict=True):
        heads.add(len(lines))
        lines += _notice(notice, int(max(0.0, at)) // 60, most, view.width, view.glyphs)
    if not lines:
        return None
    return Section(lines, rank=8, likes=min(4, len(lines)), heads=frozenset(heads))


@keep
def _notice(
    notice: Notice, minutes: int, most: int, width: int, glyphs: Glyphs
) -> tuple[Text, ...]:
    warns = notice.level == "warning"
    when = f"{minutes // 60}:{minutes % 60:02d}"
    text = ("Warning: " if warns else "") + glyphs.text(notice.message)
    lines = []
    for number, part in enumerate(wrapped(text, width - 9, most, glyphs)):
        line = Text.assemble((f" {when if not number else '':>5}  ", DIM))
        lines.append(fitted(line.append(part, LATE if warns else ""), width, glyphs))
    return tuple(lines)
