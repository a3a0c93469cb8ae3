"""Where the models that come with localdistill stand."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from localdistill.errors import MissingDependency

_SNAPSHOT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubOrigin:
    """Where on the Hugging Face hub a folder comes from."""

    repo: str  # Qwen/Qwen2.5-Coder-0.5B-Instruct
    commit: str  # 40 hexadecimal digits


def models_dir() -> Path:
    """The folder ``models/``: as the environment says, of a checkout, or of an installation.

    Raises:
        MissingDependency: there is none.
    """
    named = os.environ.get("LOCALDISTILL_MODELS")
    candidates = [
        *([Path(named)] if named else []),
        Path(__file__).resolve().parent.parent / "models",
        Path(sys.prefix) / "share" / "localdistill" / "models",
    ]
    for folder in candidates:
        if (folder / "seed" / "run.toml").exists():
            return folder
    raise MissingDependency(
        "The bundled seed model was not found; set LOCALDISTILL_MODELS to the folder models/ "
        "of localdistill's source."
    )


def default_home() -> Path:
    """Where run directories are made if none is named."""
    return Path(os.environ.get("LOCALDISTILL_HOME", "runs"))


def hub_origin(path: Path) -> HubOrigin | None:
    """What the hub's cache says by its layout of ``path``, which lies in it or not.

    ``models--ORG--NAME/snapshots/COMMIT``; source: huggingface_hub's guide "Understand caching".
    """
    path = path.absolute()  # not resolved: the files in it are links to blobs
    for folder in (path, *path.parents):
        repo = folder.parent.parent.name
        if (
            folder.parent.name == "snapshots"
            and repo.startswith("models--")
            and _SNAPSHOT.fullmatch(folder.name)
        ):
            return HubOrigin("/".join(repo.split("--")[1:]), folder.name)
    return None
