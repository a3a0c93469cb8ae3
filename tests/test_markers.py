"""What is complete, and what has been cut short since."""

import json
import os

import pytest

from localdistill import markers
from localdistill.errors import ConfigError
from localdistill.markers import done_facts, is_cut_short, is_done, mark_done, marker, publish

LONG = bytes(range(256)) * 40  # more than is looked at of how a file begins


@pytest.mark.parametrize("content", [b"rows\n" * 3, LONG])
def test_a_file_that_was_cut_short_is_not_done(tmp_path, content):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    mark_done(path, rows=3)
    assert is_done(path)
    assert done_facts(path) == {"rows": 3}
    for length in (len(content) - 1, len(content) // 2, 0):
        os.truncate(path, length)
        assert not is_done(path)
        assert is_cut_short(path)


def test_another_file_in_its_place_is_not_taken_for_a_damaged_one(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(LONG)
    mark_done(path)
    path.write_bytes(LONG[::-1][:5000])
    assert not is_cut_short(path)  # whoever needs to know compares fingerprints
    path.write_bytes(LONG + b"more")
    assert is_done(path)


def test_a_folder_is_done_with_all_its_files(tmp_path):
    folder = tmp_path / "adapter"
    (folder / "inner").mkdir(parents=True)
    for name in ("weights", "inner/config"):
        (folder / name).write_bytes(LONG)
    mark_done(folder)
    (folder / "another").write_text("more does no harm")
    assert is_done(folder)
    os.truncate(folder / "inner" / "config", 10)
    assert is_cut_short(folder)
    (folder / "inner" / "config").unlink()
    assert is_cut_short(folder)


@pytest.mark.parametrize("text", ["", '{"rows"', "[]", "\x00\x00"])
def test_a_marker_that_was_cut_short_says_nothing(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text("rows")
    mark_done(path)
    marker(path).write_text(text)
    assert not is_done(path)
    markers.refuse_foreign(path)  # but what it stands beside was made here


@pytest.mark.parametrize("folder", [False, True])
def test_damaged_work_is_replaced_and_set_aside(tmp_path, folder):
    path, whole = tmp_path / "out", tmp_path / "whole"

    def make(place, content):
        if folder:
            place.mkdir()
            place = place / "weights"
        place.write_bytes(content)

    def content(place):
        return (place / "weights" if folder else place).read_bytes()

    for _ in range(2):  # what was set aside before makes room
        make(whole, LONG)
        publish(whole, path, made=1)
        os.truncate(path / "weights" if folder else path, 5000)
        make(whole, LONG)
        publish(whole, path, made=2)
        assert (content(path), done_facts(path)) == (LONG, {"made": 2})
        assert content(tmp_path / "out.damaged") == LONG[:5000]
        os.truncate(path / "weights" if folder else path, 5000)


def test_a_finished_folder_whose_marker_is_damaged_is_replaced(tmp_path):
    path, whole = tmp_path / "out", tmp_path / "whole"
    for folder in (path, whole):
        folder.mkdir()
        (folder / "weights").write_bytes(LONG)
    marker(path).write_text('{"made')
    publish(whole, path, made=2)
    assert is_done(path)


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path):
    path, whole = tmp_path / "out", tmp_path / "whole"
    for folder in (path, whole):
        folder.mkdir()
        (folder / "weights").write_bytes(LONG)
    with pytest.raises(ConfigError):
        markers.refuse_foreign(path)
    with pytest.raises(OSError, match="not empty"):
        publish(whole, path)
    assert (path / "weights").exists()


def test_the_marker_is_one_object_with_the_facts_in_it(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("rows")
    mark_done(path, rows=3)
    assert json.loads(marker(path).read_text())["rows"] == 3
