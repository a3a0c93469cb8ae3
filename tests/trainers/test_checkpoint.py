"""Checkpoints: whole or not at all, two of them, and of one training only."""

from __future__ import annotations

import pytest

from localdistill.trainers.base import Saved
from localdistill.trainers.checkpoint import Checkpoints, clear
from localdistill.trainers.state import HeldOutLoss, TrainState

torch = pytest.importorskip("torch")


def state(steps: int) -> TrainState:
    return TrainState(
        losses=[0.1 + 1 / 3] * steps,
        rates=[1e-4] * steps,
        held_out=[HeldOutLoss(step=0, loss=1 / 7)],
        micro_batch_tokens=64,
    )


def tensors(value: float) -> dict:
    return {
        "adapter.a": torch.full((3, 2), value),
        "step.a": torch.tensor(value),  # no dimensions
        "random": torch.get_rng_state(),
    }


@pytest.fixture
def saved(tmp_path) -> Saved:
    return Saved(tmp_path / "checkpoints", "one")


def same(found: dict, wanted: dict) -> bool:
    return found.keys() == wanted.keys() and all(
        torch.equal(found[name], wanted[name]) for name in wanted
    )


def test_what_is_saved_is_loaded_to_the_bit(saved):
    assert Checkpoints(saved).load() is None
    wanted = tensors(1 / 3)
    Checkpoints(saved).save(state(5), wanted)
    found, values = Checkpoints(saved).load()
    assert found == state(5)
    assert same(values, wanted)


def test_the_last_one_counts_and_two_are_kept(saved):
    checkpoints = Checkpoints(saved)
    for step in (2, 4, 10):
        checkpoints.save(state(step), tensors(step))
    assert Checkpoints(saved).load()[0].step == 10
    files = sorted(file.name for file in saved.folder.glob("step-*"))
    assert files == ["step-000000004.safetensors", "step-000000010.safetensors"]


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "missing"])
def test_a_damaged_one_is_passed_over_for_the_one_before(saved, damage):
    checkpoints = Checkpoints(saved)
    for step in (2, 4):
        checkpoints.save(state(step), tensors(step))
    path = saved.folder / "step-000000004.safetensors"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        flipped = content[:-1] + bytes([content[-1] ^ 1])
        path.write_bytes({"truncated": content[:-9], "empty": b"", "flipped": flipped}[damage])
    found, values = Checkpoints(saved).load()
    assert found.step == 2
    assert same(values, tensors(2))


def test_where_all_are_damaged_there_is_none(saved):
    Checkpoints(saved).save(state(2), tensors(2))
    (saved.folder / "step-000000002.safetensors").write_bytes(b"\0" * 100)
    assert Checkpoints(saved).load() is None


def test_another_training_never_goes_on_from_it(saved):
    Checkpoints(saved).save(state(2), tensors(2))
    other = Saved(saved.folder, "two")
    assert Checkpoints(other).load() is None
    assert not saved.folder.exists()


def test_without_a_fingerprint_they_are_of_nobody(saved):
    Checkpoints(saved).save(state(2), tensors(2))
    (saved.folder / "fingerprint").unlink()
    assert Checkpoints(saved).load() is None


def test_one_that_could_not_be_written_leaves_the_one_before(saved, monkeypatch):
    from safetensors import SafetensorError

    checkpoints = Checkpoints(saved)
    checkpoints.save(state(2), tensors(2))

    def full(values, path, metadata):
        from pathlib import Path

        Path(path).write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(state(4), tensors(4))
    assert Checkpoints(saved).load()[0].step == 2
    assert sorted(file.name for file in saved.folder.iterdir()) == [
        "fingerprint",
        "step-000000002.safetensors",
    ]


def test_files_of_somebody_elses_in_the_folder_stay(saved):
    Checkpoints(saved).save(state(5), tensors(1))
    (saved.folder / "step-000000007.safetensors.tmp").write_bytes(b"half")
    (saved.folder / "mine.pt").write_text("years")
    Checkpoints(Saved(saved.folder, "another"))
    assert [path.name for path in saved.folder.iterdir()] == ["mine.pt"]
    (saved.folder / "mine.pt").unlink()
    clear(saved.folder)
    assert not saved.folder.exists()
    clear(saved.folder)
