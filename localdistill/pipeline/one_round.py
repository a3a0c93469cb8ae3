"""One round: sample a model, select, train, export."""

from __future__ import annotations

from pathlib import Path

from localdistill import pruning, rejection
from localdistill.events import Notice
from localdistill.pipeline.lab import best_strategy
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.pipeline.training import Arm, select_from, train_and_export
from localdistill.preflight import passes_wanted
from localdistill.run_dir import label_of
from localdistill.stages import generate, verify
from localdistill.stages.accumulate import accumulate
from localdistill.types import Rejection


def try_to_learn(
    session: Session, number: int, model: Model, base: Model, kept: str
) -> Model | Rejection:
    """The round's model; where it is not one to go on with, why not, which is then noted.

    ``kept`` is the label of the model that the run goes on with in that case.

    Raises:
        LocaldistillError: what ends the run and not the round.
    """
    try:
        return learn(session, number, model, base)
    except rejection.CAUSES as error:
        return rejection.note(session.directory.round(number), number, error, kept)


def say(session: Session, found: Rejection, start: Model) -> None:
    """Tell of a round, begun with ``start``, that gave no model, in this call or an earlier one."""
    gone = start.round > 0 and pruning.pruned(session.directory.round(start.round)) is not None
    text = rejection.told(found, session.directory.round(found.round), startable=not gone)
    session.callback(Notice(level="warning", message=text))


def learn(session: Session, number: int, model: Model, base: Model) -> Model:
    """Select from the round's samples and train ``model`` or ``base``, as ``train.start`` says.

    Raises:
        NothingSelected, TrainingDiverged, ExportRejected: it gives no model.
    """
    config, paths = session.config, session.directory.round(number)
    if config.compare:
        return best_strategy(session, number, base)
    select_from(session, paths, paths.selected, config.select)
    start = base if config.train.start == "base" else model
    arm = Arm(
        label=label_of(number),
        round=number,
        start=start,
        data=_examples(session, number),
        paths=paths,
        # A round's own file has the wanted types already.
        quant=config.export.quant if start is base else "same",
    )
    return train_and_export(session, arm)


def sample(session: Session, number: int, model: Model) -> None:
    """Draw round ``number``'s completions of the train problems from ``model``, and test them."""
    config, paths = session.config, session.directory.round(number)
    problems = str(session.directory.problems("train"))
    session.sample(
        generate.GenerateRequest(
            model=model.gguf,
            problems=problems,
            samples=config.generate.samples,
            sampling=config.generate.sampling(),
            seed=config.seed,
            round=number,
            out=paths.completions,
            slots=config.generate.slots,
            threads=config.generate.threads,
            gpu_layers=config.generate.gpu_layers,
            weights=config.generate.weights,
            deterministic=config.deterministic,
            adaptive=config.generate.adaptive,
            keep=passes_wanted(config),
            cap=config.generate.cap,
            verdicts=paths.verdicts,
            until=session.time.generate_until(),
        ),
        verify.VerifyRequest(
            problems=problems,
            completions=paths.completions,
            out=paths.verdicts,
            **config.verify.model_dump(),
        ),
    )


def _examples(session: Session, number: int) -> Path:
    """What round ``number`` trains on."""
    paths = session.directory.round(number)
    if session.config.train.start == "previous":
        return paths.selected
    rounds = [session.directory.round(each) for each in range(1, number + 1)]
    accumulate([each.selected for each in rounds], paths.accumulated)
    return paths.accumulated
