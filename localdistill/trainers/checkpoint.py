"""Checkpoints of a training: one safetensors file each, the last two of them.

Everything is in the one file, the state as JSON among its metadata, so that no two files have to
agree. It is written under another name, brought to the disk and renamed; the one before it stays
until then, and one more: a file that was damaged all the same fails its checksum, and the older one
is taken.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from localdistill.durable import replace_with, write_atomically
from localdistill.trainers.base import Saved
from localdistill.trainers.state import TrainState

_KEPT = 2
_NAMES, _NOTE = "step-*.safetensors", "fingerprint"


class Checkpoints:
    """The checkpoints of the training that ``saved`` names; those of any other are deleted."""

    def __init__(self, saved: Saved) -> None:
        self._folder = saved.folder
        self._fingerprint = saved.fingerprint
        # Each was made with one fingerprint, which is told without reading it.
        note = self._folder / _NOTE
        if not note.is_file() or note.read_text(encoding="utf-8") != self._fingerprint:
            clear(self._folder)

    def save(self, state: TrainState, tensors: dict[str, Any]) -> None:
        """Keep ``tensors`` (name -> torch.Tensor on the CPU) and ``state``.

        Raises:
            OSError: it cannot be written; the checkpoints before it stand.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        self._folder.mkdir(parents=True, exist_ok=True)
        note = self._folder / _NOTE
        if not note.is_file():
            write_atomically(note, self._fingerprint)
        metadata = {"state": state.model_dump_json(), "checksums": json.dumps(_checksums(tensors))}
        path = self._folder / f"step-{state.step:09d}.safetensors"
        try:
            replace_with(path, lambda place: save_file(tensors, str(place), metadata=metadata))
        except SafetensorError as error:  # a full disk, as Rust says it
            raise OSError(str(error)) from error
        for old in self._files()[_KEPT:]:
            old.unlink()

    def load(self) -> tuple[TrainState, dict[str, Any]] | None:
        """The last whole checkpoint; None where there is none."""
        for path in self._files():
            found = _read(path)
            if found is not None:
                return found
        return None

    def _files(self) -> list[Path]:
        """Newest first."""
        return sorted(self._folder.glob(_NAMES), reverse=True)


def clear(folder: Path) -> None:
    """Delete all checkpoints in ``folder``, and the folder unless somebody else's files are there.

    Its name is chosen by us, but it may have been there before: nothing else in it is touched.
    """
    for pattern in (_NAMES, f"{_NAMES}.tmp", _NOTE, f"{_NOTE}.tmp"):
        for file in folder.glob(pattern):
            file.unlink()
    with contextlib.suppress(OSError):  # not there, or not empty
        folder.rmdir()


def _read(path: Path) -> tuple[TrainState, dict[str, Any]] | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        state = TrainState.model_validate_json(metadata["state"])
        checksums = json.loads(metadata["checksums"])
    except (OSError, SafetensorError, LookupError, ValueError, ValidationError):
        return None
    return (state, tensors) if checksums == _checksums(tensors) else None


def _checksums(tensors: dict[str, Any]) -> dict[str, int]:
    return {name: zlib.crc32(_bytes(tensor)) for name, tensor in tensors.items()}


def _bytes(tensor: Any) -> Any:
    import torch

    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
