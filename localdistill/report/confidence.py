"""How the intervals of a comparison were made, for those that are made for its report."""

from __future__ import annotations

from localdistill.bootstrap import USUAL, Confidence, Method
from localdistill.types import EvalResult

_METHODS: dict[str, Method] = {"percentile": "percentile", "bca": "bca"}


def of(evaluation: EvalResult | None) -> Confidence:
    """Those of ``evaluation``; a method that this version does not know is the default."""
    if evaluation is None:
        return USUAL
    return Confidence(evaluation.level, _METHODS.get(evaluation.interval_method, USUAL.method))
