"""Stage *split*: the three disjoint problem sets of a run, written into its directory.

*train* is sampled and trained on, *dev* is for every choice, *eval* is opened once, at the end.
From then on the run reads its own copies, so that it can be continued and repeated from itself.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from localdistill.audit.leakage import near_duplicates
from localdistill.durable import write_atomically
from localdistill.errors import ConfigError, ProblemSetError
from localdistill.events import Callback, Notice
from localdistill.markers import is_done, write_whole
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.types import Problem, Row

DEV_SHARE = 0.15  # of the problems to train on, for each of dev and eval that is not given


class SplitRequest(BaseModel):
    """Problem-set specs, and where the native files go (by split: train, dev, eval)."""

    model_config = ConfigDict(frozen=True)

    problems: str
    dev_problems: str | None
    eval_problems: str | None
    limit: int | None
    seed: int
    out: dict[str, Path]
    strategy: str = "none"  # what will be selected by: with "needs_tests", train must have some
    needs_tests: bool = False


Splits = dict[str, list[Problem]]  # by name
LEFT_OUT = "left_out.jsonl"  # beside the splits


class LeftOut(Row):
    """A problem that was taken out of a split because another holds it, maybe in other words."""

    problem: str
    split: str  # that it was taken out of
    like: str
    kept_in: str
    sign: str  # prompt, reference or tests: see localdistill.audit.leakage
    likeness: float  # 0 to 1


@dataclass(frozen=True)
class Separation:
    """Three splits that do not overlap, and what had to go for that."""

    splits: Splits
    left_out: list[LeftOut]


def is_written(request: SplitRequest) -> bool:
    """Whether the run has its copies, whatever has become of the files that they were made from."""
    return all(is_done(path) for path in request.out.values())


def write(request: SplitRequest, separation: Separation) -> None:
    """Write the splits, and the list of what was left out, into the run's directory."""
    rows = "".join(row.model_dump_json() + "\n" for row in separation.left_out)
    write_atomically(request.out["train"].with_name(LEFT_OUT), rows)
    for name, path in request.out.items():
        write_set(path, separation.splits[name])


def write_set(path: Path, problems: Sequence[Problem]) -> None:
    """Write one split, with its marker; a kill leaves none, so that all are made again."""
    lines = [problem.model_dump_json() + "\n" for problem in problems]
    write_whole(path, "".join(lines), count=len(lines))


def separate(request: SplitRequest, callback: Callback) -> Separation:
    """The three splits, with what evaluation needs taken out of train, never the reverse.

    A problem that another split has in other words counts as the same one.

    Raises:
        ProblemSetError: a set cannot be read, or too few problems are left to train on.
        ConfigError: nothing could be selected, for want of tests.
    """
    train = load(request.problems, request.limit).problems
    check_tests(request, train)
    evaluation = (
        load(request.eval_problems, request.limit).problems if request.eval_problems else []
    )
    dev = load(request.dev_problems, request.limit).problems if request.dev_problems else []
    evaluation = _comparable(evaluation, "eval", callback)
    drop = _Dropper(callback)
    train = drop.equal(train, evaluation, "train", "eval")
    dev = drop.equal(dev, evaluation, "dev", "eval")
    train = drop.equal(train, dev, "train", "dev")
    dev = _comparable(dev, "dev", callback)
    before, share = len(train), DEV_SHARE * sum(map(is_comparable, train))
    if not request.eval_problems:
        train, evaluation = _hold_out(train, share, f"{request.seed}/eval")
        text = f"No --eval-problems: {len(evaluation)} of {before} problems are held out for the"
        callback(Notice(level="warning", message=f"{text} final comparison."))
    if not request.dev_problems:
        train, dev = _hold_out(train, share, f"{request.seed}/dev")
    train = drop.near(train, evaluation, "train", "eval")
    dev = drop.near(dev, evaluation, "dev", "eval")
    train = drop.near(train, dev, "train", "dev")
    if not evaluation:
        message = f"{request.eval_problems or request.problems}: no problem has tests to compare by"
        message += " (that do not reach into the program)"
        raise ProblemSetError(f"{message}; name a set that has with --eval-problems.")
    if not train:
        message = f"{request.problems}: no problem is left to train on once those to compare on are"
        raise ProblemSetError(f"{message} taken out; name more problems, or raise --limit.")
    check_tests(request, train)
    return Separation({"train": train, "dev": dev, "eval": evaluation}, drop.left_out)


