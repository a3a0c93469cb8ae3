"""A run: rounds of distillation, and the comparison at their end.

    prepare --> [ generate --> verify --> select --> train --> export ] x rounds --> evaluate

Every step is a stage on files; a finished one is recognised by its marker and not done again, so
the same call on the same directory goes on where an earlier one was stopped.

    rounds      the loop over rounds, and what it comes to
    beginning   splits, starting model, sizes, manifest
    one_round   one round: sampling, selection, training, export
    training    train and export from any selection
    contest     champion and challengers, on dev
    stopping    what ends a run before its last round
    comparison  models on dev and on eval
    openings    how often eval was looked at
    guard       plain questions to the model that the run ends with
    session     what all of them share; the one place where stages are started
    end         how a run ended, as an event
    journal     events.jsonl
    room        the disk: watched, and old rounds' large files removed
    models      a model of the run, and the run's result
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from localdistill import preflight
from localdistill.config import Config
from localdistill.events import Callback, Planned, RunStarted
from localdistill.jsonl import iter_lines
from localdistill.pipeline.beginning import begin
from localdistill.pipeline.end import finished, kept_in
from localdistill.pipeline.journal import Journal
from localdistill.pipeline.models import Model, RunResult
from localdistill.pipeline.room import watched
from localdistill.pipeline.rounds import all_rounds
from localdistill.pipeline.session import Session
from localdistill.run_dir import RunDir
from localdistill.stages.running import RUNNING

__all__ = ["Model", "RunResult", "run"]


def run(config: Config, path: Path, callback: Callback) -> RunResult:
    """Run, or continue, the configured rounds in directory ``path``.

    Raises:
        LocaldistillError: of the class that says which boundary was crossed.
    """
    journal, log = Journal(callback), str(RunDir(path).log)
    journal(RunStarted(model=config.model, directory=str(path), log=log, rounds=config.rounds))
    with contextlib.ExitStack() as stack:
        ready = preflight.check(config, RunDir(path), journal)
        directory = stack.enter_context(RunDir(path))
        session = Session(directory.adopt(config), directory, journal)
        stack.enter_context(kept_in(journal, path))
        stack.enter_context(RUNNING.telling(journal))
        base = begin(session, ready)
        journal.open(directory.events)
        journal(Planned(final_completions=_final_completions(session)))
        with watched(session):
            result = all_rounds(session, base)
        journal(finished(result.evaluation, result.model.gguf, path))
        return result


def _final_completions(session: Session) -> int:
    """Completions that the comparison at the end needs, of both models."""
    problems = sum(1 for _ in iter_lines(session.directory.problems("eval")))
    return 2 * problems * session.config.evaluate.samples
