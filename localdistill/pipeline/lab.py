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
from pathlib import Path

from localdistill import rejection
from localdistill.bootstrap import Confidence
from localdistill.durable import to_disk, tree_to_disk, write_atomically
from localdistill.events import Notice
from localdistill.markers import is_done, marker
from localdistill.outcomes import (
    ArmScore,
    Comparison,
    LeftOutArm,
    arm_score,
    read_comparison,
    with_choice,
)
from localdistill.pipeline import starts
from localdistill.pipeline.comparison import compare_on_dev, on_dev
from localdistill.pipeline.models import Contender, Model
from localdistill.pipeline.session import Session
from localdistill.pipeline.training import Arm, select_from, train_and_export
from localdistill.run_dir import RoundDir
from localdistill.stages.budget import BudgetRequest, BudgetSummary, Cut, Source


def best_strategy(session: Session, number: int, base: Model) -> Model:
    """Compare the configured strategies on round ``number``'s samples; gives the best one's model.

    Raises:
        ConfigError: what an earlier call has noted is damaged.
        NothingSelected: none of them selects anything.
        TrainingDiverged, ExportRejected: none of them gives a model; that of the last one.
    """
    paths, out = session.directory.round(number), session.directory.comparison
    found = read_comparison(out)
    if found is None:
        found = _compared(session, number, base)
        write_atomically(out, found.model_dump_json(indent=2) + "\n")
    best = next(arm.name for arm in found.arms if arm.chosen)
    adopt(paths.arm(best), paths)
    model = starts.made(session, number)
    # It is the same file, so what it said on dev is the same as well.
    _adopt_scores(session.directory.scores("dev", _label(best)), model, session)
    return model


def _compared(session: Session, number: int, base: Model) -> Comparison:
    paths = session.directory.round(number)
    left_out = []
    for name in session.config.compare:
        arm = paths.arm(name)
        settings = session.config.select.model_copy(update={"strategy": name})
        if not select_from(session, paths, arm.selected, settings):
            left_out.append(LeftOutArm(name=name, reason="it selects nothing"))
    shares = _shares(session, paths, base)
    standing = on_dev(session, base)
    scored: list[ArmScore] = []
    error: Exception | None = None
    for cut in shares.cuts:
        if not cut.examples:
            if all(each.name != cut.name for each in left_out):
                reason = "all it selects is longer than train.max_length"
                left_out.append(LeftOutArm(name=cut.name, reason=reason))
            continue
        # One that an earlier call has seen rejected is not trained for that once more.
        rejected: Exception | None = rejection.again(paths.arm(cut.name))
        if rejected is None:
            try:
                scored.append(_scored(session, number, cut, standing))
                continue
            except rejection.CAUSES as found:
                rejection.note(paths.arm(cut.name), number, found, base.label)
                rejected = found
        error = rejected
        left_out.append(LeftOutArm(name=cut.name, reason=str(rejected)))
        text = f"Strategy {cut.name} gives no model: {rejected}"
        session.callback(Notice(level="warning", message=text))
    if not scored and error is not None:
        raise error
    evaluated = session.config.evaluate
    return Comparison(
        arms=with_choice(scored, Confidence(evaluated.level, evaluated.interval)),
        tokens_each=shares.tokens_each,
        level=evaluated.level,
        left_out=left_out,
    )


def _shares(session: Session, paths: RoundDir, base: Model) -> BudgetSummary:
    config = session.config
    arms = {name: paths.arm(name) for name in config.compare}
    request = BudgetRequest(
        model=base.master,
        sources=[
            Source(name=name, data=arm.selected, out=arm.trained) for name, arm in arms.items()
        ],
        tokens=config.compare_tokens,
        max_length=config.train.max_length,
        seed=config.seed,
        out=paths.path / "arms" / "budget.json",
    )
    return BudgetSummary.model_validate(session.stage("budget", request))


def _scored(session: Session, number: int, cut: Cut, base: Contender) -> ArmScore:
    paths = session.directory.round(number).arm(cut.name)
    model = train_and_export(
        session,
        Arm(
            label=_label(cut.name),
            round=number,
            start=base.model,
            data=paths.trained,
            paths=paths,
            quant=session.config.export.quant,
        ),
    )
    found = compare_on_dev(session, on_dev(session, model), base, paths.evaluation)
    return arm_score(cut.name, cut.examples, cut.tokens, found)


def adopt(arm: RoundDir, round_: RoundDir) -> None:
    """Have the files of ``arm`` stand in the round's folder too, their markers first.

    The weights are the same on the disk, and not copied, where it can do that.
    """
    for name in ("selected", "trained", "adapter", "merged", "model"):
        source, target = getattr(arm, name), getattr(round_, name)
        if is_done(target) or not source.exists():
            continue
        if marker(source).exists():  # see ``markers.publish``
            _link(marker(source), marker(target))
        _link(source, target)
    if arm.parity.is_file() and not round_.parity.is_file():
        _link(arm.parity, round_.parity)


def _adopt_scores(scores: Path, model: Model, session: Session) -> None:
    own = session.directory.scores("dev", model.label)
    if scores.is_dir() and not own.exists():
        _link(scores, own)


def _label(strategy: str) -> str:
    return f"arm-{strategy}"


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
    (tree_to_disk if partial.is_dir() else to_disk)(partial)
    partial.rename(target)
    to_disk(target.parent)


def _link_file(source: str, target: str) -> str:
    with contextlib.suppress(OSError):  # another disk, or one that knows no links
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))
