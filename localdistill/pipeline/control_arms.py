"""Controls: the base trained on something else in the same way, scored with the run's own model.

    data set --> budget --> train --> export --> score on eval

They are made after the verdict and nothing is chosen by them. One that gives no model is left out
with a warning. Their files stand in ``controls/NAME`` of the run's directory.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from localdistill import controls, rejection
from localdistill.chain import trained_on_each_other
from localdistill.errors import ConfigError
from localdistill.events import Notice
from localdistill.jsonl import read_rows
from localdistill.markers import is_done, write_whole
from localdistill.pipeline.comparison import compare_control, on_dev
from localdistill.pipeline.models import Contender, Model
from localdistill.pipeline.session import Session
from localdistill.pipeline.training import Arm, train_and_export
from localdistill.problems import load
from localdistill.run_dir import RoundDir
from localdistill.stages.accumulate import accumulate
from localdistill.stages.budget import BudgetRequest, Source
from localdistill.types import ControlScore, EvalResult, TrainingExample


def with_controls(
    session: Session, result: EvalResult, best: Contender, base: Contender
) -> EvalResult:
    """``result`` with the scores of the configured controls, as ``evaluation.json`` then has it.

    Raises:
        LocaldistillError: what would end any run.
    """
    found = []
    for name in session.config.controls:
        paths = RoundDir(session.directory.controls / _of_round(name, best.model))
        selected = _selected(session, best.model)
        score: ControlScore | None = None
        # One that an earlier call has seen rejected is not trained for that once more.
        why: Exception | None = rejection.again(paths)
        if why is None:
            try:
                _write_data(session, name, selected, paths)
                score = _score(session, name, selected, paths, base, best)
            except rejection.CAUSES as error:
                rejection.note(paths, best.model.round, error, best.model.label)
                why = error
            except ConfigError as error:
                why = error
        if why is not None:
            text = f"There is no control {name}: {why}"
            session.callback(Notice(level="warning", message=text))
        if score is not None:
            found.append(score)
    result = result.model_copy(update={"controls": found})
    write_whole(session.directory.evaluation, result.model_dump_json(indent=2) + "\n")
    return result


def _of_round(name: str, best: Model) -> str:
    """What a control is called: a run that ends with another model has others."""
    return name if best.round == 1 else f"{name}-{best.round:02d}"


def _selected(session: Session, best: Model) -> Path:
    """All that the run's model was trained on.

    A round that gave no model, or one that the run did not go on with, is no part of it, unless
    each round trains the base on the examples of all rounds so far.
    """
    rounds = (
        list(range(1, best.round + 1))
        if session.config.train.start == "base"
        else trained_on_each_other(session.directory, best.round)
    )
    places = [session.directory.round(each) for each in rounds]
    data = [each.trained if session.config.compare else each.selected for each in places]
    selected = session.directory.controls / "selected.jsonl"
    selected.parent.mkdir(exist_ok=True)
    accumulate([path for path in data if path.exists()], selected)
    return selected


def _write_data(session: Session, name: str, selected: Path, paths: RoundDir) -> None:
    if is_done(paths.selected):
        return
    examples = read_rows(selected, TrainingExample)
    if name == "references":
        problems = load(str(session.directory.problems("train"))).problems
        rows = controls.references(examples, {row.id: row for row in problems})
    else:
        rows = controls.shuffled(examples, session.config.seed)
    paths.path.mkdir(exist_ok=True)
    text = "".join(row.model_dump_json() + "\n" for row in rows)
    write_whole(paths.selected, text)


def _score(
    session: Session, name: str, selected: Path, paths: RoundDir, base: Contender, best: Contender
) -> ControlScore | None:
    config = session.config
    session.stage(
        "budget",
        BudgetRequest(
            model=base.model.master,
            sources=[Source(name=name, data=paths.selected, out=paths.trained)],
            like=selected,
            repeat=True,
            max_length=config.train.max_length,
            seed=config.seed,
            out=paths.path / "budget.json",
        ),
    )
    model = train_and_export(
        session,
        Arm(
            label=f"control-{_of_round(name, best.model)}",
            round=best.model.round,
            start=base.model,
            data=paths.trained,
            paths=paths,
            quant=config.export.quant,
        ),
    )
    # As every model here: by its own best decoding, where the run's model was given that.
    chosen = best.choice is not None and len(best.choice.scores) > 1
    control = on_dev(session, model) if chosen else replace(best, model=model, choice=None)
    result = compare_control(session, control, base, paths.evaluation)
    if result.gain is None or result.gain_low is None or result.gain_high is None:
        return None
    return ControlScore(
        name=name,
        score=result.candidate,
        gain=result.gain,
        gain_low=result.gain_low,
        gain_high=result.gain_high,
        decoding=result.candidate_decoding,
    )
