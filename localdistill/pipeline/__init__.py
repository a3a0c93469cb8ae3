"""A run: rounds of distillation, and the comparison at their end.

    prepare --> [ generate --> verify --> select --> train --> export ] x rounds --> evaluate

Every step is a stage on files; a finished one is recognised by its marker and not done again, so
the same call on the same directory goes on where an earlier one was stopped.

    rounds      the loop over rounds, and what it comes to
    beginning   splits, starting model, sizes, manifest
    one_round   one round: sampling, selection, training, export
    training    train and export from any selection
    lab         strategies side by side
    control_arms  what training on something else gives
    contest     champion and challengers, on dev
    starts      which model each round began with
    unscored    what there was no time to score on dev
    stopping    what ends a run before its last round
    comparison  models on dev and on eval
    outlook     how much they will be compared
    pace        how long stages took in earlier calls
    openings    how often eval was looked at
    older       results of a model that a run ended with before
    guard       plain questions to the model that the run ends with
    timekeeper  how long each step may take
    session     what all of them share; the one place where stages are started
    end         how a run ended, as an event
    journal     events.jsonl
    room        the disk: watched, and old rounds' large files removed
    models      a model of the run, and the run's result
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from localdistill import preflight
from localdistill.config import Config
from localdistill.deadline import OutOfTime, worked_seconds
from localdistill.errors import ConfigError
from localdistill.events import Callback, RunStarted
from localdistill.pipeline.beginning import begin
from localdistill.pipeline.end import finished, kept_in
from localdistill.pipeline.journal import Journal
from localdistill.pipeline.models import Model, RunResult
from localdistill.pipeline.outlook import planned
from localdistill.pipeline.room import watched
from localdistill.pipeline.rounds import all_rounds
from localdistill.pipeline.session import Session
from localdistill.run_dir import RunDir
from localdistill.stages.running import RUNNING

__all__ = ["Model", "RunResult", "run"]


def run(config: Config, place: Path | RunDir, callback: Callback) -> RunResult:
    """Run, or continue, the configured rounds in directory ``place``.

    It may have been opened for this call before, and is closed at the end.

    Raises:
        LocaldistillError: of the class that says which boundary was crossed.
    """
    directory = place if isinstance(place, RunDir) else RunDir(place)
    path = directory.path
    if not directory.is_open:
        directory.refuse_if_taken()
    journal, log = Journal(callback), str(directory.log)
    journal(RunStarted(model=config.model, directory=str(path), log=log, rounds=config.rounds))
    with contextlib.ExitStack() as stack:
        started = time.monotonic()
        # Locked before the checks, which may take minutes: a second call is refused at once.
        stack.enter_context(directory)
        ready = preflight.check(config, directory, journal)
        config = directory.adopt(config)
        worked = worked_seconds(directory.events) + time.monotonic() - started
        session = Session(config, directory, journal, worked)
        stack.enter_context(kept_in(journal, path))
        stack.enter_context(RUNNING.telling(journal))
        with watched(session):
            # Watchers see how the model is prepared. A call that goes on with a run may be refused
            # after that, and then leaves it as it was.
            new = not directory.manifest.exists()
            if new:
                journal.open(directory.events)
            base = _begun(session, ready)
            if not new:
                journal.open(directory.events)
            journal(planned(session))
            session.time.know(base.gguf, config.rounds)
            result = all_rounds(session, base)
        journal(finished(result.evaluation, result.model, path))
        return result


def _begun(session: Session, ready: preflight.Ready) -> Model:
    """The starting model, prepared.

    Raises:
        ConfigError: --hours was too little even for that.
        LocaldistillError: see ``begin``.
    """
    try:
        return begin(session, ready)
    except OutOfTime as error:
        message = f"--hours {session.config.hours:g} is too little to prepare the starting model"
        message = f"{message} ({error}). Name more hours."
        raise ConfigError(message) from error
