"""From samples to a model: selection, training, export; for a round, or for any other arm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localdistill.config import SelectConfig
from localdistill.markers import is_done
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.run_dir import RoundDir
from localdistill.stages import export, select, train


@dataclass(frozen=True)
class Arm:
    """One training: of which model, on what, and where its files go."""

    label: str  # of the model that comes of it
    round: int  # whose samples it is trained on
    start: Model
    data: Path  # rows of TrainingExample
    paths: RoundDir  # adapter, merged, model, parity
    quant: str = "same"  # "same": the types of ``start``'s file


def select_from(session: Session, samples: RoundDir, out: Path, settings: SelectConfig) -> int:
    """Choose training examples from the train completions and verdicts in ``samples``.

    Returns how many are kept.

    Raises:
        LocaldistillError: see ``stages.select``.
    """
    config = session.config
    found = session.stage(
        "select",
        select.SelectRequest(
            problems=str(session.directory.problems("train")),
            completions=samples.completions,
            verdicts=samples.verdicts,
            out=out,
            seed=config.seed,
            sandbox=config.verify.sandbox,
            workers=config.verify.workers,
            **settings.model_dump(),
        ),
    )
    return int(found.get("kept", 0))


def train_and_export(session: Session, arm: Arm) -> Model:
    """Train ``arm`` with the run's settings and write its files.

    Raises:
        NothingSelected, TrainingDiverged, ExportRejected: it gives no model.
        OutOfTime: there was no time for it.
        LocaldistillError: see ``stages.train`` and ``stages.export``.
    """
    config, paths = session.config, arm.paths
    made = is_done(paths.adapter)
    of = "" if arm.label.startswith("round-") else arm.label  # the others are beside a round's own
    trained = session.stage(
        "train",
        train.TrainRequest(
            model=arm.start.master,
            data=arm.data,
            out=paths.adapter,
            seed=config.seed + arm.round,
            threads=config.generate.threads,
            until=None if made else session.time.train_until(),
            deterministic=config.deterministic,
            **config.train.model_dump(exclude={"start"}),
        ),
        of,
    )
    session.time.note_trained(arm.round, trained)
    session.stage(
        "export",
        export.ExportRequest(
            template=arm.start.gguf,
            master=arm.start.master,
            adapter=paths.adapter,
            merged=paths.merged,
            out=paths.model,
            quant=arm.quant,
            data=arm.data,
            threads=config.generate.threads,
        ),
        of,
    )
    return Model(arm.label, paths.model, paths.merged, arm.round)
