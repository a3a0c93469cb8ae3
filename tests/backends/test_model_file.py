import os
import struct

import pytest

from localdistill.backends.llama_model import check_header
from localdistill.errors import ModelError


def header(version=3, tensors=10, entries=10):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a GGUF file"),
        (b"GGUF", "not a GGUF file"),
        (b"{}" * 100, "not a GGUF file"),
        (b"PK\x03\x04" + b"x" * 100, "not a GGUF file"),
        (header(version=1), "version 1 is not supported"),
        (header(version=3 << 24), "version 50331648 is not supported"),  # the other byte order
        (header(tensors=0), "damaged"),
        (header(tensors=2**60), "damaged"),
        (header(entries=2**60), "damaged"),
    ],
)
def test_what_is_no_model_is_refused_with_its_path(tmp_path, content, said):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        check_header(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(ModelError, match="no such model file"):
        check_header(tmp_path / "none.gguf")
    with pytest.raises(ModelError, match="is a folder"):
        check_header(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_refused(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(header())
    path.chmod(0)
    with pytest.raises(ModelError, match="check its rights"):
        check_header(path)


def test_a_sound_header_passes(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(header())
    check_header(path)
