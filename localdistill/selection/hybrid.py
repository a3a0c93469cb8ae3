"""Strategy *hybrid*: of the completions that pass their tests, keep those the model is surest of.

A pass may be luck: weak tests let wrong programs through, and those tend to be unlikely ones. As
with *confidence*, those that the model ended itself come first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from localdistill.selection import confidence, tests
from localdistill.selection.candidate import Candidate, Choice, SelectOptions

NEEDS_VERDICTS = True


def passes_wanted(options: SelectOptions) -> int:
    """So many that the share that is kept of them is all that one problem may give."""
    return math.ceil(options.max_per_problem / options.confidence_share - 1e-9)


def select(
    candidates: Sequence[Candidate], options: SelectOptions, drawn: Sequence[Candidate]
) -> list[Choice]:
    """Keep the surest ``confidence_share`` of those that passed, at least one of them.

    Raises:
        ConfigError: one that passed has no ``mean_logprob``.
    """
    choices = tests.select(candidates, options, drawn)
    passed = [choice.candidate for choice in choices if choice.kept]
    failed = [choice for choice in choices if not choice.kept]
    return [*(confidence.select(passed, options, passed) if passed else []), *failed]
