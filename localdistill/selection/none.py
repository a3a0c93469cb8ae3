"""Strategy *none*: keep every completion that holds code, right or wrong, repeated ones too.

This is simple self-distillation as its paper does it (Zhang et al. 2026, arXiv 2604.01193), which
drops empty answers only: neither what is said twice nor what ended in a loop. No verdict is looked
at. The cap takes the first samples of a problem, which are as good a draw as any: samples are
independent. To keep each program once would be another method: it makes less of what the model says
most, which is right more often than the rest (``docs/decisions/0016-what-is-trained-on.md``).
"""

from __future__ import annotations

from collections.abc import Sequence

from localdistill.selection.candidate import Candidate, Choice, SelectOptions, keep

AS_DRAWN = True


def select(
    candidates: Sequence[Candidate], options: SelectOptions, drawn: Sequence[Candidate]
) -> list[Choice]:
    """Keep all, in the order of samples."""
    return [keep(candidate) for candidate in candidates]
