"""The beginning of a run: problem sets, the starting model, sizes, the manifest."""

from __future__ import annotations

from pathlib import Path

from localdistill import preflight
from localdistill.manifest import manifest, record_sandbox
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.quantization.convert import DEFAULT_QUANT, quant_of_start
from localdistill.run_dir import MODEL_FOLDER
from localdistill.stages import prepare, split
from localdistill.stages.this_machine import settled
from localdistill.stages.train_here import settled as settled_training


def begin(session: Session, ready: preflight.Ready) -> Model:
    """Write down what the run is made from, or check it; returns the starting model.

    Raises:
        ConfigError: a model or a problem set is not the one that the run was begun with.
    """
    directory = session.directory
    if ready.splits is not None:
        split.write(preflight.split_request(session.config, directory), ready.splits)
    base = _prepare(session)
    if not ready.pinned:
        # What was chosen when the run was begun stands, however much memory is free today.
        cells = 0 if directory.manifest.exists() else _settle(session, base)
        directory.write_manifest(manifest(session.config, directory, base.gguf, cells))
    if ready.sandbox is not None:
        record_sandbox(directory, ready.sandbox)
    return base


def _prepare(session: Session) -> Model:
    model = Path(session.config.model)
    quant = _quant_of_start(session, model)
    request = prepare.PrepareRequest(
        model=model,
        work_dir=session.directory.start,
        quant=quant,
        # Once: it takes seconds, and what has a manifest was compared or is far along.
        compare_tokens=not session.directory.manifest.exists(),
    )
    start = session.stage("prepare", request)
    return Model("base", Path(start["gguf"]), Path(start["master"]))


def _quant_of_start(session: Session, model: Path) -> str:
    """The type of the starting file, where it is made of a folder."""
    directory = session.directory
    # What began before folders were pinned began with this type, whatever it exports to.
    if directory.manifest.exists() and model.is_dir() and not directory.pins(MODEL_FOLDER):
        return DEFAULT_QUANT
    return quant_of_start(session.config.export.quant)


def _settle(session: Session, base: Model) -> int:
    """Choose what is open of generation's and training's size; gives the tokens of a cache."""
    sets = (session.directory.problems(name) for name in ("train", "eval"))
    config, cells = settled(session.config, sets, base.gguf)
    config = settled_training(config, base.master)
    if config != session.config:
        session.directory.settle(config)
    session.config = config
    return cells
