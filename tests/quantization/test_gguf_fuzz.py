"""Headers that somebody made up to do harm: refused in one line, in little time and memory."""

from __future__ import annotations

import itertools
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localdistill.errors import ModelError
from localdistill.quantization.gguf_file import read_header

F32, STRING, ARRAY, UINT8, UINT32 = 0, 8, 9, 0, 4
ALIGNMENT = 32


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def entry(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def info(name: bytes, dims, kind: int, offset: int) -> bytes:
    shape = struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
    return text(name) + shape + struct.pack("<IQ", kind, offset)


def file_of(entries, infos, data: int = 0, counts=None) -> bytes:
    tensors, keys = counts or (len(infos), len(entries))
    header = b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + b"".join([*entries, *infos])
    return header + bytes(-len(header) % ALIGNMENT) + bytes(data)


ENTRIES = [entry(b"general.architecture", STRING, text(b"qwen2"))]


def read(path, content):
    path.write_bytes(content)
    return read_header(path)


def test_a_small_file_of_this_kind_is_read(tmp_path):
    infos = [info(b"a", (8, 2), F32, 0), info(b"b", (8,), F32, 64)]
    found = read(tmp_path / "m.gguf", file_of(ENTRIES, infos, data=96))
    assert [tensor.size for tensor in found.tensors.values()] == [64, 32]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (file_of(ENTRIES, [info(b"a", (8, 2), F32, 0), info(b"b", (8,), F32, 32)], 96), "overlap"),
        (file_of(ENTRIES, [info(b"a", (8,), F32, 0), info(b"b", (8,), F32, 0)], 96), "overlap"),
        (file_of(ENTRIES, [info(b"a", (8,), F32, 64)], 64), "do not lie inside"),
        (file_of(ENTRIES, [info(b"a", (2**62, 2**62), F32, 0)], 64), "do not lie inside"),
        (file_of(ENTRIES, [info(b"a", (8,), F32, 2**63)], 64), "do not lie inside"),
        (file_of(ENTRIES, [info(b"a", (0,), F32, 0)], 64), "does not fit its type"),
        (file_of(ENTRIES, [info(b"a" * 64, (8,), F32, 0)], 64), "64 characters"),
        (file_of(ENTRIES, [info(b"a", (8,) * 5, F32, 0)], 64), "5 dimensions"),
        (file_of(ENTRIES, [info(b"a", (8,), 9999, 0)], 64), "unknown"),
        (file_of(ENTRIES, [], 64, counts=(2**40, 1)), "promises"),
        (file_of(ENTRIES, [], 64, counts=(1, 2**40)), "promises"),
        (file_of([entry(b"k", ARRAY, struct.pack("<IQ", UINT8, 2**50))], [], 64, (1, 1)), "promis"),
        (file_of([entry(b"k", ARRAY, struct.pack("<IQ", STRING, 2**30))], [], 64, (1, 1)), "promi"),
        (file_of([entry(b"k", STRING, struct.pack("<Q", 2**60))], [], 64, (1, 1)), "past its end"),
        (file_of([entry(b"k", ARRAY, struct.pack("<IQ", ARRAY, 1))], [], 64, (1, 1)), "item type"),
    ],
)
def test_what_would_lead_outside_or_fill_memory_is_refused(tmp_path, content, said):
    with pytest.raises(ModelError, match=said) as refused:
        read(tmp_path / "m.gguf", content)
    assert "\n" not in str(refused.value)


def test_an_array_that_a_large_file_could_hold_is_refused_all_the_same(tmp_path):
    path = tmp_path / "m.gguf"
    key = entry(b"k", ARRAY, struct.pack("<IQ", UINT8, 1 << 27))
    path.write_bytes(file_of([key], [], counts=(1, 1)))
    with path.open("r+b") as file:
        file.truncate(1 << 30)  # a hole, which takes no room
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="promise"):
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


numbers = st.one_of(
    st.integers(0, 40), st.sampled_from([2**16, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1])
)
names = st.binary(max_size=70)
values = st.one_of(
    st.tuples(st.just(UINT32), st.integers(0, 2**32 - 1).map(lambda n: struct.pack("<I", n))),
    st.tuples(st.just(STRING), names.map(text)),
    st.tuples(st.just(STRING), numbers.map(lambda n: struct.pack("<Q", n))),
    st.tuples(
        st.just(ARRAY),
        st.builds(
            lambda kind, count, rest: struct.pack("<IQ", kind, count) + rest,
            st.integers(0, 13), numbers, st.binary(max_size=64),
        ),
    ),
    st.tuples(st.integers(0, 20), st.binary(max_size=16)),
)  # fmt: skip
keys = st.one_of(names, st.sampled_from([b"general.alignment", b"split.count", b"general.type"]))
entries = st.lists(st.builds(lambda k, v: entry(k, *v), keys, values), max_size=4)
infos = st.lists(
    st.builds(
        info, names, st.lists(numbers, max_size=6), numbers.map(lambda n: n % 2**32), numbers
    ),
    max_size=4,
)


@settings(max_examples=400)
@given(
    entries=entries,
    infos=infos,
    counts=st.one_of(st.none(), st.tuples(numbers, numbers)),
    data=st.integers(0, 200),
    cut=st.integers(0, 400),
)
def test_any_header_is_read_or_refused(tmp_path_factory, entries, infos, counts, data, cut):
    content = file_of(entries, infos, data, counts)
    path = tmp_path_factory.getbasetemp() / "fuzz.gguf"
    path.write_bytes(content[: max(0, len(content) - cut)])
    tracemalloc.start()
    try:
        found = read_header(path)
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        spans = sorted((t.offset, t.offset + t.size) for t in found.tensors.values())
        assert all(end <= path.stat().st_size for _, end in spans)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 << 20
