"""Strategy *confidence*: keep the completions of each problem that the model is surest of.

Sureness is the mean log-probability of a token under the model's own distribution. It is compared
within a problem only: between problems it mostly tells how predictable the task is. No verdict is
looked at, so this works without tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from localdistill.errors import ConfigError
from localdistill.selection.candidate import Candidate, Choice, SelectOptions, drop, keep


def select(candidates: Sequence[Candidate], options: SelectOptions) -> list[Choice]:
    """Keep the surest ``confidence_share`` of the candidates, rounded down, but at least one.

    Raises:
        ConfigError: a candidate has no ``mean_logprob``.
    """
    ordered = sorted(candidates, key=_surest_first)
    # The share of 0.29 * 100 is 28.999...: do not lose one to rounding.
    wanted = max(1, math.floor(options.confidence_share * len(ordered) + 1e-9))
    kept = [keep(candidate) for candidate in ordered[:wanted]]
    return kept + [drop(candidate, "less confident") for candidate in ordered[wanted:]]


def _surest_first(candidate: Candidate) -> tuple[float, int]:
    row = candidate.completion
    if row.mean_logprob is None:
        raise ConfigError(
            f"{row.problem_id}, sample {row.sample}: has no mean_logprob, which the strategy "
            "confidence orders by; generate with a backend that gives it, or take another strategy."
        )
    return -row.mean_logprob, row.sample
