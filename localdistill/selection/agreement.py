"""Strategy *agreement*: keep the candidates that do what most of a problem's candidates do.

No test is needed: all candidates are called on the same generated inputs, in the sandbox, and those
whose results are equal on all of them make a cluster. Wrong programs are wrong in many ways and
right ones are alike, so the largest cluster is likelier right than its members are. Sources:
AlphaCode's clustering by behaviour (Li et al., arXiv 2203.07814), execution-based minimum Bayes
risk decoding (Shi et al., arXiv 2204.11454), and CodeT, where agreement among solutions is one of
two signals (Chen et al., arXiv 2207.10397).

What it cannot do: where most candidates make the same mistake it keeps the mistake, and makes it
more frequent. It tells nothing of what its inputs do not reach; inputs are the problem's own with
small changes, and may break what the problem takes for granted. Whole programs (stdin) and problems
that show no call of their function are not covered: all of theirs are dropped.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from localdistill.selection.calls import shown_calls
from localdistill.selection.candidate import Candidate, Choice, SelectOptions, drop, keep
from localdistill.selection.duplicates import normalise
from localdistill.selection.mutate import inputs
from localdistill.selection.programs import Key, Observed, Program, RunPrograms
from localdistill.types import Problem

INPUTS = 12  # for each problem
_FEWEST = 2  # that agree: one by itself agrees with nobody


def observe(
    problems: Sequence[Problem],
    candidates: Mapping[str, Sequence[Candidate]],
    run_programs: RunPrograms,
    seed: int,
) -> dict[Key, Observed]:
    """Have the candidates with code run, equal programs once; gives what each did.

    A problem for which no inputs can be made has none in the result.
    """
    programs: list[Program] = []
    like: dict[Key, list[Key]] = {}  # of a program that is run: the candidates that it stands for
    for problem in problems:
        calls = inputs(shown_calls(problem), INPUTS, f"{seed} agreement {problem.id}")
        if not calls:
            continue
        first: dict[str, Key] = {}
        for candidate in candidates.get(problem.id, ()):
            if candidate.code is None:
                continue
            key = candidate.completion.key
            stands = first.setdefault(normalise(candidate.code), key)
            like.setdefault(stands, []).append(key)
            if stands == key:
                programs.append(Program(key, candidate.code, problem, calls))
    found: dict[Key, Observed] = {}
    for observed in run_programs(programs):
        found.update((key, replace(observed, key=key)) for key in like[observed.key])
    return found


def select(
    candidates: Sequence[Candidate], options: SelectOptions, drawn: Sequence[Candidate]
) -> list[Choice]:
    """Keep the largest cluster if it has ``agreement_share`` of all drawn, and at least two.

    A sample counts as a vote, equal programs as several; what is no candidate any more has none,
    and is of all. Those with which the sandbox failed are of none, as nobody knows what they do;
    but they might all agree, so a cluster must be larger than they are many. Of two clusters of the
    same size neither is kept, nor one that raised an exception on every input.
    """
    votes = Counter(candidate.behaviour for candidate in candidates if candidate.behaviour)
    best = _largest(votes)
    unseen = sum(candidate.unseen for candidate in drawn)
    share = math.ceil(options.agreement_share * (len(drawn) - unseen) - 1e-9)
    needed = max(_FEWEST, share, unseen + 1)
    enough = best is not None and votes[best] >= needed
    ordered = sorted(candidates, key=lambda candidate: not candidate.complete)
    return [_choice(candidate, best if enough else None) for candidate in ordered]


def _largest(votes: Counter[tuple[str, ...]]) -> tuple[str, ...] | None:
    ranked = votes.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    best = ranked[0][0]
    return None if all(result.startswith("raised ") for result in best) else best


def _choice(candidate: Candidate, best: tuple[str, ...] | None) -> Choice:
    if not candidate.observed:
        return drop(candidate, "no inputs")
    if candidate.unseen:
        return drop(candidate, "not judged")
    if candidate.behaviour is None:
        return drop(candidate, "did not run")
    if best is None:
        return drop(candidate, "no agreement")
    return keep(candidate) if candidate.behaviour == best else drop(candidate, "outvoted")
