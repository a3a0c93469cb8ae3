"""Turns what matplotlib draws into SVG that lives in a page: its colours, its fonts, its width.

Plots are drawn in stand-in colours, which become CSS variables here, so that one drawing serves
light and dark. Text stays text: it can be read out, searched and copied.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Stand-in -> CSS variable. Drawn nowhere as they are.
INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
BEFORE, AFTER, GOOD, BAD = "#050505", "#060606", "#070707", "#080808"
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--rule",
    PAPER: "--paper",
    BEFORE: "--before",
    AFTER: "--after",
    GOOD: "--good",
    BAD: "--bad",
}
_PROLOGUE = re.compile(r"\A.*?(?=<svg)", re.DOTALL)
_OPENING = re.compile(r"<svg[^>]*?viewBox=\"([^\"]+)\"[^>]*>", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_GLOBAL_STYLE = re.compile(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# The page's font, at the size that the drawing was laid out for.
_FONT = re.compile(r"font: ([^;\"]*?)([\d.]+)px [^;\"]*")
_FAMILY = re.compile(r"font-family: [^;\"]*;?")
_ID = re.compile(r"(\bid=\"|xlink:href=\"#|href=\"#|url\(#)")


def embedded(figure: Figure, name: str, title: str, description: str) -> Markup:
    """``figure`` as an ``<svg>`` element with a title and a description for screen readers.

    ``name`` (a letter, then letters and digits) makes its ids unique in the page.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = _PROLOGUE.sub("", buffer.getvalue())
    for noise in (_METADATA, _GLOBAL_STYLE, _COMMENT):
        text = noise.sub("", text)
    text = _FONT.sub(_own_font, text)
    text = _FAMILY.sub("", text)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, f"var({variable})")
    text = _ID.sub(lambda match: f"{match[1]}{name}-", text)
    text = _OPENING.sub(lambda match: _opening(match[1], name, title, description), text, 1)
    return Markup(text)  # noqa: S704  (matplotlib escapes the text that it writes)


def _own_font(match: re.Match[str]) -> str:
    weight = "600" if re.search(r"bold|[67]00", match[1]) else "400"
    return f"font-size: {match[2]}px; font-weight: {weight}"


def _opening(box: str, name: str, title: str, description: str) -> str:
    width = box.split()[2]
    return (
        f'<svg viewBox="{box}" role="img" aria-labelledby="{name}-title {name}-desc" '
        f'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'style="--drawn: {float(width):g}px">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>'
    )
