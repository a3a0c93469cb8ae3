"""Puts the report together: sections as plain values, then one page made by Jinja2."""

from __future__ import annotations

import datetime
import functools
import json
from pathlib import Path
from typing import Any

import jinja2

import localdistill
from localdistill.durable import write_atomically
from localdistill.report import (
    confidence,
    controls,
    costs,
    decoding,
    drawn,
    examples,
    problems,
    reading,
    several,
    verdict,
    wording,
    work,
)
from localdistill.report.reading import Run
from localdistill.run_dir import RunDir

NAME = "report.html"
_TEMPLATES = Path(__file__).parent / "templates"
_GUARD = {
    "surprise": "surprise at good answers, nats a token",
    "form": "answers in the form that was asked for",
}
_METHODS = {"bca": "BCa"}  # as people write them
_MOST_PROBLEMS = 2000  # rows of the table of all problems


def write(path: Path, out: Path | None = None) -> Path:
    """Write the report of the run in ``path`` to ``out`` (``report.html`` in it); says where.

    Raises:
        ConfigError: there is no run.
        OSError: it cannot be written.
    """
    out = out or path / NAME
    write_atomically(out, render(path))
    return out


def render(path: Path) -> str:
    """The report of the run in ``path`` as one HTML page that needs nothing else.

    Raises:
        ConfigError: there is no run.
    """
    run = reading.read(path)
    spent = costs.read(RunDir(path).events)
    return _environment().get_template("report.html").render(**_sections(run, spent))


def _sections(run: Run, spent: costs.Costs) -> dict[str, Any]:
    pairs = problems.pairs(run.evaluation) if run.evaluation else []
    how = confidence.of(run.evaluation)
    hard = problems.by_difficulty(run.before.verdicts, run.after.verdicts, how)
    labelled = problems.by_label(pairs, run.problems, how)
    failed = problems.failures(run.before.verdicts, run.after.verdicts) if pairs else []
    rounds = work.dev_rounds(run)
    trainings = work.trained(run)
    return {
        "run": run,
        "name": _model_name(run),
        "when": _when(spent),
        "version": localdistill.__version__,
        "headline": verdict.headline(run, spent),
        "evaluation": run.evaluation,
        "pairs": pairs[:_MOST_PROBLEMS],
        "pairs_left": max(0, len(pairs) - _MOST_PROBLEMS),
        "moved": _moved(pairs),
        "hard": hard,
        "control_shares": controls.shares(run.evaluation),
        "several": several.on_dev(run.evaluation, how) if run.evaluation else None,
        "labelled": labelled,
        "failures": failed,
        "solved": examples.newly_solved(run, pairs),
        "broken": examples.newly_broken(run, pairs),
        "selected": work.selected(run),
        "trainings": trainings,
        "rounds": rounds,
        "decodings": decoding.used(run),
        "choices": decoding.choices(run.evaluation),
        "tuning_alone": decoding.alone(run),
        "temperatures": decoding.temperatures(run),
        "guard": run.guard,
        "guard_names": _GUARD,
        "methods": _METHODS,
        "checks": work.checks(run),
        "costs": spent,
        "manifest": json.dumps(run.manifest, indent=2, sort_keys=True, ensure_ascii=False),
        "plots": drawn.draw(run, drawn.Found(pairs, hard, failed, trainings, rounds)),
    }


def _moved(pairs: list[problems.Pair]) -> dict[str, int]:
    """How many problems got better, worse, or stayed."""
    return {
        "up": sum(pair.gain > 0 for pair in pairs),
        "same": sum(pair.gain == 0 for pair in pairs),
        "down": sum(pair.gain < 0 for pair in pairs),
    }


def _model_name(run: Run) -> str:
    """Of the starting model, as short as a person would say it."""
    if run.config is None:
        return run.path.resolve().name
    return Path(run.config.model).name.removesuffix(".gguf") or run.config.model


def _when(spent: costs.Costs) -> str | None:
    """When the run was last at work; None where its events have no times."""
    if spent.last is None:
        return None
    at = datetime.datetime.fromtimestamp(spent.last, datetime.UTC)
    return f"{at:%Y-%m-%d %H:%M} UTC"


@functools.cache
def _environment() -> jinja2.Environment:
    # Whatever a model, a problem set or a file name holds is escaped; nothing here is trusted.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalised,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": wording.percent,
        "points": wording.points,
        "level": wording.level,
        "chance": wording.chance,
        "interval": wording.interval,
        "duration": wording.duration,
        "decoding": wording.decoding,
        "figures": wording.figures,
    }
    environment.globals |= {
        "plural": wording.plural,
        "signed_range": wording.signed_range,
        "share": work.share,
    }
    return environment


def _finalised(value: Any) -> Any:
    """Text with what cannot be seen spelt out; markup, which is ours, as it is."""
    is_text = isinstance(value, str) and not hasattr(value, "__html__")
    return wording.visible(value) if is_text else value
