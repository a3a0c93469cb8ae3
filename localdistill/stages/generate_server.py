"""*generate* from a model server: what differs from a file in this process."""

from __future__ import annotations

from pathlib import Path

from localdistill.backends.base import Generator
from localdistill.events import Callback, Notice
from localdistill.sampling import Sampling


def open_server(url: str, model: Path, sampling: Sampling, slots: int) -> Generator:
    """The generator for ``model``, a name at the server."""
    from localdistill.backends.openai_server import OpenAIServerGenerator

    return OpenAIServerGenerator(url, str(model), sampling, slots=slots)


def notes_of(generator: Generator) -> list[str]:
    """What the generator may do otherwise than asked; a file in this process has none."""
    return list(getattr(generator, "notes", []))


def tell(generator: Generator, callback: Callback, told: int = 0) -> int:
    """Pass on the notes after the first ``told``; how many there are now."""
    notes = notes_of(generator)
    for note in notes[told:]:
        callback(Notice(level="warning", message=note))
    return len(notes)
