"""Figures as a person reads them, and untrusted text made safe to look at."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from localdistill.types import PassAtK, Status

_MINUS = "\N{MINUS SIGN}"
_HARMLESS = {"\n", "\t"}
# Control, format (which can turn text around), surrogate, private, unassigned.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
STATUS: dict[Status, str] = {
    "passed": "passed",
    "failed": "wrong result",
    "runtime_error": "error while running",
    "syntax_error": "not valid Python",
    "no_code": "no code",
    "timeout": "too slow",
    "memory_exceeded": "too much memory",
    "output_exceeded": "too much output",
    "nondeterministic": "not the same each time",
    "infra_error": "not tested (our fault)",
}


def percent(share: float) -> str:
    """``0.446`` as ``44.6%``."""
    return f"{100 * share:.1f}%"


def points(share: float) -> str:
    """``0.268`` as ``+26.8``; with a sign that a screen reader knows."""
    return f"{100 * share:+.1f}".replace("-", _MINUS)


def level(share: float) -> str:
    """``0.95`` as ``95%`` and ``0.9995`` as ``99.95%``."""
    return f"{100 * share:g}%"


def chance(p: float) -> str:
    """A p-value from so many flips of signs: no smaller than they can tell."""
    return "below 0.0001" if p < 1e-4 else f"{p:.2g}"


def signed_range(low: float, high: float) -> str:
    """``+22.5 to +31.1``, in points."""
    return f"{points(low)} to {points(high)}"


def interval(at: PassAtK) -> str:
    """``39.9 to 49.4``, in percent."""
    return f"{100 * at.low:.1f} to {100 * at.high:.1f}"


def duration(seconds: float) -> str:
    """``48 s``, ``3 min 05 s`` or ``1 h 02 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def plural(count: int, noun: str) -> str:
    """``1 problem``, ``1,200 problems``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def figures(values: Mapping[str, Any]) -> str:
    """``{"KL to F16": 3.2e-06, "loops": 0}`` as ``KL to F16 3.2e-06, loops 0``."""
    return ", ".join(f"{name} {_figure(value)}" for name, value in values.items())


def _figure(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def decoding(fields: Mapping[str, Any]) -> str:
    """The fields of ``Sampling`` as ``temperature 0.6, top-p 0.95``, or ``greedy``."""
    temperature = fields.get("temperature", 1.0)
    if temperature == 0:
        return "greedy"
    parts = [f"temperature {temperature:g}"]
    parts += [f"top-k {fields['top_k']}"] if fields.get("top_k") else []
    parts += [f"top-p {fields['top_p']:g}"] if fields.get("top_p", 1.0) < 1 else []
    parts += [f"min-p {fields['min_p']:g}"] if fields.get("min_p") else []
    return ", ".join(parts)


def visible(text: str) -> str:
    r"""``text`` with whatever cannot be seen, or turns text around, spelt out as in ``\u202e``."""
    return "".join(
        c if c in _HARMLESS or unicodedata.category(c) not in _HIDDEN else _spelt(c)
        for c in text.replace("\r\n", "\n")
    )


def _spelt(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
