"""Headers that were made to crash their reader, or to keep it busy for ever."""

import struct

import pytest

from localdistill.errors import ModelError
from localdistill.quantization.safetensors_file import read_header

SIDE = "9" * 4000  # the most digits that Python's json reads are 4,300


def written(path, header):
    text = header.encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
    return path


def of_shape(shape):
    return f'{{"a": {{"dtype": "F32", "shape": {shape}, "data_offsets": [0, 4]}}}}'


def test_a_small_file_of_this_kind_is_read(tmp_path):
    (tensor,) = read_header(written(tmp_path / "m", of_shape([1, 1]))).values()
    assert (tensor.name, tensor.shape, tensor.size) == ("a", (1, 1), 4)


@pytest.mark.parametrize(
    "header",
    [
        "[" * 100_000,
        '{"a": ' * 100_000,
        of_shape("[1e999]"),
        of_shape("[" + ",".join(["1"] * 9) + "]"),
        of_shape(f"[0,{SIDE}]"),
        of_shape("[" + ",".join([SIDE] * 2000) + "]"),
        of_shape("[-1,-1]"),
        of_shape("[1]").replace("[0, 4]", "[0, 1e999]"),
        of_shape("[1]").replace("[0, 4]", "[0, 4, 8]"),
        of_shape("[1]").replace("[0, 4]", f"[{SIDE}, {SIDE}]"),
        of_shape("3"),
        '{"a": 3}',
        "3",
    ],
)
def test_what_would_crash_or_keep_its_reader_is_refused(tmp_path, header):
    with pytest.raises(ModelError, match="not a safetensors file"):
        read_header(written(tmp_path / "m", header))
