"""Stage *diversity*: how many different right programs a model's samples hold.

Training on one's own samples sharpens: in the end a model says the same each time, and the next
round has nothing left to choose from. So each round's samples are looked at, which are those of the
model that it begins with.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from localdistill import metrics
from localdistill.audit.canonical import program
from localdistill.events import Callback, Scalar, StageFinished, StageStarted
from localdistill.jsonl import iter_rows
from localdistill.markers import is_done, write_whole
from localdistill.problems import load
from localdistill.problems.extract import extract_code
from localdistill.types import Completion, Diversity, Verdict


class DiversityRequest(BaseModel):
    """Whose samples, and where the figures go."""

    model_config = ConfigDict(frozen=True)

    problems: str
    completions: Path
    verdicts: Path
    out: Path


def run(request: DiversityRequest, callback: Callback) -> Diversity:
    """Count different passing programs, and write them with pass@1 and pass@k.

    Two programs are one where their syntax trees are, without the names that they give themselves,
    docstrings and annotations. k is the most samples that a problem has.

    Raises:
        UserError: a row that is none, or completions that were drawn adaptively.
    """
    if is_done(request.out):
        found = Diversity.model_validate_json(request.out.read_bytes())
        callback(_started(found.problems, found.problems))
        callback(_finished(found, skipped=True))
        return found
    problems = {problem.id: problem for problem in load(request.problems).problems}
    verdicts = metrics.fixed_verdicts(request.completions, request.verdicts)
    callback(_started(len(problems), 0))
    passed = {row.key for row in verdicts if row.passed}
    programs: defaultdict[str, set[str]] = defaultdict(set)
    for row in iter_rows(request.completions, Completion):
        if row.key in passed:
            code = extract_code(row.text, problems[row.problem_id]) or ""
            programs[row.problem_id].add(program(code) or code)
    found = _figures(verdicts, list(problems), programs)
    write_whole(request.out, found.model_dump_json(indent=2) + "\n")
    callback(_finished(found))
    return found


def _figures(verdicts: list[Verdict], ids: list[str], programs: dict[str, set[str]]) -> Diversity:
    counted = metrics.score(verdicts, "", ids, []).counts
    if not counted:
        return Diversity(problems=0, distinct=0.0, pass_at_1=0.0, pass_at_k=0.0, k=1)
    k = max(total for _, total in counted.values())
    first, last = (at.value for at in metrics.score(verdicts, "", ids, [1, k]).pass_at)
    return Diversity(
        problems=len(counted),
        distinct=sum(len(programs.get(name, ())) for name in counted) / len(counted),
        pass_at_1=first,
        pass_at_k=last,
        k=k,
    )


def _started(total: int, done: int) -> StageStarted:
    return StageStarted(
        stage="diversity", title="diversity", total=total, done=done, unit="problems"
    )


def _finished(found: Diversity, *, skipped: bool = False) -> StageFinished:
    shown: dict[str, Scalar] = {"different right programs a problem": round(found.distinct, 2)}
    return StageFinished(stage="diversity", summary=shown, skipped=skipped)
