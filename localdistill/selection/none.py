"""Strategy *none*: keep every completion that holds code, right or wrong.

This is simple self-distillation as its paper does it (Zhang et al. 2026, arXiv 2604.01193), which
drops empty answers only. No verdict is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from localdistill.selection.candidate import Candidate, Choice, SelectOptions, keep


def select(candidates: Sequence[Candidate], options: SelectOptions) -> list[Choice]:
    """Keep all, in the order of samples."""
    return [keep(candidate) for candidate in candidates]
