"""The beginning of a run: problem sets, the starting model, sizes, the manifest."""

from __future__ import annotations

from pathlib import Path

from localdistill import preflight
from localdistill.events import Notice
from localdistill.jsonl import read_rows
from localdistill.manifest import manifest, record_sandbox
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.quantization.convert import quant_of_start
from localdistill.stages import prepare, split
from localdistill.stages.this_machine import settled
from localdistill.stages.train_here import settled as settled_training
from localdistill.types import Problem


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
    model, directory = Path(session.config.model), session.directory
    quant = quant_of_start(session.config.export.quant)
    # Once: it takes seconds, and what has a manifest was looked at or is far along.
    first = not directory.manifest.exists()
    sets = tuple(directory.problems(name) for name in ("train", "dev", "eval"))
    request = prepare.PrepareRequest(
        model=model,
        work_dir=directory.start,
        quant=quant,
        compare_tokens=first,
        problem_sets=sets if first else (),
    )
    start = session.stage("prepare", request)
    for name, ids in start["too_long"].items():
        _leave_out(session, name, set(ids))
    return Model("base", Path(start["gguf"]), Path(start["master"]))


def _leave_out(session: Session, name: str, ids: set[str]) -> None:
    """Take problems out of the run's copy of a set that its model cannot be asked."""
    path = session.directory.problems(name)
    left = [problem for problem in read_rows(path, Problem) if problem.id not in ids]
    shown = ", ".join(sorted(ids)[:3]) + (" ..." if len(ids) > 3 else "")
    text = f"{len(ids)} problems of {name} are longer than the model's context ({shown})"
    session.callback(Notice(level="warning", message=f"{text}: left out."))
    if name == "train":
        split.check_tests(preflight.split_request(session.config, session.directory), left)
    split.write_set(path, left)


def _settle(session: Session, base: Model) -> int:
    """Choose what is open of generation's and training's size; gives the tokens of a cache."""
    sets = (session.directory.problems(name) for name in ("train", "eval"))
    config, cells = settled(session.config, sets, base.gguf)
    config = settled_training(config, base.master)
    if config != session.config:
        session.directory.settle(config)
    session.config = config
    return cells
