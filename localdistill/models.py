"""Where the models that come with localdistill stand."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from localdistill.errors import MissingDependency


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
