"""The beginning of a run: problem sets, the starting model, sizes, the manifest."""

from __future__ import annotations

from pathlib import Path

from localdistill import preflight
from localdistill.manifest import manifest, record_sandbox
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
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
    request = prepare.PrepareRequest(
        model=Path(session.config.model), work_dir=session.directory.start
    )
    start = session.stage("prepare", request)
    return Model("base", Path(start["gguf"]), Path(start["master"]))


def _settle(session: Session, base: Model) -> int:
    """Choose what is open of generation's and training's size; gives the tokens of a cache."""
    sets = (session.directory.problems(name) for name in ("train", "eval"))
    config, cells = settled(session.config, sets, base.gguf)
    config = settled_training(config, base.master)
    if config != session.config:
        session.directory.settle(config)
    session.config = config
    return cells
