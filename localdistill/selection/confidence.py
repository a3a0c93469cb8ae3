"""Strategy *confidence*: keep the completions of each problem that the model is surest of.

Sureness is the mean log-probability of a token under the model's own distribution. It is compared
within a problem only: between problems it mostly tells how predictable the task is. No verdict is
looked at, so this works without tests.

Completions that the model ended itself come before those that were cut by their length. Of the
latter it is not known how sure the whole would be, and being long flatters them: the more a text
says again the surer are its tokens, most of all in a loop that was not noticed as one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from localdistill.errors import ConfigError
from localdistill.selection.candidate import Candidate, Choice, SelectOptions, drop, keep


def select(
    candidates: Sequence[Candidate], options: SelectOptions, drawn: Sequence[Candidate]
) -> list[Choice]:
    """Keep the surest candidates: ``confidence_share`` of all drawn, rounded down, at least one.

    Raises:
        ConfigError: a candidate has no ``mean_logprob``.
    """
    ordered = sorted(candidates, key=_surest_first)
    # The share of 0.29 * 100 is 28.999...: do not lose one to rounding.
    wanted = max(1, math.floor(options.confidence_share * len(drawn) + 1e-9))
    kept = [keep(candidate) for candidate in ordered[:wanted]]
    return kept + [drop(candidate, "less confident") for candidate in ordered[wanted:]]


def _surest_first(candidate: Candidate) -> tuple[bool, float, int]:
    row = candidate.completion
    if row.mean_logprob is None:
        raise ConfigError(
            f"{row.problem_id}, sample {row.sample}: has no mean_logprob, which the strategy "
            "confidence orders by; generate with a backend that gives it, or take another strategy."
        )
    return not candidate.complete, -row.mean_logprob, row.sample
