"""How a run ended, in one event: for its watchers, for programs, and for ``--on-finish``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from localdistill.errors import LocaldistillError, Stopped, storage_error
from localdistill.events import RunFinished
from localdistill.pipeline.journal import Journal
from localdistill.pipeline.models import Model
from localdistill.types import EvalResult


def finished(evaluation: EvalResult | None, model: Model, run_dir: Path) -> RunFinished:
    """A run that came to its end.

    Without an ``evaluation`` no round gave a new model, or there was no time to compare it.
    """
    if evaluation is None:
        return RunFinished(
            outcome="finished",
            exit_code=0 if model.round else 1,
            verdict="not known" if model.round else "no new model",
            model=str(model.gguf),
            run_dir=str(run_dir),
        )
    return RunFinished(
        outcome="finished",
        exit_code=0,
        verdict=evaluation.verdict,
        gain=evaluation.gain,
        gain_low=evaluation.gain_low,
        gain_high=evaluation.gain_high,
        level=evaluation.level,
        model=str(model.gguf),
        run_dir=str(run_dir),
    )


def cut_short(error: BaseException, run_dir: Path | None = None) -> RunFinished:
    """A run that ``error`` ended."""
    place = None if run_dir is None else str(run_dir)
    if isinstance(error, KeyboardInterrupt):
        error = Stopped()
    if isinstance(error, OSError):
        error = storage_error(error, run_dir) or error
    code = 2 if isinstance(error, OSError) else 1
    code = error.exit_code if isinstance(error, LocaldistillError) else code
    known = isinstance(error, LocaldistillError | OSError)
    return RunFinished(
        outcome="stopped" if isinstance(error, Stopped) else "failed",
        exit_code=code,
        run_dir=place,
        reason=str(error) if known else f"{type(error).__name__}: {error}",
    )


@contextlib.contextmanager
def kept_in(journal: Journal, run_dir: Path) -> Iterator[None]:
    """Tell ``journal`` of an error that ends the block, and close it in every case."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):  # a full disk is what the error is about
            journal(cut_short(error, run_dir))
        raise
    finally:
        journal.close()
