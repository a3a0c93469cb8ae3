"""The model to publish with all that is known of it: of a run, or of one export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from localdistill import config as configuration
from localdistill import pruning
from localdistill.catalogue.entry import Entry
from localdistill.catalogue.identify import gguf_names, gguf_shape, identify
from localdistill.catalogue.load import read_catalogue
from localdistill.chain import trained_on_each_other
from localdistill.config import Config
from localdistill.errors import ConfigError, ModelError
from localdistill.jsonl import iter_rows
from localdistill.last_end import gave_no_model, uncompared_round, without_model
from localdistill.markers import is_done
from localdistill.models import hub_origin
from localdistill.outcomes import read_comparison, read_evaluation
from localdistill.publishing.card import Base, Card, Round, shown
from localdistill.quantization.gguf_file import read_header
from localdistill.records import read_record
from localdistill.run_dir import RoundDir, RunDir, label_of, round_of
from localdistill.sampling import Sampling
from localdistill.stages.parity.checks import Check, Parity, parity_file
from localdistill.starting_points import name_of
from localdistill.trainers.record import TRAINING
from localdistill.types import Completion, EvalResult, TrainingExample, Verdict

# What a card tells of it.
_TRAINING = ("start", "rank", "alpha", "learning_rate", "epochs", "batch_size")


class Source(BaseModel):
    """A finished model in its forms."""

    model_config = ConfigDict(frozen=True)

    gguf: Path
    merged: Path  # Hugging Face folder
    adapters: tuple[Path, ...]  # the first was trained on the base, each other on the one before
    card: Card


def of_run(path: Path, number: int | None, name: str | None) -> Source:
    """The model that the run in ``path`` has chosen, or that of round ``number``.

    Raises:
        ConfigError: ``path`` holds no run, one that is not finished, or one that has chosen the
            model that it started from.
    """
    run = RunDir(path)
    if not run.config.is_file() or not run.manifest.is_file():
        raise ConfigError(f"{path}: holds no run. Give a run directory, or --model and --adapter.")
    config = configuration.build(configuration.read_toml(run.config))
    evaluation = read_evaluation(run.evaluation)
    if number is None:
        number = _chosen(run, evaluation, config.rounds)
    round_ = run.round(number)
    if not is_done(round_.model):
        made = [n for n in range(1, config.rounds + 1) if is_done(run.round(n).model)]
        has = f"It has those of {', '.join(map(str, made))}" if made else "It has none yet"
        why = f" ({round_.rejected} says why)" if round_.rejected.is_file() else ""
        if pruning.pruned(round_) is not None:
            why = ' any more: its large files were removed (keep = "all" keeps all)'
        raise ConfigError(f"{path}: has no finished model of round {number}{why}. {has}.")
    if evaluation is not None and evaluation.candidate.model != label_of(number):
        evaluation = read_evaluation(round_.evaluation)  # on dev
    base = _base(Path(config.model), run, round_.model)
    card = Card(
        name=name or default_name(Path(config.model)),
        base=base,
        problems=_problems(config),
        counts=_counts(run),
        strategy=_strategy(run, config),
        rounds=[
            _round(run.round(n), n)
            for n in range(1, number + 1)
            if is_done(run.round(n).model) or pruning.pruned(run.round(n)) is not None
        ],
        training={key: getattr(config.train, key) for key in _TRAINING},
        evaluation=evaluation,
        decoding=_decoding(evaluation, config),
        sampling=config.generate.sampling(),
        seed=config.seed,
        checks=_checks(round_.parity),
        versions=_manifest(run).get("versions", {}),
    )
    adapters = tuple(run.round(n).adapter for n in trained_on_each_other(run, number))
    return Source(gguf=round_.model, merged=round_.merged, adapters=adapters, card=card)


def of_export(model: Path, gguf: Path, merged: Path, adapter: Path, name: str | None) -> Source:
    """What ``localdistill export --model --adapter`` has made."""
    base = _base(model, None, gguf)
    settings = _json(adapter / "adapter_config.json")
    known = {"rank": settings.get("r"), "alpha": settings.get("lora_alpha")}
    card = Card(
        name=name or default_name(model),
        base=base,
        training={key: value for key, value in known.items() if value is not None},
        checks=_checks(parity_file(gguf)),
    )
    return Source(gguf=gguf, merged=merged, adapters=(adapter,), card=card)


def default_name(model: Path) -> str:
    """What to call a model that was made of ``model``, if nothing else is said."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name_of(model)).lstrip("-._") + "-localdistill"


