"""Where models usually lie on a disk.

Sources of the layouts: huggingface_hub's guide "Understand caching", llama.cpp's
``fs_get_cache_directory`` (common.cpp) and ``hf-cache.cpp``, Ollama's FAQ, and LM Studio's page
"Import Models".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localdistill.errors import ConfigError

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
        return [Path(environment[name]).expanduser()] if environment.get(name) else []

    cache = (variable("XDG_CACHE_HOME") or [home / ".cache"])[0]
    hub = (
        variable("HF_HUB_CACHE")
        or variable("HUGGINGFACE_HUB_CACHE")
        or [folder / "hub" for folder in variable("HF_HOME")]
        or [cache / "huggingface" / "hub"]
    )
    ollama = variable("OLLAMA_MODELS") or [
        home / ".ollama" / "models",
        Path("/usr/share/ollama/.ollama/models"),  # where its Linux service keeps them
    ]
    studio = [home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"]
    known = [
        *named,
        Place("bundled", bundled),
        *(Place("Hugging Face cache", folder) for folder in hub),
        *(Place("llama.cpp cache", f) for f in variable("LLAMA_CACHE") or [cache / "llama.cpp"]),
        *(Place("Ollama", folder) for folder in ollama),
        *(Place("LM Studio", folder) for folder in studio),
        Place("this folder", working_directory, _SHALLOW),
    ]
    return [place for place in known if place.folder.is_dir()]
