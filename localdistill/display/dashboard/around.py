"""What is around the work: the machine, what has been done before, what was noticed."""

from __future__ import annotations

import functools

from rich.text import Text

from localdistill.display.dashboard.drawing import DIM, GOOD, LATE, bar, fitted, wrapped
from localdistill.display.dashboard.glyphs import Glyphs
from localdistill.display.dashboard.section import LABEL, Section, View, labelled
from localdistill.display.words import duration, figures, size

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
    lines = []
    for label, used, total, more in rows:
        share = used / total if total else 0.0
        told = f"  {size(used)} of {size(total)}{more} "
        room = view.width - LABEL - 1 - len(told)
        style = LATE if share >= _NEARLY_FULL else GOOD
        drawn = bar(share, room, view.glyphs, style) if room >= 6 else Text("")
        line = Text.assemble(" ", labelled(label, drawn, told))
        lines.append(fitted(line, view.width, view.glyphs))
    return Section(lines, rank=6, least=1, likes=len(lines), keep_first=len(lines))


def finished(view: View) -> Section | None:
    """The stages that are done, with their times and figures; the last ones at the bottom."""
    lines = []
    for entry in view.state.done[-_STAGES:]:
        told = "  already done"
        if not entry.skipped:
            summary = view.glyphs.text(figures(entry.summary))
            told = f"  {duration(entry.ended - entry.began)}  {summary}"
        lines.append(_finished(entry.title, told, view.width, view.glyphs))
    if not lines:
        return None
    return Section(lines, rank=10, least=1, likes=1)


@functools.lru_cache(maxsize=256)
def _finished(title: str, told: str, width: int, glyphs: Glyphs) -> Text:
    # Kept, as it never changes again, and had been half of what a painting takes.
    line = Text.assemble((f" {glyphs.done} ", GOOD), glyphs.text(title))
    return fitted(line.append(told, DIM), width, glyphs)


def notices(view: View) -> Section | None:
    """What a person should read, the last at the bottom, with the run's time at which it came."""
    state, width = view.state, view.width
    lines: list[Text] = []
    heads = set()
    for notice, at in zip(state.notices[-_NOTICES:], state.noticed[-_NOTICES:], strict=True):
        warns = notice.level == "warning"
        minutes = int(max(0.0, at)) // 60
        when = f"{minutes // 60}:{minutes % 60:02d}"
        heads.add(len(lines))
        text = ("Warning: " if warns else "") + view.glyphs.text(notice.message)
        for number, part in enumerate(
            wrapped(text, width - 9, 3 if view.roomy else 2, view.glyphs)
        ):
            line = Text.assemble((f" {when if not number else '':>5}  ", DIM))
            lines.append(line.append(part, LATE if warns else ""))
    if not lines:
        return None
    lines = [fitted(line, width, view.glyphs) for line in lines]
    return Section(lines, rank=8, likes=min(4, len(lines)), heads=frozenset(heads))
