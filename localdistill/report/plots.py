"""The plots of the report, drawn by matplotlib in stand-in colours (see ``svg``).

Each is laid out for the width of a phone, where its text has the size of the page's; on a wider
page two stand side by side.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from localdistill.report import svg
from localdistill.report.problems import Failure, Group, Pair

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

_WIDTH = 352  # CSS pixels at natural size
_POINTS_PER_INCH = 72
_STEPS = 8  # of a pass rate, at most
_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "localdistill",  # the same plot, the same bytes
    "font.size": 11,
    "text.parse_math": False,  # names may hold a dollar sign
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": svg.GRID,
    "axes.labelcolor": svg.MUTED,
    "axes.axisbelow": True,
    "grid.color": svg.GRID,
    "grid.linewidth": 0.7,
    "text.color": svg.INK,
    "xtick.color": svg.GRID,
    "ytick.color": svg.GRID,
    "xtick.labelcolor": svg.MUTED,
    "ytick.labelcolor": svg.INK,
}


@dataclass(frozen=True)
class Bar:
    """A mean with its interval, by name."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Words:
    """What a plot is called, and what it shows, for who cannot see it."""

    title: str
    description: str


class _Plot:
    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.markup = Markup("")


@contextlib.contextmanager
def _plot(name: str, words: Words, height: int) -> Iterator[_Plot]:
    # It warns of folders for its caches that it cannot write; nothing here depends on them.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        inches = (_WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH)
        figure = Figure(figsize=inches, layout="constrained")
        plot = _Plot(figure.add_subplot())
        yield plot
        plot.markup = svg.embedded(figure, name, words.title, words.description)


def pass_at_k(rows: Sequence[tuple[Bar, Bar]], words: Words) -> Markup:
    """For each k a line from before to after, each with its interval. Values are shares of 1."""
    with _plot("passk", words, 64 + 44 * len(rows)) as plot:
        axes = plot.axes
        for at, (before, after) in enumerate(reversed(rows)):
            for bar, colour, shift in ((before, svg.BEFORE, 0.14), (after, svg.AFTER, -0.14)):
                y = at + shift
                _interval(axes, bar, y, colour)
        axes.set_yticks(range(len(rows)), [before.name for before, _ in reversed(rows)])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        _percent_axis(axes)
    return plot.markup


def each_problem(pairs: Sequence[Pair], words: Words) -> Markup:
    """A bubble for each combination of pass rates, as large as problems have it.

    Rates of many samples are rounded to steps that can be told apart.
    """
    samples = max((n for pair in pairs for _, n in (pair.before, pair.after)), default=1)
    steps = min(samples, _STEPS)
    shares = Counter((_rate(*pair.before, steps), _rate(*pair.after, steps)) for pair in pairs)
    largest = max(shares.values(), default=1)
    with _plot("each", words, 330) as plot:
        axes = plot.axes
        axes.plot([0, 1], [0, 1], color=svg.GRID, linewidth=1, zorder=1)
        for (x, y), count in sorted(shares.items()):
            colour = svg.GOOD if y > x else svg.BAD if y < x else svg.MUTED
            size = 90 + 640 * count / largest
            axes.scatter(x, y, s=size, color=colour, alpha=0.32, linewidth=0, zorder=2)
            axes.scatter(x, y, s=size, facecolor="none", edgecolor=colour, linewidth=1, zorder=3)
            axes.annotate(
                str(count), (x, y), ha="center", va="center", fontsize=9,
                zorder=4,
            )  # fmt: skip
        axes.set(xlim=(-0.12, 1.12), ylim=(-0.12, 1.12), aspect="equal")
        axes.set_xlabel("passed before")
        axes.set_ylabel("passed after")
        ticks = [0, 0.25, 0.5, 0.75, 1]
        labels = [f"{100 * tick:.0f}%" for tick in ticks]
        axes.set_xticks(ticks, labels)
        axes.set_yticks(ticks, labels)
        axes.tick_params(labelcolor=svg.MUTED)
        axes.grid(visible=True)
    return plot.markup


