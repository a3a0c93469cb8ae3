"""One holder at a time, also where the last one has taken the file away."""

import fcntl
import os

from localdistill import file_lock


def test_only_one_holds_it_until_it_is_closed(tmp_path):
    held = file_lock.take(tmp_path / "lock")
    assert file_lock.take(tmp_path / "lock") is None
    os.close(held)
    again = file_lock.take(tmp_path / "lock")
    assert again is not None
    os.close(again)


def test_a_file_that_was_taken_away_since_it_was_opened_is_not_the_lock(tmp_path, monkeypatch):
    """Its holder removed it and gave it back between our opening and our locking it."""
    path, lock, removed = tmp_path / "lock", fcntl.flock, []

    def late(descriptor, how):
        if not removed:
            removed.append(path.unlink())
        return lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    held = file_lock.take(path)
    assert os.path.samestat(os.fstat(held), path.stat())
    assert file_lock.take(path) is None
    os.close(held)


def test_nor_is_it_where_another_has_made_it_anew(tmp_path, monkeypatch):
    path, lock, others = tmp_path / "lock", fcntl.flock, []

    def late(descriptor, how):
        if not others:
            path.unlink()
            others.append(os.open(path, os.O_RDWR | os.O_CREAT))
            lock(others[0], how)
        return lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert file_lock.take(path) is None
    os.close(others[0])
