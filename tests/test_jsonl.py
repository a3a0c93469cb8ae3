import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localdistill import jsonl
from localdistill.durable import write_atomically
from localdistill.errors import ConfigError, UserError
from localdistill.jsonl import JsonlWriter, cut_torn_tail, iter_lines, iter_rows, read_rows
from localdistill.markers import done_facts, is_done, mark_done, marker
from localdistill.types import Verdict


def row(sample=0, detail=""):
    return Verdict(problem_id="é/1", sample=sample, status="passed", detail=detail)


def encoded(*rows):
    return b"".join(item.model_dump_json().encode() + b"\n" for item in rows)


ROWS = [row(0), row(1, "日本\n\u2028"), row(2, "x" * 70_000)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sub" / "rows.jsonl"


def torn(path, cut):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded(*ROWS)[:cut])


def test_rows_come_back_as_written(path):
    with JsonlWriter(path) as writer:
        writer.write(*ROWS[:2])
        assert read_rows(path, Verdict) == ROWS[:2]  # seen before it is closed
        writer.sync()
        writer.write(ROWS[2])
    assert list(iter_rows(path, Verdict)) == ROWS


def test_an_input_is_not_an_output(tmp_path):
    with pytest.raises(ConfigError, match="input as well"):
        jsonl.refuse_as_output(tmp_path / "x" / ".." / "c.jsonl", None, tmp_path / "c.jsonl")
    jsonl.refuse_as_output(tmp_path / "out.jsonl", None, tmp_path / "c.jsonl")


def test_a_kill_at_any_byte_loses_only_the_torn_row(path):
    whole = encoded(*ROWS[:2])
    for cut in range(len(whole) + 1):
        torn(path, cut)
        read = read_rows(path, Verdict)
        assert read == ROWS[: len(read)]
        assert len(read) >= whole[:cut].count(b"\n")
        # What was read is there after the file is opened again, and what was not is not.
        with JsonlWriter(path) as writer:
            writer.write(*ROWS[len(read) : 2])
        assert path.read_bytes() == whole


@settings(max_examples=40)
@given(cut=st.integers(0, len(encoded(*ROWS))))
def test_so_it_does_with_rows_longer_than_a_block(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("torn") / "rows.jsonl"
    torn(path, cut)
    read = read_rows(path, Verdict)
    with JsonlWriter(path) as writer:
        writer.write(*ROWS[len(read) :])
    assert path.read_bytes() == encoded(*ROWS)


def test_a_last_row_without_its_newline_is_kept(path):
    torn(path, len(encoded(ROWS[0])) - 1)
    assert read_rows(path, Verdict) == [ROWS[0]]
    cut_torn_tail(path)
    assert path.read_bytes() == encoded(ROWS[0])


@pytest.mark.parametrize("tail", [b"12", b'"text"', b"   ", b"[]", b"\xff", b"nul", b"[" * 50_000])
def test_a_tail_that_is_no_object_is_cut(path, tail):
    torn(path, len(encoded(ROWS[0])))
    with path.open("ab") as file:
        file.write(tail)
    cut_torn_tail(path)
    assert path.read_bytes() == encoded(ROWS[0])


def test_nothing_to_cut(path):
    cut_torn_tail(path)
    assert not path.exists()
    torn(path, 0)
    cut_torn_tail(path)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("line", [b"{}", b"not json", b'{"problem_id": "a\xff"}', b"[]"])
def test_a_broken_line_inside_is_named(path, line):
    path.parent.mkdir()
    path.write_bytes(encoded(ROWS[0]) + b"\n" + line + b"\n" + encoded(ROWS[1]))
    with pytest.raises(UserError, match="line 3: ") as caught:
        read_rows(path, Verdict)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lines_are_numbered_and_blank_ones_skipped_plain_and_gz(tmp_path):
    content = b"\xef\xbb\xbfa\n\n  \nb\xe2\x80\xa8c\r\nd"
    expected = [(1, b"a\n"), (4, b"b\xe2\x80\xa8c\r\n"), (5, b"d")]
    for name, data in (("a.jsonl", content), ("a.jsonl.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(data)
        assert list(iter_lines(tmp_path / name)) == expected


def test_a_file_is_replaced_as_a_whole(path):
    write_atomically(path, "old")
    write_atomically(path, "new é")
    assert path.read_text(encoding="utf-8") == "new é"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_marker_says_that_a_file_is_complete(path):
    assert not is_done(path)
    write_atomically(path, "")
    assert not is_done(path)
    mark_done(path, rows=3, kind="x")
    assert is_done(path)
    assert done_facts(path) == {"rows": 3, "kind": "x"}
    assert json.loads(marker(path).read_text())["rows"] == 3
    path.unlink()
    assert not is_done(path)  # a marker alone vouches for nothing
