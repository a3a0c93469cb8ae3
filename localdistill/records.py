"""Files that hold one record in JSON, by which a later call knows what an earlier one has done."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from localdistill.durable import restore
from localdistill.errors import ConfigError

Record = TypeVar("Record", bound=BaseModel)


def read_record(path: Path, kind: type[Record], remedy: str) -> Record | None:
    """The record in ``path``; None where there is no such file.

    One that was written twice and has been cut short is made whole first. ``remedy`` is a sentence
    for the person whose record is damaged.

    Raises:
        ConfigError: it is damaged.
    """
    restore(path)
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ConfigError(f"{path}: is damaged. {remedy}") from error