def check_tests(request: SplitRequest, train: Sequence[Problem]) -> None:
    """Make sure that something can be selected of the problems that are drawn.

    Raises:
        ConfigError: none has the tests that the strategy needs.
    """
    if request.needs_tests and all(problem.tests is None for problem in train):
        message = f"{request.problems}: its problems have no tests, which --select"
        raise ConfigError(f"{message} {request.strategy} needs; use --select none or confidence.")


class _Dropper:
    """Takes problems out of a split that another one holds, says how many, and keeps the list."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.left_out: list[LeftOut] = []

    def equal(
        self, own: list[Problem], other: list[Problem], name: str, kept_in: str
    ) -> list[Problem]:
        # What is asked in the same words is the same problem, whatever its id. So is an equal
        # prompt beside other code, unless a set has that several times: then it is a heading.
        prompts = [Counter(problem.prompt.strip() for problem in each) for each in (own, other)]
        asked = {_asked(problem): problem.id for problem in other}
        asked |= {
            problem.prompt.strip(): problem.id
            for problem in other
            if all(each[problem.prompt.strip()] == 1 for each in prompts)
        }
        found = [
            (problem.id, asked[text], "prompt", 1.0)
            for problem in own
            for text in [_asked(problem) if _asked(problem) in asked else problem.prompt.strip()]
            if text in asked
        ]
        text = "problems of {name} are in {kept_in} as well: left out of {name}."
        return self._without(found, own, name, kept_in, text)

    def near(
        self, own: list[Problem], other: list[Problem], name: str, kept_in: str
    ) -> list[Problem]:
        found = [
            (pair.problem, pair.like, pair.sign, round(pair.likeness, 4))
            for pair in near_duplicates(own, other)
        ]
        text = "problems of {name} are those of {kept_in} in other words: left out of {name}."
        return self._without(found, own, name, kept_in, f"{text} They are listed in {LEFT_OUT}.")

    def _without(
        self,
        found: list[tuple[str, str, str, float]],
        own: list[Problem],
        name: str,
        kept_in: str,
        text: str,
    ) -> list[Problem]:
        if not found:
            return own
        self.left_out += [
            LeftOut(
                problem=problem,
                split=name,
                like=like,
                kept_in=kept_in,
                sign=sign,
                likeness=likeness,
            )
            for problem, like, sign, likeness in found
        ]
        message = f"{len(found)} {text.format(name=name, kept_in=kept_in)}"
        self.callback(Notice(level="warning", message=message))
        gone = {problem for problem, *_ in found}
        return [problem for problem in own if problem.id not in gone]


def _asked(problem: Problem) -> str:
    return messages(problem)[-1].content.strip()


def _comparable(problems: list[Problem], name: str, callback: Callback) -> list[Problem]:
    # Without tests nothing passes, and two models at 0% would look like a comparison.
    tested = [problem for problem in problems if problem.tests is not None]
    found = [problem for problem in tested if is_comparable(problem)]
    untested, reaching = len(problems) - len(tested), len(tested) - len(found)
    if untested:
        text = f"{untested} problems of {name} have no tests: left out."
        callback(Notice(level="warning", message=text))
    if reaching:
        text = f"{reaching} problems of {name} have tests that reach into the program, which could"
        callback(Notice(level="warning", message=f"{text} say what it likes: left out."))
    return found


def is_comparable(problem: Problem) -> bool:
    """Whether models can be compared by it: it has tests that a program cannot talk to."""
    from localdistill.sandbox import separable  # takes a while to import

    return problem.tests is not None and separable.reason(problem) is None


def _hold_out(train: list[Problem], share: float, seed: str) -> tuple[list[Problem], list[Problem]]:
    """Take about ``share`` problems out of ``train``, of those that models can be compared by."""
    comparable = [index for index, problem in enumerate(train) if is_comparable(problem)]
    count = min(max(1, round(share)), len(comparable))
    chosen = set(random.Random(seed).sample(comparable, count))  # noqa: S311 - to be repeatable
    held_out = [problem for index, problem in enumerate(train) if index in chosen]
    return [problem for index, problem in enumerate(train) if index not in chosen], held_out