def difficulty(groups: Sequence[Group], words: Words) -> Markup:
    """For each group a line from its pass rate before to that after."""
    with _plot("hard", words, 70 + 36 * len(groups)) as plot:
        axes = plot.axes
        for y, group in enumerate(reversed(groups)):
            colour = svg.GOOD if group.gain >= 0 else svg.BAD
            axes.plot([group.before, group.after], [y, y], color=colour, linewidth=3, alpha=0.5)
            axes.scatter(group.before, y, s=52, color=svg.BEFORE, zorder=3)
            axes.scatter(group.after, y, s=52, color=svg.AFTER, zorder=3)
        axes.set_yticks(range(len(groups)), [group.name for group in reversed(groups)])
        axes.set_ylim(-0.6, len(groups) - 0.4)
        _percent_axis(axes)
    return plot.markup


def failures(rows: Sequence[Failure], words: Words) -> Markup:
    """Bars side by side: the share of samples that ended so, before and after."""
    with _plot("fail", words, 56 + 40 * len(rows)) as plot:
        axes = plot.axes
        for y, row in enumerate(reversed(rows)):
            axes.barh(y + 0.19, row.before_share, height=0.34, color=svg.BEFORE)
            axes.barh(y - 0.19, row.after_share, height=0.34, color=svg.AFTER)
        axes.set_yticks(range(len(rows)), [row.name for row in reversed(rows)])
        _percent_axis(axes, start=0)
    return plot.markup


def training(
    name: str,
    steps: Sequence[int],
    losses: Sequence[float],
    held_out: Sequence[tuple[int, float]],
    words: Words,
) -> Markup:
    """The loss of each step, and that on what was held out where it was measured (nats a token)."""
    with _plot(name, words, 250) as plot:
        axes = plot.axes
        axes.plot(steps, losses, color=svg.BEFORE, linewidth=1.2, alpha=0.75)
        if held_out:
            axes.plot(
                [step for step, _ in held_out], [loss for _, loss in held_out],
                color=svg.AFTER, linewidth=2, marker="o", markersize=4,
            )  # fmt: skip
        axes.set_xlabel("step of the optimiser")
        axes.set_ylabel("loss, nats a token")
        axes.set_ylim(bottom=0)
        axes.tick_params(labelcolor=svg.MUTED)
        axes.grid(visible=True, axis="y")
    return plot.markup


def rounds(bars: Sequence[Bar], words: Words) -> Markup:
    """pass@1 on dev, round after round."""
    with _plot("rounds", words, 230) as plot:
        axes = plot.axes
        for x, bar in enumerate(bars):
            colour = svg.BEFORE if x == 0 else svg.AFTER
            axes.plot([x, x], [bar.low, bar.high], color=colour, linewidth=2, alpha=0.55)
            axes.scatter(x, bar.value, s=48, color=colour, zorder=3)
        axes.plot(range(len(bars)), [bar.value for bar in bars], color=svg.MUTED, linewidth=0.8)
        axes.set_xticks(range(len(bars)), [bar.name for bar in bars])
        axes.set_xlim(-0.5, len(bars) - 0.5)
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        axes.tick_params(labelcolor=svg.MUTED)
        axes.grid(visible=True, axis="y")
    return plot.markup


def gains(name: str, bars: Sequence[Bar], words: Words) -> Markup:
    """Differences to the baseline, each with its interval; values are shares of 1."""
    with _plot(name, words, 66 + 30 * len(bars)) as plot:
        axes = plot.axes
        axes.axvline(0, color=svg.MUTED, linewidth=1)
        for y, bar in enumerate(reversed(bars)):
            colour = svg.GOOD if bar.low > 0 else svg.BAD if bar.high < 0 else svg.MUTED
            _interval(axes, bar, y, colour)
        axes.set_yticks(range(len(bars)), [bar.name for bar in reversed(bars)])
        axes.set_ylim(-0.6, len(bars) - 0.4)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.0f}" if value else "0")
        axes.set_xlabel("points in pass@1")
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=True, axis="x")
    return plot.markup


def _rate(passed: int, samples: int, steps: int) -> float:
    """The share in steps; only what is really none or all stands at the ends."""
    if passed in (0, samples):
        return passed / samples
    step = math.floor(steps * passed / samples + 0.5)
    return min(max(step, 1), steps - 1) / steps


def _interval(axes: Axes, bar: Bar, y: float, colour: str) -> None:
    axes.plot(
        [bar.low, bar.high], [y, y], color=colour, linewidth=5, alpha=0.35, solid_capstyle="round"
    )
    axes.scatter(bar.value, y, s=44, color=colour, zorder=3)


def _percent_axis(axes: Axes, start: float | None = None) -> None:
    low, high = axes.get_xlim()
    axes.set_xlim(max(-0.02, low) if start is None else start, min(1.02, high))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
