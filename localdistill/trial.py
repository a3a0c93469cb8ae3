"""Asks the old and the new model of a run the same thing: answers, and verdicts if there are tests.

Each model answers in a process of its own, one after the other, so that its memory is given back;
programs run in the sandbox only.
"""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from localdistill import config as configuration
from localdistill.config import Config
from localdistill.errors import ConfigError
from localdistill.events import ignore
from localdistill.jsonl import read_rows
from localdistill.last_end import gave_no_model, uncompared_round, without_model
from localdistill.outcomes import read_evaluation
from localdistill.quantization.start import find_gguf
from localdistill.run_dir import RunDir, round_of
from localdistill.sampling import Sampling
from localdistill.stages import generate, verify
from localdistill.stages.process import run_stage
from localdistill.types import Completion, EvalResult, Problem, Verdict

_FREE = "prompt"  # the id of a problem that was typed in


@dataclass(frozen=True)
class Asked:
    """One model, and how it is decoded."""

    name: str  # for people
    gguf: Path
    sampling: Sampling


@dataclass(frozen=True)
class Models:
    """The model that a run started from, and the one that it made."""

    old: Asked
    new: Asked
    config: Config


class Answer(BaseModel):
    """What a model said, and what its tests came to; None where none were run."""

    model_config = ConfigDict(frozen=True)

    model: str
    text: str
    tokens: int
    cut: bool  # by its length
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Options:
    """How often each model is asked, and how."""

    samples: int = 1
    seed: int = 0
    sandbox: str | None = None  # None: as the run had it


def models_of(path: Path, *, greedy: bool = False) -> Models:
    """The two models of the run in ``path``, each with the decoding that it was compared by.

    Raises:
        ConfigError: there is no run, it is not finished, or it has no new model.
        ModelError: the starting model is no longer where it was.
    """
    run = RunDir(path)
    if not run.config.is_file():
        raise ConfigError(f"{path}: holds no run (config.toml is missing). Give a run directory.")
    config = configuration.build(configuration.read_toml(run.config))
    number, evaluation = _chosen(run, config)
    new = run.round(number).model
    old = find_gguf(Path(config.model)) or run.start / "model.gguf"
    for gguf in (old, new):
        if not gguf.is_file():
            raise ConfigError(f"{gguf}: is not there any more, so the two cannot be compared.")
    before, after = (
        _sampling(config, given, greedy)
        for given in (
            (None, None)
            if evaluation is None
            else (evaluation.baseline_decoding, evaluation.candidate_decoding)
        )
    )
    return Models(
        old=Asked("your model", old, before),
        new=Asked(f"new model (round {number})", new, after),
        config=config,
    )


def problem_of(path: Path, name: str) -> Problem:
    """The problem ``name`` of the run's own sets.

    Raises:
        ConfigError: it has none of that name; the nearest is named.
    """
    known: dict[str, Problem] = {}
    for split in ("train", "dev", "eval"):
        file = RunDir(path).problems(split)
        if file.is_file():
            known |= {problem.id: problem for problem in read_rows(file, Problem)}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"Its problems stand in {path / 'problems'}."
    raise ConfigError(f"--problem {name}: the run has no such problem. {hint}")


def typed(prompt: str, tests: Mapping[str, Any] | None = None) -> Problem:
    """What a person typed, with tests as ``read_tests`` gives them, as a problem."""
    return Problem.model_validate({"id": _FREE, "prompt": prompt, **(tests or {})})


def ask(
    models: Models,
    problem: Problem,
    options: Options,
    said: Callable[[str], None] = lambda what: None,
) -> list[tuple[Answer, ...]]:
    """The old model's answers, then the new one's; ``said`` hears what is going on.

    Raises:
        LocaldistillError: of the stage that could not do its work.
    """
    with tempfile.TemporaryDirectory(prefix="localdistill-try-") as folder:
        work = Path(folder)
        problems = work / "problems.jsonl"
        problems.write_text(problem.model_dump_json() + "\n", encoding="utf-8")
        found = []
        for number, model in enumerate((models.old, models.new)):
            said(f"{model.name} is answering")
            out = work / f"{number}.jsonl"
            _generate(models.config, model, problems, out, options)
            verdicts: dict[tuple[str, int], Verdict] = {}
            if problem.tests is not None:
                said(f"testing {model.name}")
                verdicts = _verify(models.config, problems, out, options)
            found.append(tuple(_answers(model, read_rows(out, Completion), verdicts)))
        return found


def _generate(config: Config, model: Asked, problems: Path, out: Path, options: Options) -> None:
    request = generate.GenerateRequest(
        model=model.gguf,
        problems=str(problems),
        samples=options.samples,
        sampling=model.sampling,
        seed=options.seed,
        purpose="try",
        out=out,
        threads=config.generate.threads,
        gpu_layers=config.generate.gpu_layers,
    )
    run_stage("generate", request, ignore, out.with_suffix(".log"))


def _verify(
    config: Config, problems: Path, completions: Path, options: Options
) -> dict[tuple[str, int], Verdict]:
    out = completions.with_suffix(".verdicts.jsonl")
    request = verify.VerifyRequest(
        problems=str(problems),
        completions=completions,
        out=out,
        sandbox=options.sandbox or config.verify.sandbox,
        workers=1,
        confirm=False,  # nothing is trained on them
        inseparable=config.verify.inseparable,
    )
    run_stage("verify", request, ignore, out.with_suffix(".log"))
    return {row.key: row for row in read_rows(out, Verdict)}


def _answers(
    model: Asked, rows: list[Completion], verdicts: Mapping[tuple[str, int], Verdict]
) -> list[Answer]:
    return [
        Answer(
            model=model.name,
            text=row.text,
            tokens=row.token_count,
            cut=row.finish_reason == "length",
            verdict=verdicts.get(row.key),
        )
        for row in sorted(rows, key=lambda each: each.sample)
    ]


def _chosen(run: RunDir, config: Config) -> tuple[int, EvalResult | None]:
    """The round whose model the run has chosen, and the comparison, if there was time for one."""
    evaluation = read_evaluation(run.evaluation)
    if evaluation is None:
        if (uncompared := uncompared_round(run)) is not None:
            return uncompared, None
        if gave_no_model(run, config.rounds):
            why = without_model(run)
            message = f"{run.path}: has no new model to compare with ({why})."
            raise ConfigError(message)
        message = f"{run.path}: the run is not finished, so it has no new model yet. Continue it"
        raise ConfigError(f"{message} with the command that began it.")
    label = evaluation.candidate.model
    number = round_of(label)
    if number is None:
        message = f"{run.path}: the run has kept the model that it started from ({label})"
        raise ConfigError(f"{message}, so there is no other to compare with.")
    return number, evaluation


def _sampling(config: Config, chosen: Mapping[str, Any] | None, greedy: bool) -> Sampling:
    sampling = config.evaluate.sampling()
    if chosen is not None:
        known = {name: chosen[name] for name in Sampling.model_fields if name in chosen}
        sampling = Sampling.model_validate({**sampling.model_dump(), **known})
    return sampling.model_copy(update={"temperature": 0.0}) if greedy else sampling
