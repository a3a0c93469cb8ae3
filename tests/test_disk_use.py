"""What a run takes on the disk, and that it stops before that is full."""

from __future__ import annotations

import shutil

import pytest

from localdistill import disk_use
from localdistill.disk_use import RESERVE, Drawn, Model, Watch
from localdistill.errors import StorageError

MODEL = Model(gguf=5 << 30, master=14 << 30, adapter=1 << 28)
DRAWN = Drawn(completions=10_000, tokens=500)


def test_three_rounds_stand_at_a_time_unless_all_are_kept():
    for rounds, keep, standing in ((1, "best+last", 1), (9, "best+last", 3), (9, "all", 9)):
        assert disk_use.standing_rounds(rounds, keep) == standing
        found = disk_use.parts(MODEL, rounds, keep, DRAWN)
        weights = next(amount for name, amount in found.items() if name.startswith("weights"))
        assert weights == standing * MODEL.master
        assert found["adapters"] == rounds * MODEL.adapter


def test_the_least_is_no_more_than_the_whole():
    for rounds in (1, 2, 5):
        whole = sum(disk_use.parts(MODEL, rounds, "best+last", Drawn(0, 0)).values())
        assert disk_use.least(MODEL, rounds, "best+last") <= whole


def test_a_part_that_takes_nothing_is_not_shown():
    assert "adapters" not in disk_use.parts(Model(gguf=1, master=2), 1, "all", Drawn(0, 0))


@pytest.fixture
def disk(monkeypatch):
    """A disk whose free bytes a test sets."""

    class Disk:
        free = 10 * RESERVE

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk)
    return Disk


def test_a_stage_without_room_is_not_begun_and_says_how_much_to_free(disk, tmp_path):
    watch = Watch(tmp_path / "run")
    watch.begin("train", 9 * RESERVE)
    with pytest.raises(StorageError, match=r"export needs .* Free 68 MB and give the same command"):
        watch.begin("export", 10 * RESERVE)


def test_a_disk_that_gets_full_meanwhile_is_noticed_before_it_is(disk, tmp_path):
    watch = Watch(tmp_path)
    watch.begin("export", 9 * RESERVE)
    disk.free = 2 * RESERVE  # it has written what it said
    watch.look()
    disk.free = RESERVE - 1
    with pytest.raises(StorageError, match="it goes on from here"):
        watch.look()
