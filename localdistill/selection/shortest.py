"""Drops the shortest part of all answers, before a strategy looks at them.

The released code of simple self-distillation does so with the shortest 10%
(``filter_shortest_percent`` of github.com/apple/ml-ssd); its paper (arXiv 2604.01193) speaks of
empty answers only. As there, an answer's length is that of its text without blanks around it, in
characters, and the cut is one for all problems.
"""

from __future__ import annotations

from collections.abc import Iterable


def least_length(texts: Iterable[str], share: float) -> int:
    """The length below which an answer is among the shortest ``share`` (0 to 1) of ``texts``.

    Empty ones are not counted. Of answers that are as long as the cut none is dropped, so fewer
    than the share are where many have one length.
    """
    lengths = sorted(filter(None, map(length, texts)))
    if not lengths or share <= 0:
        return 0
    return lengths[min(int(share * len(lengths)), len(lengths) - 1)]


def length(text: str) -> int:
    """How long an answer is, in characters."""
    return len(text.strip())
