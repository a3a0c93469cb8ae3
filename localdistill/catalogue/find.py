"""Looking for models on the disk. Only headers are read; nothing is loaded, changed or fetched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from localdistill.catalogue.entry import Entry
from localdistill.catalogue.identify import gguf_names, gguf_shape, identify, shape_of
from localdistill.catalogue.load import architecture_of
from localdistill.catalogue.places import Place
from localdistill.catalogue.stores import ollama_models
from localdistill.errors import ModelError
from localdistill.markers import is_done
from localdistill.quantization.file_type import file_type_of
from localdistill.quantization.folder_write import NOTE, read_note
from localdistill.quantization.gguf_file import read_header


class Found(BaseModel):
    """A model on the disk."""

    model_config = ConfigDict(frozen=True)

    entry: str | None  # the catalogue's name for it, if it is known
    path: Path
    form: Literal["gguf", "folder"]
    type: str  # of a GGUF: Q4_K_M ...; of a folder: safetensors
    size: int  # bytes
    place: str
    says: str  # what it calls itself


class Unreadable(BaseModel):
    """A file that looked like a model and is none that can be used."""

    model_config = ConfigDict(frozen=True)

    path: Path
    reason: str


class OnDisk(BaseModel):
    """All that was found."""

    model_config = ConfigDict(frozen=True)

    models: tuple[Found, ...]
    unreadable: tuple[Unreadable, ...]

    def of(self, entry: Entry) -> tuple[Found, ...]:
        """What was found of one entry."""
        return tuple(found for found in self.models if found.entry == entry.name)

    @property
    def unknown(self) -> tuple[Found, ...]:
        """Models that are in no entry."""
        return tuple(found for found in self.models if found.entry is None)


class _Candidate(BaseModel):
    path: Path
    place: str
    names: tuple[str, ...]  # that its surroundings give it
    form: Literal["gguf", "folder"]


def find_models(entries: Sequence[Entry], places: Sequence[Place]) -> OnDisk:
    """Look through ``places``; a file that is met twice counts where it was met first.

    A damaged file, or one that may not be read, is reported and ends nothing.
    """
    models: list[Found] = []
    unreadable: list[Unreadable] = []
    seen: set[Path] = set()
    for place in places:
        for candidate in _candidates(place):
            try:
                real = candidate.path.resolve()
                if real in seen:
                    continue
                seen.add(real)
                if candidate.form == "folder" or not is_done(candidate.path):  # else made here
                    models.append(_look(candidate, entries))
            except Exception as error:  # whatever a stranger's file drives its readers to
                reason = str(error).removeprefix(f"{candidate.path}: ") or type(error).__name__
                unreadable.append(Unreadable(path=candidate.path, reason=reason))
    return OnDisk(models=tuple(models), unreadable=tuple(unreadable))


def _look(candidate: _Candidate, entries: Sequence[Entry]) -> Found:
    path = candidate.path
    if candidate.form == "folder":
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ModelError("its config.json is no object. Fetch the folder again.")
        entry = None
        kind = str(config.get("model_type"))
        if kind in ("qwen2", "qwen3", "qwen3_moe") and not config.get("quantization_config"):
            entry = identify(entries, shape_of(architecture_of(config)), candidate.names)
        files = list(path.glob("*.safetensors"))
        size, type_, says = sum(file.stat().st_size for file in files), "safetensors", kind
    else:
        gguf = read_header(path)
        names = gguf_names(gguf)
        entry = None
        if any(known.architecture.type == gguf.architecture for known in entries):
            entry = identify(entries, gguf_shape(gguf), [*names, *candidate.names])
        size, type_, says = gguf.size, file_type_of(gguf), names[0] if names else "nothing"
    return Found(
        entry=entry.name if entry else None,
        path=path,
        form=candidate.form,
        type=type_,
        size=size,
        place=candidate.place,
        says=says,
    )


def _candidates(place: Place) -> Iterator[_Candidate]:
    if (place.folder / "manifests").is_dir() and (place.folder / "blobs").is_dir():
        yield from _ollama(place)
        return
    for folder, files in _walk(place):
        hub_id = _hub_id(folder)
        names = (hub_id,) if hub_id else ()
        for file in files:
            if file.endswith(".gguf"):
                yield _Candidate(path=folder / file, place=place.label, names=names, form="gguf")
        if "config.json" in files and any(file.endswith(".safetensors") for file in files):
            # Nothing in such a folder says what it is called, but its own name.
            own = names or (folder.name,)
            yield _Candidate(path=folder, place=place.label, names=own, form="folder")


def _hub_id(folder: Path) -> str | None:
    """``Qwen/Qwen3-4B`` for a folder in the hub's cache, below ``models--Qwen--Qwen3-4B``."""
    for parent in (folder, *folder.parents):
        if parent.name.startswith("models--"):
            return "/".join(parent.name.split("--")[1:])
    return None


def _walk(place: Place) -> Iterator[tuple[Path, list[str]]]:
    """Folders and their files in a fixed order, without hidden ones and what was made here."""
    met: set[tuple[int, int]] = set()
    for root, folders, files in os.walk(place.folder, followlinks=True):
        folder = Path(root)
        status = folder.stat()
        depth = len(folder.relative_to(place.folder).parts)
        # What a run has trained keeps the metadata of what it started from: it is no original.
        own = "manifest.json" in files and "config.toml" in files
        own = own or (NOTE in files and "published" in read_note(folder))
        if own or (status.st_dev, status.st_ino) in met:
            folders.clear()
            continue
        met.add((status.st_dev, status.st_ino))
        folders[:] = (
            []
            if depth >= place.depth
            else sorted(name for name in folders if not name.startswith("."))
        )
        yield folder, sorted(files)


def _ollama(place: Place) -> Iterator[_Candidate]:
    for model in ollama_models(place.folder):
        name = model.name.rpartition("/")[2]
        for blob in model.blobs:
            if blob.is_file():
                label = f"{place.label} {name}"
                yield _Candidate(path=blob, place=label, names=(f"ollama {name}",), form="gguf")
