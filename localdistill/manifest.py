"""What a run was made from: hashes, versions, seeds and the settings that its results depend on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import localdistill
from localdistill import config as configuration
from localdistill.backends.draw import chain
from localdistill.config import Config
from localdistill.continuing import MAY_GROW
from localdistill.digests import file_digest, text_digest
from localdistill.durable import write_twice
from localdistill.models import hub_origin
from localdistill.problems.prompt import TEMPLATE_HASH
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.run_dir import RunDir
from localdistill.types import SandboxUse

# Packages whose version can change a result.
_PACKAGES = (
    "llama-cpp-python", "gguf", "torch", "transformers", "peft", "unsloth", "unsloth_zoo",
    "bitsandbytes", "numpy",
)  # fmt: skip


def manifest(config: Config, directory: RunDir, gguf: Path, cells: int) -> dict[str, Any]:
    """The manifest of a run; ``hashes`` is what may not change while it is continued.

    ``cells`` is the cache, in tokens, for which there was room when the run was begun; each stage
    takes what has room in its time, and its marker has what that was.
    """
    return {
        "localdistill": localdistill.__version__,
        "hashes": hashes(directory, Path(config.model), gguf),
        "model": _origin(Path(config.model)),
        "seed": config.seed,
        "sampler_order": config.generate.order,
        "sampler_chain": chain(config.generate.sampling()),
        "slots": config.generate.slots,
        "threads": config.generate.threads,
        "gpu_layers": config.generate.gpu_layers,
        "weights": config.generate.weights,
        "cells": cells,
        "micro_batch_tokens": config.train.micro_batch_tokens,
        "keep_activations": config.train.keep_activations,
        "deterministic": config.deterministic,
        "start_of_rounds": config.train.start,
        "versions": {"python": platform.python_version(), **_versions()},
    }


def hashes(directory: RunDir, model: Path, gguf: Path) -> dict[str, str]:
    """What may not change while a run is continued, by names for people.

    ``model`` is the file or folder that was given, ``gguf`` its file.
    """
    splits = {name: directory.problems(name) for name in ("train", "dev", "eval")}
    folder = {"model folder": folder_fingerprint(model)} if model.is_dir() else {}
    return {
        "configuration": _content_digest(directory.config),
        "starting model": file_digest(gguf),
        "prompt template": TEMPLATE_HASH,
        **folder,
        **{f"{name} problems": file_digest(path) for name, path in splits.items()},
    }


def _content_digest(toml: Path) -> str:
    """SHA-256 of what stands in ``toml``, as canonical JSON.

    Of that, and not of all settings that there are: a later version may have more of them. What
    may be raised while a run is continued is left out.
    """
    values = {k: v for k, v in configuration.read_toml(toml).items() if k not in MAY_GROW}
    text = json.dumps(values, sort_keys=True)
    return text_digest(text)


def _origin(model: Path) -> dict[str, str]:
    """Where the model comes from: its path, and its commit if it lies in the hub's cache."""
    hub = hub_origin(model)
    found = {"path": str(model)}
    return found if hub is None else {**found, "hub": hub.repo, "commit": hub.commit}


def record_sandbox(directory: RunDir, use: SandboxUse) -> None:
    """Add a sandbox to those in the manifest: each once, in the order of their first use.

    A run may be continued under another one, so none of them is pinned. Why others were passed over
    is told of the first use only: an engine does not say the same each time.
    """
    uses = sandboxes(directory)
    if all(_kind(use) != _kind(each) for each in uses):
        facts = json.loads(directory.manifest.read_text(encoding="utf-8"))
        facts["sandboxes"] = [each.model_dump(mode="json") for each in (*uses, use)]
        write_twice(directory.manifest, json.dumps(facts, indent=2, sort_keys=True) + "\n")


def _kind(use: SandboxUse) -> tuple[str, list[str], bool]:
    return use.tier, use.not_covered, use.unsafe


def sandboxes(directory: RunDir) -> list[SandboxUse]:
    """The sandboxes in which the programs of a run were tested, as its manifest tells."""
    facts = json.loads(directory.manifest.read_text(encoding="utf-8"))
    return [SandboxUse.model_validate(each) for each in facts.get("sandboxes", ())]


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found
