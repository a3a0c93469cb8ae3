"""Strategy *balanced*: keep passes, and the fewer of them the easier the problem is.

With one cap for all, what is trained on is mostly what the model can do already: an easy problem
fills its cap and a hard one has a pass or two. Here the cap falls with the share that passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from localdistill.selection import tests
from localdistill.selection.candidate import Candidate, Choice, SelectOptions, drop
from localdistill.selection.duplicates import drop_duplicates

NEEDS_VERDICTS = True


def select(
    candidates: Sequence[Candidate], options: SelectOptions, drawn: Sequence[Candidate]
) -> list[Choice]:
    """Keep passes up to ``max_per_problem`` times the share that failed, rounded up, at least one.

    The share is of all that were drawn. One without code has failed, whatever became of it. Others
    that were not judged (``infra_error``) count for neither share.
    """
    # A repeated program takes no place from another one.
    choices = drop_duplicates(tests.select(candidates, options, drawn))
    judged = [each for each in drawn if each.code is None or each.judged]
    failed = sum(each.code is None or each.status != "passed" for each in judged)
    wanted = max(1, math.ceil(options.max_per_problem * failed / len(judged))) if judged else 0
    kept = 0
    found = []
    for choice in choices:
        kept += choice.kept
        easy = choice.kept and kept > wanted
        found.append(drop(choice.candidate, "easy problem") if easy else choice)
    return found
