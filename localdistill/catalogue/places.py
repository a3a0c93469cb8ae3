"""Where models usually lie on a disk.

Sources of the layouts: huggingface_hub's guide "Understand caching", llama.cpp's
``fs_get_cache_directory`` (common.cpp) and ``hf-cache.cpp``, Ollama's FAQ, and LM Studio's page
"Import Models".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localdistill.errors import ConfigError

OLLAMA, LM_STUDIO = "Ollama", "LM Studio"  # labels of their places
_DEEP, _SHALLOW = 8, 2  # folders below a place that are looked into


@dataclass(frozen=True)
class Place:
    """A folder to look into, and what a person calls it."""

    label: str
    folder: Path
    depth: int = _DEEP


def usual_places(
    look_in: Sequence[Path],
    bundled: Path,
    *,
    environment: Mapping[str, str],
    home: Path,
    working_directory: Path,
) -> list[Place]:
    """Existing folders to look into; those that the user names come first.

    Raises:
        ConfigError: a folder that the user names does not exist.
    """
    named = [Place(str(folder), folder) for folder in look_in]
    for place in named:
        if not place.folder.is_dir():
            raise ConfigError(f"--look-in {place.folder}: there is no such folder.")

    def variable(name: str) -> list[Path]:
        return _variable(environment, name)

    cache = _cache(environment, home)
    ollama = variable("OLLAMA_MODELS") or [
        home / ".ollama" / "models",
        Path("/usr/share/ollama/.ollama/models"),  # where its Linux service keeps them
    ]
    studio = [home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"]
    known = [
        *named,
        Place("bundled", bundled),
        Place("Hugging Face cache", hub_cache(environment, home)),
        *(Place("llama.cpp cache", f) for f in variable("LLAMA_CACHE") or [cache / "llama.cpp"]),
        *(Place(OLLAMA, folder) for folder in ollama),
        *(Place(LM_STUDIO, folder) for folder in studio),
        Place("this folder", working_directory, _SHALLOW),
    ]
    # Ollama's service keeps its models where not every user may look; Path.is_dir would raise.
    return [place for place in known if os.path.isdir(place.folder)]  # noqa: PTH112 - see above


def hub_cache(environment: Mapping[str, str], home: Path) -> Path:
    """The folder in which huggingface_hub keeps what it has fetched."""
    named = _variable(environment, "HF_HUB_CACHE") or _variable(
        environment, "HUGGINGFACE_HUB_CACHE"
    )
    if named:
        return named[0]
    of_home = _variable(environment, "HF_HOME")
    return (of_home[0] if of_home else _cache(environment, home) / "huggingface") / "hub"


def _variable(environment: Mapping[str, str], name: str) -> list[Path]:
    return [Path(environment[name]).expanduser()] if environment.get(name) else []


def _cache(environment: Mapping[str, str], home: Path) -> Path:
    return (_variable(environment, "XDG_CACHE_HOME") or [home / ".cache"])[0]
