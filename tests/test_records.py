"""One record in a file: not there, whole, cut short, damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from localdistill.durable import write_twice
from localdistill.errors import ConfigError
from localdistill.records import read_record


class Note(BaseModel):
    number: int


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "note.json"


def test_what_is_not_there_is_none(path: Path) -> None:
    assert read_record(path, Note, "Delete it.") is None


def test_what_was_cut_short_is_made_whole_where_there_is_a_copy(path: Path) -> None:
    write_twice(path, '{"number": 12}\n')
    path.write_text('{"number"')
    assert read_record(path, Note, "Delete it.") == Note(number=12)
    assert path.read_text() == '{"number": 12}\n'


@pytest.mark.parametrize("content", [b"", b'{"number"', b'{"number": "x"}', b"\xff\x00"])
def test_what_is_damaged_is_one_line_with_the_remedy(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        read_record(path, Note, "Delete it to do that again.")
    assert str(refusal.value) == f"{path}: is damaged. Delete it to do that again."
