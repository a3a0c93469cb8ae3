"""Tells whether a model is the one that something was made from, without reading all of it.

A gigabyte a second is too slow for a check at every start. Training changes nearly every weight, so
a few samples of a file part any two models. They do not guard against deliberate deception.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from localdistill.digests import text_digest
from localdistill.errors import ConfigError
from localdistill.markers import done_facts, is_done

_SAMPLE = 1 << 20  # bytes
_SAMPLES = 16  # spread evenly over a file, its beginning and end included
COVERED = _SAMPLE * _SAMPLES  # bytes: of a file up to this size no byte is left out


def file_fingerprint(path: Path) -> str:
    """A digest of a file's size and of samples of its bytes, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    last = max(0, size - _SAMPLE)
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(last * number // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def folder_fingerprint(folder: Path) -> str:
    """The same of a Hugging Face folder: its configuration and its weights."""
    files = sorted([*folder.glob("config.json"), *folder.glob("*.safetensors")])
    parts = [f"{path.name} {file_fingerprint(path)}" for path in files]
    return text_digest("\n".join(parts))


def refuse_replaced(out: Path) -> None:
    """Make sure that a file with a completion marker is still the one that the marker was made for.

    Somebody may have put another file in its place. Markers that say nothing of the file are
    believed.

    Raises:
        ConfigError: it is another file.
    """
    if out.is_file() and is_done(out):
        said = done_facts(out).get("file")
        if said is not None and said != file_fingerprint(out):
            message = f"{out}: is not the file any more that this command made there"
            raise ConfigError(f"{message}. Name another --out, or move it away.")