def _chosen(run: RunDir, evaluation: EvalResult | None, rounds: int) -> int:
    path = run.path
    if evaluation is None:
        if (uncompared := uncompared_round(run)) is not None:
            return uncompared
        if gave_no_model(run, rounds):
            raise ConfigError(f"{path}: there is no new model ({without_model(run)}).")
        raise ConfigError(
            f"{path}: the run is not finished, so none of its models is chosen. Continue it with "
            "the command that began it, or name a round with --round."
        )
    label = evaluation.candidate.model
    chosen = round_of(label)
    if chosen is None:
        raise ConfigError(
            f"{path}: the run has found nothing better than the model that it started from "
            f"({label}). To export a round's model all the same, name it with --round."
        )
    return chosen


def _base(model: Path, run: RunDir | None, gguf: Path) -> Base:
    """The starting model. ``gguf`` has kept the metadata of its file."""
    hub = hub_origin(model)
    entry = _entry(gguf, hub.repo if hub else None)
    hashes = _manifest(run).get("hashes", {}) if run else {}
    return Base(
        name=name_of(model),
        hub=hub.repo if hub else entry.hub.weights if entry and entry.hub else None,
        commit=hub.commit if hub else None,
        licence=entry.licence.id if entry else None,
        licence_note=entry.licence.note if entry else None,
        sha256=hashes.get("starting model"),
    )


def _entry(gguf: Path, repo: str | None) -> Entry | None:
    header = read_header(gguf)
    called = [*gguf_names(header), *([repo] if repo else [])]
    try:
        return identify(read_catalogue(), gguf_shape(header), called)
    except ModelError:
        return None


def _problems(config: Config) -> dict[str, str]:
    sets = {
        "train": config.problems,
        "dev": config.dev_problems,
        "eval": config.eval_problems,
    }
    return {split: shown(spec) for split, spec in sets.items() if spec is not None}


def _strategy(run: RunDir, config: Config) -> str:
    """By which the model's examples were selected: with ``--compare`` the best one's."""
    found = read_comparison(run.comparison) if config.compare else None
    chosen = [arm.name for arm in found.arms if arm.chosen] if found is not None else []
    return chosen[0] if chosen else config.select.strategy


def _counts(run: RunDir) -> dict[str, int]:
    paths = {split: run.problems(split) for split in ("train", "dev", "eval")}
    return {split: _lines(path) for split, path in paths.items() if path.is_file()}


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _round(paths: RoundDir, number: int) -> Round:
    # All rounds' where the base was trained again; its share of tokens where strategies were
    # compared.
    made = [path for path in (paths.accumulated, paths.trained) if path.is_file()]
    trained_on = made[0] if made else paths.selected
    examples = list(iter_rows(trained_on, TrainingExample))
    verdicts: Iterable[Verdict] = ()
    tested = paths.verdicts.is_file()
    if tested:
        verdicts = iter_rows(paths.verdicts, Verdict)
    return Round(
        number=number,
        completions=sum(1 for _ in iter_rows(paths.completions, Completion)),
        passed=sum(verdict.passed for verdict in verdicts) if tested else None,
        examples=len(examples),
        problems=len({example.problem_id for example in examples}),
        held_out=_json(paths.adapter / TRAINING).get("held_out"),
    )


def _checks(path: Path) -> list[Check]:
    """What the parity gate found; nothing where it was not yet there.

    Raises:
        ConfigError: that is damaged.
    """
    found = read_record(path, Parity, "Delete it to export without a word on it.")
    return [] if found is None else found.checks


def _decoding(evaluation: EvalResult | None, config: Config) -> Sampling:
    """How the model was decoded when it was scored: its best on dev, or as configured."""
    chosen = evaluation.candidate_decoding if evaluation else None
    return config.evaluate.sampling() if chosen is None else Sampling(**chosen)


def _manifest(run: RunDir | None) -> dict[str, Any]:
    return _json(run.manifest) if run else {}


def _json(path: Path) -> dict[str, Any]:
    """The object in ``path``; empty where there is none, as in a run that has not come so far."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
