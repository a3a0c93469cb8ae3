"""Reading the catalogue: every TOML file in ``models/`` is one entry."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from localdistill import config as configuration
from localdistill.catalogue.entry import Advice, Architecture, Entry, SamplingAdvice
from localdistill.catalogue.memory import parameters
from localdistill.errors import ConfigError
from localdistill.models import models_dir
from localdistill.sampling import Sampling

# model_type of a Hugging Face folder -> general.architecture of a GGUF file.
_TYPES = {"qwen2": "qwen2", "qwen3": "qwen3", "qwen3_moe": "qwen3moe"}


def read_catalogue(folder: Path | None = None) -> tuple[Entry, ...]:
    """All entries of ``folder`` (by default those of localdistill), the bundled ones first.

    Raises:
        ConfigError: a file is not TOML, or not a valid entry; the field is named.
        MissingDependency: localdistill's own folder is not there.
    """
    files = sorted((folder or models_dir()).glob("*.toml"))
    entries = [read_entry(file) for file in files]
    return tuple(sorted(entries, key=_order))


def _order(entry: Entry) -> tuple[bool, str, int, str]:
    architecture = entry.architecture
    return entry.bundled is None, architecture.type, parameters(architecture), entry.name


def read_entry(file: Path) -> Entry:
    """The entry in ``file``.

    Raises:
        ConfigError: it is not TOML, or not a valid entry; the field is named.
    """
    values = configuration.read_toml(file)
    if isinstance(bundled := values.get("bundled"), str):
        values = {**_of_bundled(file.parent / bundled), **values}
    try:
        entry = Entry.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{file}: {_first_fault(error)}") from error
    if entry.name != file.stem:
        raise ConfigError(f"{file}: name is {entry.name!r}; it must be the file's own name.")
    return entry


def _first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, list(Entry.model_fields), n=1, cutoff=0.5)
        return f"there is no field {name}." + (f" Did you mean {near[0]}?" if near else "")
    if first["type"] == "missing":
        return f"the field {name} is missing."
    return f"{name}: {first['msg']}." if name else f"{first['msg']}."


def architecture_of(config: dict[str, Any]) -> Architecture:
    """The architecture that a ``config.json`` of transformers describes.

    Raises:
        ValueError: of a kind that is not known here, or something is missing.
    """
    kind = str(config.get("model_type"))
    if kind not in _TYPES:
        raise ValueError(f"model_type {kind!r} is not known")
    try:
        heads, width = config["num_attention_heads"], config["hidden_size"]
        values = {
            "type": _TYPES[kind],
            "layers": config["num_hidden_layers"],
            "width": width,
            "feed_forward": config["intermediate_size"],
            "heads": heads,
            "kv_heads": config.get("num_key_value_heads", heads),
            "head_dim": config.get("head_dim") or width // heads,
            "vocabulary": config["vocab_size"],
            "tied": bool(config.get("tie_word_embeddings", False)),
            "context": config["max_position_embeddings"],
        }
        if kind == "qwen3_moe":
            values["experts"] = {
                "count": config["num_experts"],
                "used": config["num_experts_per_tok"],
                "width": config["moe_intermediate_size"],
            }
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise ValueError(f"it lacks {error}") from error
    return Architecture.model_validate(values)


def _of_bundled(folder: Path) -> dict[str, Any]:
    """What a bundled model's own files say, so that its entry cannot say otherwise."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        run = configuration.build(configuration.read_toml(folder / "run.toml"))
        return {
            "architecture": architecture_of(config),
            "sampling": SamplingAdvice(
                self_distillation=_advice(run.generate), evaluation=_advice(run.evaluate)
            ),
        }
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: not a bundled model ({error}). Install again.") from error


def _advice(sampling: Sampling) -> Advice:
    return Advice(
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        published=True,
        note="what run.toml beside the model sets",
    )
