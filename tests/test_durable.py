"""Files that are there whole or not at all."""

import errno
import json

import pytest

from localdistill.durable import restore, spare, write_atomically, write_beside, write_twice

TEXT = 'rounds = 2\nmodel = "é"\n'


def test_a_file_that_was_cut_anywhere_is_restored(tmp_path):
    path = tmp_path / "config.toml"
    write_twice(path, TEXT)
    whole = path.read_bytes()
    assert not restore(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert restore(path)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("content", ["rounds = 3\n", TEXT + "limit = 4\n"])
def test_what_somebody_wrote_there_stays(tmp_path, content):
    path = tmp_path / "config.toml"
    write_twice(path, TEXT)
    path.write_text(content, encoding="utf-8")
    assert not restore(path)
    assert path.read_text(encoding="utf-8") == content


def test_what_has_gone_stays_gone(tmp_path):
    path = tmp_path / "config.toml"
    write_twice(path, TEXT)
    path.unlink()
    assert not restore(path)
    assert not path.exists()


def test_a_damaged_copy_restores_nothing(tmp_path):
    path = tmp_path / "config.toml"
    write_twice(path, TEXT)
    copy = spare(path).read_bytes()
    wrong = json.dumps({**json.loads(copy), "text": TEXT + "x"}).encode()
    for damaged in (*(copy[:length] for length in range(len(copy) - 1)), wrong, b"[]", b"{}"):
        spare(path).write_bytes(damaged)
        path.write_text("rounds")
        assert not restore(path)
        assert path.read_text() == "rounds"


def test_nothing_is_left_of_a_file_that_cannot_be_written(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")

    def full(place):
        place.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_beside(path, full)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"
