"""Controls: the base trained on something else in the same way, scored with the run's own model.

    data set --> budget --> train --> export --> score on eval

They are made after the verdict and nothing is chosen by them. One that gives no model is left out
with a warning. Their files stand in ``controls/NAME`` of the run's directory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from localdistill import controls, rejection
from localdistill.errors import ConfigError
from localdistill.events import Callback, Notice
from localdistill.jsonl import is_done, read_rows, write_whole
from localdistill.problems import load
from localdistill.run_dir import RoundDir
from localdistill.stages.budget import BudgetRequest, Source
from localdistill.types import ControlScore, EvalResult, TrainingExample

ModelT = TypeVar("ModelT")


@dataclass(frozen=True)
class Hands(Generic[ModelT]):
    """What is done for the controls by the run; see ``lab.Hands``. ``score``: on eval."""

    budget: Callable[[BudgetRequest], object]
    train: Callable[[RoundDir, Path, str], ModelT]
    score: Callable[[ModelT], EvalResult]


@dataclass(frozen=True)
class Setting:
    """Where the controls are made and from what.

    ``selected``: what the run's model was trained on, of all of its rounds.
    """

    folder: Path
    selected: Path
    problems: Path  # the training problems, native
    tokenizer: Path
    max_length: int
    seed: int


def run(
    setting: Setting, names: Sequence[str], hands: Hands[ModelT], callback: Callback
) -> list[ControlScore]:
    """Make and score the controls ``names``, in their order."""
    found = []
    for name in names:
        paths = RoundDir(setting.folder / name)
        try:
            _write_data(setting, name, paths)
            hands.budget(_budget(setting, name, paths))
            result = hands.score(hands.train(paths, paths.trained, name))
        except (*rejection.CAUSES, ConfigError) as error:
            text = f"There is no control {name}: {error}"
            callback(Notice(level="warning", message=text))
            continue
        if result.gain is not None and result.gain_low is not None and result.gain_high is not None:
            found.append(
                ControlScore(
                    name=name,
                    score=result.candidate,
                    gain=result.gain,
                    gain_low=result.gain_low,
                    gain_high=result.gain_high,
                )
            )
    return found


def _write_data(setting: Setting, name: str, paths: RoundDir) -> None:
    if is_done(paths.selected):
        return
    selected = read_rows(setting.selected, TrainingExample)
    if name == "references":
        problems = {row.id: row for row in load(str(setting.problems)).problems}
        rows = controls.references(selected, problems)
    else:
        rows = controls.shuffled(selected, setting.seed)
    write_whole(paths.selected, "".join(row.model_dump_json() + "\n" for row in rows))


def _budget(setting: Setting, name: str, paths: RoundDir) -> BudgetRequest:
    return BudgetRequest(
        model=setting.tokenizer,
        sources=[Source(name=name, data=paths.selected, out=paths.trained)],
        like=setting.selected,
        repeat=True,
        max_length=setting.max_length,
        seed=setting.seed,
        out=paths.path / "budget.json",
    )
