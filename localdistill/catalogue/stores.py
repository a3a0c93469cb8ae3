"""Models that Ollama and LM Studio keep on this disk, found by the names that they go by there.

Ollama's store: ``manifests/HOST/NAMESPACE/MODEL/TAG`` is JSON that names the blob with the GGUF
file by its SHA-256, which stands as ``blobs/sha256-HEX``. LM Studio keeps files as
``PUBLISHER/MODEL/FILE.gguf`` (its page "Import Models").
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.errors import ConfigError

_MODEL_LAYER = "application/vnd.ollama.image.model"
_ADAPTER_LAYER = "application/vnd.ollama.image.adapter"
# What a name leaves out.
_HOST, _NAMESPACE, _TAG = "registry.ollama.ai", "library", "latest"
_DIGEST = re.compile(r"sha256[:-][0-9a-f]{64}")
_LISTED = 12  # names in an error's message


@dataclass(frozen=True)
class OllamaModel:
    """One name in an Ollama store."""

    name: str  # as `ollama list` shows it: qwen2.5-coder:0.5b
    manifest: Path
    blobs: tuple[Path, ...]  # with weights; exactly one where it can be used
    adapted: bool  # it is a base and an adapter beside it

    @property
    def is_whole(self) -> bool:
        """Whether ``blob`` gives one."""
        return not self.adapted and len(self.blobs) == 1 and self.blobs[0].is_file()

    @property
    def blob(self) -> Path:
        """The GGUF file.

        Raises:
            ConfigError: there is not exactly one whole one.
        """
        if self.adapted:
            what = "is a model with an adapter beside it. Give the model that the adapter is for"
        elif len(self.blobs) != 1:
            what = f"holds {len(self.blobs)} files of weights in GGUF form, not one"
        elif not self.blobs[0].is_file():
            what = f"lacks its weights ({self.blobs[0].name}); `ollama pull {self.name}` gets them"
        else:
            return self.blobs[0]
        raise ConfigError(f"ollama:{self.name}: {what}.")


def ollama_models(store: Path) -> Iterator[OllamaModel]:
    """What the store ``store`` has, by name; what is no manifest of Ollama's is passed over."""
    root = store / "manifests"
    for manifest in sorted(file for file in root.rglob("*") if file.is_file()):
        try:
            content = json.loads(manifest.read_text(encoding="utf-8"))
            layers = [(str(x["mediaType"]), str(x["digest"])) for x in content["layers"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        *path, tag = manifest.relative_to(root).parts
        blobs = [
            store / "blobs" / digest.replace(":", "-")
            for kind, digest in layers
            if kind == _MODEL_LAYER and "/" not in digest
        ]
        adapted = any(kind == _ADAPTER_LAYER for kind, _ in layers)
        yield OllamaModel(f"{_short(path)}:{tag}", manifest, tuple(blobs), adapted)


def _short(path: Sequence[str]) -> str:
    """``HOST/NAMESPACE/MODEL`` without what Ollama leaves out."""
    parts = list(path)
    if parts[:1] == [_HOST]:
        parts = parts[1:]
        if parts[:1] == [_NAMESPACE]:
            parts = parts[1:]
    return "/".join(parts)


def find_ollama(name: str, stores: Sequence[Path]) -> Path:
    """The GGUF file of the model that Ollama calls ``name`` (without a tag: ``latest``).

    Raises:
        ConfigError: there is none, or not one that can be used; the message lists what is there.
    """
    there = [model for store in stores for model in ollama_models(store)]
    wanted = _full(name)
    found = [model for model in there if model.name.lower() == wanted]
    if not found:
        raise ConfigError(
            f"ollama:{name}: Ollama holds no such model here; {_listed(there, stores)}."
        )
    # A store that lacks the weights does not hide one that has them.
    found = [model for model in found if model.is_whole] or found
    blobs = {model.blob.name: model.blob for model in reversed(found)}
    if len(blobs) > 1:
        listed = ", ".join(str(blob) for blob in blobs.values())
        raise ConfigError(f"ollama:{name}: two stores hold it, differently. Give one: {listed}")
    return next(iter(blobs.values()))


def has_ollama(name: str, stores: Sequence[Path]) -> bool:
    """Whether a store has a model of that name."""
    wanted = _full(name)
    return any(model.name.lower() == wanted for store in stores for model in ollama_models(store))


def _full(name: str) -> str:
    name = name.lower().removeprefix(f"{_HOST}/").removeprefix(f"{_NAMESPACE}/")
    return name if ":" in name.rpartition("/")[2] else f"{name}:{_TAG}"


def _listed(there: Sequence[OllamaModel], stores: Sequence[Path]) -> str:
    if there:
        return f"it holds {_few([model.name for model in there])}"
    if stores:
        return _none_in(stores)
    return "no store of it was found (OLLAMA_MODELS names its folder)"


def _none_in(stores: Sequence[Path]) -> str:
    closed = [store for store in stores if not os.access(store, os.R_OK | os.X_OK)]
    if closed:
        return f"{', '.join(map(str, closed))} may not be read by this user"
    return f"it holds none at all ({', '.join(map(str, stores))}): is it the right folder?"


def _few(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    rest = f" and {len(unique) - _LISTED} more" if len(unique) > _LISTED else ""
    return ", ".join(unique[:_LISTED]) + rest


def ollama_name(blob: Path) -> str | None:
    """What Ollama calls the model whose weights are ``blob``, if that lies in a store."""
    if blob.parent.name != "blobs" or not _DIGEST.fullmatch(blob.name):
        return None
    models = ollama_models(blob.parent.parent)
    return next((model.name for model in models if blob in model.blobs), None)


def find_lm_studio(name: str, stores: Sequence[Path]) -> Path:
    """The GGUF file that LM Studio keeps as ``[PUBLISHER/]MODEL[/FILE.gguf]`` or ``MODEL@QUANT``.

    Case does not count. A file's own name, with or without ``.gguf``, does as well.

    Raises:
        ConfigError: there is none, or several; the message lists them.
    """
    files = [file for store in stores for file in _gguf_files(store)]
    wanted, _, quant = name.lower().partition("@")
    found = [
        path
        for shown, path in files
        if wanted in _names(shown) and quant in path.name.lower().removesuffix(".gguf")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        shown = _few([one for one, path in files if path in found])
        raise ConfigError(f"lmstudio:{name}: these are called so; give one whole: {shown}.")
    if files:
        there = f"it holds {_few([shown for shown, _ in files])}"
    elif stores:
        there = _none_in(stores)
    else:
        there = "no folder of its models was found; give the path of the file"
    raise ConfigError(f"lmstudio:{name}: LM Studio holds no such model here; {there}.")


def _gguf_files(store: Path) -> Iterator[tuple[str, Path]]:
    """Each GGUF model of ``store`` with its path below it."""
    for root, folders, names in os.walk(store, followlinks=True):
        folder = Path(root)
        depth = len(folder.relative_to(store).parts)
        folders[:] = [] if depth >= 2 else sorted(n for n in folders if not n.startswith("."))
        for name in sorted(names):
            # mmproj: the part of a model that sees images.
            if name.lower().endswith(".gguf") and not name.lower().startswith("mmproj"):
                yield (folder / name).relative_to(store).as_posix(), folder / name


def _names(shown: str) -> set[str]:
    """All that a file ``PUBLISHER/MODEL/FILE.gguf`` may be called."""
    whole = shown.lower()
    *folders, file = whole.split("/")
    names: Any = {whole, whole.removesuffix(".gguf"), file, file.removesuffix(".gguf")}
    names |= {"/".join(folders[start:]) for start in range(len(folders))}
    names |= {model.removesuffix("-gguf") for model in folders[1:]}
    return set(names)
