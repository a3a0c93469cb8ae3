"""Stage *select*: choose, from completions and their verdicts, what to train on.

The result depends on the problems, completions and verdicts, not on the order of lines in their
files. What is trained on is the model's own text as it is, thinking included, after the messages
that it was sent. Strategies look at the answer only.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from localdistill import selection
from localdistill.digests import file_digest
from localdistill.errors import ConfigError
from localdistill.events import Callback, Notice, Scalar, StageFinished, StageStarted
from localdistill.jsonl import iter_rows, refuse_as_output
from localdistill.markers import done_facts, is_done, refuse_foreign, write_whole
from localdistill.problems import ProblemSet, load
from localdistill.problems.broken import is_broken
from localdistill.problems.extract import extract_code
from localdistill.problems.prompt import TEMPLATE_HASH, messages
from localdistill.selection import Candidate, Choice, SelectOptions
from localdistill.selection.programs import Key, Observed, RunPrograms
from localdistill.selection.shortest import least_length
from localdistill.stages.select_programs import InSandbox
from localdistill.stages.verify_resume import Keys
from localdistill.thinking import rejoin
from localdistill.types import Completion, Message, Problem, Status, TrainingExample, Verdict

# What may change without another selection, or is looked at by its content.
_PLACES = {"problems", "limit", "out", "sandbox", "workers"}


class SelectRequest(BaseModel):
    """What to choose from, how, and where it goes."""

    model_config = ConfigDict(frozen=True)

    problems: str  # a specification, see localdistill.problems
    limit: int | None = Field(default=None, ge=1)
    completions: Path
    verdicts: Path | None = None  # some strategies do without
    strategy: str = "tests"
    max_per_problem: int = Field(default=4, ge=1)
    confidence_share: float = Field(default=0.25, gt=0, le=1)
    agreement_share: float = Field(default=0.5, gt=0, le=1)
    drop_shortest: float = Field(default=0.0, ge=0, lt=1)  # this share of all answers
    seed: int = 0  # of the run: for inputs that a strategy makes
    sandbox: str = "auto"  # for strategies that have programs run
    workers: int | None = Field(default=None, ge=1)
    out: Path


class SelectSummary(BaseModel):
    """How many were kept and why the others were dropped."""

    model_config = ConfigDict(frozen=True)

    strategy: str
    completions: int
    kept: int
    dropped: dict[str, int]  # by reason
    problems_covered: int  # with at least one completion that is kept
    problems: int
    skipped: bool = False  # the same had been selected before


def run(
    request: SelectRequest, callback: Callback, *, run_programs: RunPrograms | None = None
) -> SelectSummary:
    """Write the training examples to ``request.out``, in the order of problems, then of samples.

    ``run_programs`` is what a strategy has candidates run with: the sandbox, if None.

    Where nothing can be kept, the file is empty and a warning says so.

    Raises:
        ConfigError: an unknown strategy, files that lack what it needs or do not fit together, or
            an ``out`` that is something else.
        ProblemSetError, UserError: a problem file or a row that cannot be read.
        SandboxUnavailable: the strategy must see what programs do, and no sandbox holds.
    """
    refuse_as_output(request.out, request.completions, request.verdicts, Path(request.problems))
    refuse_foreign(request.out)
    strategy = selection.load(request.strategy)
    problems = load(request.problems, request.limit)
    _check_inputs(request, problems, getattr(strategy, "NEEDS_VERDICTS", False))
    inputs = _digest(request, problems)
    if is_done(request.out) and done_facts(request.out).get("inputs") == inputs:
        summary = SelectSummary(**{**done_facts(request.out), "skipped": True})
        callback(_started(request, summary.completions, summary.completions))
        callback(StageFinished(stage="select", summary=_shown(summary), skipped=True))
        return summary
    candidates = _candidates(request, problems)
    total = sum(len(group) for group in candidates.values())
    callback(_started(request, total, 0))
    look = getattr(strategy, "observe", None)
    if look is not None:
        run_programs = run_programs or InSandbox(request.sandbox, request.workers, callback)
        observed = look(problems.problems, candidates, run_programs, request.seed)
        candidates = _with_behaviour(candidates, observed)
    options = _options(request, candidates)
    choices = {
        problem.id: selection.choose(strategy, candidates.get(problem.id, []), options)
        for problem in problems.problems
    }
    summary = _summary(request, choices)
    lines = (row.model_dump_json() + "\n" for row in _examples(request, problems, choices))
    write_whole(request.out, "".join(lines), **summary.model_dump(mode="json"), inputs=inputs)
    if not summary.kept:
        callback(Notice(level="warning", message=_nothing(request, summary)))
    callback(StageFinished(stage="select", summary=_shown(summary)))
    return summary


def _options(request: SelectRequest, candidates: dict[str, list[Candidate]]) -> SelectOptions:
    texts = (each.completion.text for group in candidates.values() for each in group)
    return SelectOptions(
        request.max_per_problem,
        request.confidence_share,
        request.agreement_share,
        least_length(texts, request.drop_shortest),
    )


def _with_behaviour(
    candidates: dict[str, list[Candidate]], observed: dict[Key, Observed]
) -> dict[str, list[Candidate]]:
    def seen(candidate: Candidate) -> Candidate:
        found = observed.get(candidate.completion.key)
        if found is None:
            return candidate
        return replace(candidate, behaviour=found.results, observed=True, unseen=found.failed)

    return {name: [seen(each) for each in group] for name, group in candidates.items()}


def _check_inputs(request: SelectRequest, problems: ProblemSet, needs_verdicts: bool) -> None:
    for path, stage in ((request.completions, "generate"), (request.verdicts, "verify")):
        if path is not None and not path.is_file():
            raise ConfigError(f"{path}: no such file; `localdistill {stage}` makes it.")
    if not needs_verdicts:
        return
    if not any(problem.tests for problem in problems.problems):
        message = f"{request.problems}: its problems have no tests, which the strategy"
        raise ConfigError(f"{message} {request.strategy} needs; select with none or confidence.")
    if request.verdicts is None:
        message = f"The strategy {request.strategy} needs verdicts: give --verdicts FILE"
        raise ConfigError(f"{message}, or select with none or confidence.")


def _candidates(request: SelectRequest, problems: ProblemSet) -> dict[str, list[Candidate]]:
    """Candidates by problem."""
    by_id = {problem.id: problem for problem in problems.problems}
    keys = Keys(request.completions, problems)
    statuses: dict[tuple[str, int], Status] = {}
    if request.verdicts is not None:
        statuses = {row.key: row.status for row in iter_rows(request.verdicts, Verdict)}
    found: dict[str, list[Candidate]] = {}
    for row in iter_rows(request.completions, Completion):
        keys.add(row)
        problem = by_id[row.problem_id]
        code, broken = extract_code(row.text, problem), is_broken(row, problem)
        candidate = Candidate(row, code, statuses.get(row.key), broken=broken)
        found.setdefault(row.problem_id, []).append(candidate)
    if keys.seen and statuses and keys.seen.isdisjoint(statuses):
        message = f"{request.verdicts}: none of its verdicts is on a completion in"
        raise ConfigError(f"{message} {request.completions}; give the files of one run.")
    return found


def _examples(
    request: SelectRequest, problems: ProblemSet, choices: dict[str, list[Choice]]
) -> Iterator[TrainingExample]:
    for problem in problems.problems:
        for choice in choices[problem.id]:
            if choice.kept:
                yield _example(problem, choice.candidate, request.strategy)


def _example(problem: Problem, candidate: Candidate, strategy: str) -> TrainingExample:
    row = candidate.completion
    said, before, after = row.text, row.thinking_before, row.thinking_after
    if row.thinking is not None:
        said = rejoin(row.thinking, row.text, before, after)
    return TrainingExample(
        messages=[*messages(problem), Message(role="assistant", content=said)],
        problem_id=problem.id,
        sample=row.sample,
        strategy=strategy,
        complete=candidate.complete,
        mean_logprob=row.mean_logprob,
        thinking_as_drawn=row.thinking is not None and before is not None and after is not None,
    )


def _summary(request: SelectRequest, choices: dict[str, list[Choice]]) -> SelectSummary:
    every = [choice for group in choices.values() for choice in group]
    reasons = Counter(choice.dropped for choice in every if choice.dropped is not None)
    return SelectSummary(
        strategy=request.strategy,
        completions=len(every),
        kept=sum(choice.kept for choice in every),
        dropped=dict(reasons.most_common()),
        problems_covered=sum(any(choice.kept for choice in group) for group in choices.values()),
        problems=len(choices),
    )


def _digest(request: SelectRequest, problems: ProblemSet) -> str:
    """SHA-256 of all that the result depends on."""
    total = hashlib.sha256(problems.digest.encode() + TEMPLATE_HASH.encode())
    settings: dict[str, Any] = request.model_dump(exclude=_PLACES, mode="json")
    for name in ("completions", "verdicts"):
        path: Path | None = getattr(request, name)
        if path is not None:
            settings[name] = file_digest(path)
    total.update(repr(sorted(settings.items())).encode())
    return total.hexdigest()


def _started(request: SelectRequest, total: int, done: int) -> StageStarted:
    title = f"select ({request.strategy})"
    return StageStarted(stage="select", title=title, total=total, done=done, unit="completions")


def _shown(summary: SelectSummary) -> dict[str, Scalar]:
    covered = f"{summary.problems_covered} of {summary.problems}"
    return {"kept": summary.kept, "problems": covered, **summary.dropped}


def _nothing(request: SelectRequest, summary: SelectSummary) -> str:
    why = ", ".join(f"{count} {reason}" for reason, count in summary.dropped.items())
    message = f"Nothing to train on: of {summary.completions} completions {why or 'none'}"
    return f"{message}. Draw more samples, or take another strategy than {request.strategy}."
