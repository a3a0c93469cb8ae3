"""How much text a stage will write: completions and verdicts that are still to come.

Rather too little is counted than too much, as that would keep a run from work for which there is
room. A disk that gets full in spite of it ends the run in order, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from localdistill import disk_use
from localdistill.decodings import samples_of
from localdistill.jsonl import iter_lines
from localdistill.markers import done_facts, is_done
from localdistill.sampling import Sampling
from localdistill.stages.adaptive_rule import FIRST_WAVE
from localdistill.stages.decoding import DecodingRequest
from localdistill.stages.evaluate import EvaluateRequest
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.scoring import COMPLETIONS, VERDICTS, ScoringRequest
from localdistill.stages.verify import VerifyRequest

# Of the most that a row may have, where there is none to go by. The seed model uses a quarter of
# its tokens; others use more of theirs, as far as was seen.
_SHARE = 0.25


def to_come(request: BaseModel, before: Sequence[Path] = ()) -> int:
    """Bytes of the rows that a stage has yet to write; 0 of one that writes no such rows.

    A row is taken to be as long as those that stand in its file, else a completion as those in the
    first file of ``before`` that has any.

    Raises:
        OSError: a file cannot be read.
    """
    match request:
        case GenerateRequest():
            each = _completion(request.sampling, before)
            return _rest(request.out, _drawn_at_least(request), each)
        case VerifyRequest():
            return _rest(request.out, request.expected or _rows(request.completions), _verdict())
        case EvaluateRequest():
            return sum(
                _scored(
                    request,
                    each.work_dir,
                    each.sampling or request.sampling,
                    each.samples or request.samples,
                    before,
                )
                for each in (request.candidate, request.baseline)
                if each is not None
            )
        case DecodingRequest():
            return sum(
                _scored(
                    request,
                    request.model.work_dir / name,
                    sampling,
                    samples_of(sampling, request.samples, request.ks),
                    before,
                )
                for name, sampling in request.decodings.items()
            )
    return 0


def side_by_side(
    generate: GenerateRequest, verify: VerifyRequest, before: Sequence[Path] = ()
) -> int:
    """As ``to_come``, of both where one tests what the other draws, as it comes.

    Raises:
        OSError: a file cannot be read.
    """
    expected = max(_drawn_at_least(generate), _rows(generate.out))
    verify = verify.model_copy(update={"expected": expected})
    return to_come(generate, before) + to_come(verify)


def _drawn_at_least(request: GenerateRequest) -> int:
    """Completions, those included that are there already."""
    if request.until is not None:  # as many as there is time for
        return 0
    each = min(FIRST_WAVE, request.samples) if request.adaptive else request.samples
    return each * _problems(request.problems, request.limit)


def _scored(
    request: ScoringRequest,
    folder: Path,
    sampling: Sampling,
    samples: int,
    before: Sequence[Path],
) -> int:
    """Of one model, whose completions and verdicts are kept in ``folder``."""
    completions = folder / COMPLETIONS
    wanted = samples * _problems(request.problems, request.limit)
    text = _rest(completions, wanted, _completion(sampling, before))
    tested = _rows(completions) if is_done(completions) else wanted
    return text + _rest(folder / VERDICTS, tested, _verdict())


def _rest(path: Path, wanted: int, each: float) -> int:
    """Bytes of what ``path`` lacks of ``wanted`` rows, of ``each`` bytes where it has none."""
    if is_done(path):  # it may have fewer: as there was no time for more
        return 0
    rows = _rows(path)
    if rows:
        each = path.stat().st_size / rows
    return int(max(0, wanted - rows) * each)


def _completion(sampling: Sampling, before: Sequence[Path]) -> float:
    """Bytes of a completion."""
    most = disk_use.completions(1, sampling.max_tokens)
    for path in before:
        rows = _rows(path)
        if rows:
            return min(most, path.stat().st_size / rows)
    return _SHARE * most


def _verdict() -> float:
    return _SHARE * disk_use.verdicts(1)


def _problems(problems: str, limit: int | None) -> int:
    """How many of a run's own file, with a row for each."""
    path = Path(problems)
    # A problem's tests may be megabytes: they are read only where nothing else tells.
    known = done_facts(path).get("count") if is_done(path) else None
    count = int(known) if known is not None else _rows(path)
    return count if limit is None else min(limit, count)


def _rows(path: Path) -> int:
    return sum(1 for _ in iter_lines(path)) if path.is_file() else 0
