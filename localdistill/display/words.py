"""Figures and times as a person reads them, and text of others' making tamed for a screen."""

from __future__ import annotations

from localdistill.events import Scalar


def figures(values: dict[str, Scalar]) -> str:
    """``{"kept": 12, "loss": 0.5, "tokens/s": 949.2}`` as ``12 kept, loss 0.5, 949 tokens/s``."""
    parts = []
    for field_name, value in values.items():
        name = field_name.replace("_", " ")
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, float) and name.endswith("/s"):
            parts.append(f"{value:,.0f} {name}")
        elif isinstance(value, float):
            parts.append(f"{name} {value:,.3g}" if abs(value) < 1000 else f"{name} {value:,.0f}")
        elif isinstance(value, int):
            parts.append(f"{value:,} {name}")
        else:
            parts.append(f"{name} {value}")
    return ", ".join(parts)


def duration(seconds: float | None) -> str:
    """``3:05`` or ``1:02:09``; a dash where it is not known."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def about(seconds: float) -> str:
    """A guess, no finer than it can be: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 55:
        return f"{max(10, 10 * round(seconds / 10))} s"
    minutes = round(seconds / 60)
    if minutes >= 20:
        minutes = 5 * round(minutes / 5)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{max(1, minutes)} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def size(count: int) -> str:
    """Bytes, in decimal units: ``6.1 GB``."""
    return f"{count / 1e9:,.1f} GB"


def tamed(text: str) -> str:
    """One line without control characters, whoever has made it."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def steer(keys: str) -> bool:
    """Whether ``keys``, as a display is told what they do, stop the run and not only a view."""
    return keys.startswith("q stops")
