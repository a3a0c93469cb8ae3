"""How the catalogue's numbers and paragraphs are written."""

from __future__ import annotations

import textwrap

WIDTH = 100  # columns


def wrapped(text: str, indent: str = "", hang: int = 0) -> list[str]:
    """Lines of at most ``WIDTH`` columns; words and paths stay whole."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + " " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def gigabytes(size: int) -> str:
    """Bytes as GB of 10^9 bytes, with three digits where one would be zero."""
    return f"{size / 1e9:.1f}" if size >= 95_000_000 else f"{size / 1e9:.3f}"


def count(number: int) -> str:
    """A number of weights, as in 7.6B or 5.1M."""
    return f"{number / 1e9:.1f}B" if number >= 95_000_000 else f"{number / 1e6:.1f}M"


def printable(text: object) -> str:
    """A path, or what a file says, without anything that could move a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in str(text))
