"""The characters that are drawn with: blocks and lines, or plain ASCII."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localdistill.display.words import tamed


@dataclass(frozen=True, eq=False)  # there are two
class Glyphs:
    """One character each, but for ``levels``, from the lowest to the highest."""

    full: str  # of a bar: done
    empty: str  # and not yet
    kinds: tuple[str, str, str]  # of a bar of three kinds, told apart without colour
    levels: str
    point: str  # of an interval
    line: str
    ends: tuple[str, str]
    rule: str
    done: str
    at_work: str
    ahead: str
    arrow: str
    more: str  # where text was cut

    def text(self, text: str) -> str:
        """``text`` of whatever origin as one harmless line in these characters."""
        line = tamed(text)
        return line if self is UNICODE else line.encode("ascii", "replace").decode()


UNICODE = Glyphs(
    full="━",
    empty="╌",
    kinds=("█", "▒", "░"),
    levels="▁▂▃▄▅▆▇█",
    point="●",
    line="─",
    ends=("├", "┤"),
    rule="─",
    done="✓",
    at_work="▸",
    ahead="·",
    arrow="→",
    more="…",
)
ASCII = Glyphs(
    full="#",
    empty=".",
    kinds=("#", "x", "~"),
    levels="_.-=*#",
    point="o",
    line="-",
    ends=("[", "]"),
    rule="-",
    done="+",
    at_work=">",
    ahead=" ",
    arrow="->",
    more=">",
)
# What Python puts into LC_CTYPE itself where the locale is "C" (PEP 538).
_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}


def glyphs_for(encoding: str | None, environment: Mapping[str, str]) -> Glyphs:
    """Block characters only if both the stream and the user's locale are of UTF-8."""
    kind = environment.get("LC_CTYPE", "")
    names = (
        environment.get("LC_ALL", ""),
        "" if kind in _COERCED else kind,
        environment.get("LANG", ""),
    )
    locale = next((name for name in names if name), "C")
    wide = all("utf8" in name.lower().replace("-", "") for name in (encoding or "", locale))
    return UNICODE if wide else ASCII
