"""The selection lab: strategies side by side, from one set of completions.

    select (each) --> budget --> [ train --> export --> score on dev ] x strategies --> the best one

All are trained on the same number of answer tokens, with the same settings, and scored alike. Each
step of each is a stage on files in ``rounds/01/arms/NAME``, so a run that was stopped goes on. The
one that does best on dev gives the round its model: its files stand in the round's folder as well.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from localdistill import rejection
from localdistill.comparison import (
    ArmScore,
    Comparison,
    LeftOutArm,
    arm_score,
    read_comparison,
    with_choice,
)
from localdistill.events import Callback, Notice
from localdistill.jsonl import is_done, marker, write_atomically
from localdistill.run_dir import RoundDir
from localdistill.stages.budget import BudgetRequest, BudgetSummary, Cut, Source
from localdistill.types import EvalResult

ModelT = TypeVar("ModelT")


@dataclass(frozen=True)
class Hands(Generic[ModelT]):
    """What the lab has done for it by the run.

    ``select``: by a strategy, into a file; returns how many are kept.
    ``budget``: the stage of that name.
    ``train``: train and export, in an arm's folder, on a data set; raises ``rejection.CAUSES``.
    ``score``: compare a model with the base model on dev.
    """

    select: Callable[[str, Path], int]
    budget: Callable[[BudgetRequest], BudgetSummary]
    train: Callable[[RoundDir, Path, str], ModelT]
    score: Callable[[ModelT], EvalResult]


@dataclass(frozen=True)
class Lab:
    """Where the lab works, and with what settings."""

    round: RoundDir
    out: Path  # comparison.json
    tokenizer: Path  # folder of the model that is trained
    max_length: int
    tokens: int | None
    seed: int


def run(lab: Lab, strategies: Sequence[str], hands: Hands[ModelT], callback: Callback) -> None:
    """Compare ``strategies`` and put the best one's files in the round's folder.

    Raises:
        ConfigError: none of them selects anything.
        ExportRejected, TrainingDiverged: none of them gives a model; that of the last one.
    """
    found = read_comparison(lab.out)
    if found is None:
        found = _compared(lab, strategies, hands, callback)
        write_atomically(lab.out, found.model_dump_json(indent=2) + "\n")
    best = next(arm.name for arm in found.arms if arm.chosen)
    adopt(lab.round.arm(best), lab.round)


def _compared(
    lab: Lab, strategies: Sequence[str], hands: Hands[ModelT], callback: Callback
) -> Comparison:
    arms = {name: lab.round.arm(name) for name in strategies}
    left_out = []
    for name, paths in arms.items():
        if not hands.select(name, paths.selected):
            left_out.append(LeftOutArm(name=name, reason="it selects nothing"))
    sources = [
        Source(name=name, data=paths.selected, out=paths.trained) for name, paths in arms.items()
    ]
    shares = hands.budget(
        BudgetRequest(
            model=lab.tokenizer,
            sources=sources,
            tokens=lab.tokens,
            max_length=lab.max_length,
            seed=lab.seed,
            out=lab.round.path / "arms" / "budget.json",
        )
    )
    scored: list[ArmScore] = []
    error: Exception | None = None
    for cut in shares.cuts:
        if not cut.examples:
            if all(each.name != cut.name for each in left_out):
                reason = "all it selects is longer than train.max_length"
                left_out.append(LeftOutArm(name=cut.name, reason=reason))
            continue
        result, reason = _tried(arms[cut.name], cut, hands)
        if isinstance(result, ArmScore):
            scored.append(result)
        else:
            error = result or error
            left_out.append(LeftOutArm(name=cut.name, reason=reason))
            text = f"Strategy {cut.name} gives no model: {reason}"
            callback(Notice(level="warning", message=text))
    if not scored and error is not None:
        raise error
    return Comparison(arms=with_choice(scored), tokens_each=shares.tokens_each, left_out=left_out)


def _tried(
    paths: RoundDir, cut: Cut, hands: Hands[ModelT]
) -> tuple[ArmScore | Exception | None, str]:
    """Train and score one arm; or why there is no model of it."""
    try:
        model = hands.train(paths, paths.trained, cut.name)
    except rejection.CAUSES as error:
        return error, str(error)
    return arm_score(cut.name, cut.examples, cut.tokens, hands.score(model)), ""


def adopt(arm: RoundDir, round_: RoundDir) -> None:
    """Have the files of ``arm`` stand in the round's folder too, their markers last.

    The weights are the same on the disk, and not copied, where it can do that.
    """
    for name in ("selected", "trained", "adapter", "merged", "model"):
        source, target = getattr(arm, name), getattr(round_, name)
        if is_done(target) or not source.exists():
            continue
        if marker(source).exists():  # first, as in ``jsonl.publish``
            _link(marker(source), marker(target))
        _link(source, target)
    if arm.parity.is_file() and not round_.parity.is_file():
        _link(arm.parity, round_.parity)


def _link(source: Path, target: Path) -> None:
    partial = target.with_name(target.name + ".partial")
    for old in (partial, target):
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
    if source.is_dir():
        shutil.copytree(source, partial, copy_function=_link_file)
    else:
        _link_file(str(source), str(partial))
    partial.rename(target)


def _link_file(source: str, target: str) -> str:
    with contextlib.suppress(OSError):  # another disk, or one that knows no links
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))
