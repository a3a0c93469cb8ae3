"""A fingerprint parts models of equal size and shape, and does not depend on where they lie."""

import shutil

import pytest

from localdistill.quantization.fingerprint import file_fingerprint, folder_fingerprint


@pytest.mark.parametrize("size", [0, 10, 1 << 20, (1 << 20) + 1, 40 << 20])
def test_a_copy_has_the_same(tmp_path, size):
    (tmp_path / "a").write_bytes(bytes(size))
    shutil.copy(tmp_path / "a", tmp_path / "b")
    assert file_fingerprint(tmp_path / "a") == file_fingerprint(tmp_path / "b")


@pytest.mark.parametrize("place", [0, 20 << 20, (40 << 20) - 1])
def test_another_byte_at_the_ends_or_in_the_middle_changes_it(tmp_path, place):
    content = bytearray(40 << 20)
    (tmp_path / "a").write_bytes(content)
    # A sample of the middle lies somewhere about it, so more than one byte differs, as in training.
    content[max(0, place - (2 << 20)) : place + (2 << 20)] = b"\x01" * len(
        content[max(0, place - (2 << 20)) : place + (2 << 20)]
    )
    (tmp_path / "b").write_bytes(content)
    assert file_fingerprint(tmp_path / "a") != file_fingerprint(tmp_path / "b")


def test_a_folder_is_its_configuration_and_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = folder_fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("notes")
    assert folder_fingerprint(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"weighty")
    assert folder_fingerprint(tmp_path) != before
