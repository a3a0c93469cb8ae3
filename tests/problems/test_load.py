import pytest

from localdistill.errors import ProblemSetError
from localdistill.problems import digest, formats, load
from localdistill.types import Problem
from tests.problems.rows import humaneval, mbpp, native, write


def ids(spec, limit=None):
    return [problem.id for problem in load(spec, limit).problems]


def refusal(spec, limit=None):
    with pytest.raises(ProblemSetError) as caught:
        load(spec, limit)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_formats_are_the_modules_that_read_rows():
    assert set(formats()) >= {"native", "mbpp", "humaneval"}
    assert "prompt" not in formats()
    assert "extract" not in formats()


@pytest.mark.parametrize(
    ("row", "expected"), [(native(), "mine/1"), (mbpp(), "601"), (humaneval(), "HumanEval/0")]
)
@pytest.mark.parametrize("name", ["set.jsonl", "set.jsonl.gz"])
def test_the_format_is_recognised_from_the_rows_plain_or_gz(tmp_path, row, expected, name):
    assert ids(write(tmp_path / name, row)) == [expected]


def test_a_format_can_be_named(tmp_path):
    path = write(tmp_path / "set.jsonl", mbpp())
    assert ids(f"mbpp:{path}") == ["601"]
    assert "field entry_point of the format humaneval is missing" in refusal(f"humaneval:{path}")


def test_an_unknown_format_names_the_nearest(tmp_path):
    path = write(tmp_path / "set.jsonl", mbpp())
    assert "did you mean mbpp?" in refusal(f"mbbp:{path}")
    assert "known are humaneval, mbpp, native" in refusal(f"zzz:{path}")


def test_an_id_range_holds_both_ends_and_uses_the_sets_own_numbers(tmp_path):
    path = write(tmp_path / "set.jsonl", *(humaneval(n) for n in (1, 2, 3, 10)))
    assert ids(f"{path}#2-3") == ["HumanEval/2", "HumanEval/3"]
    assert ids(f"humaneval:{path}#3-99") == ["HumanEval/3", "HumanEval/10"]


def test_mbpp_splits_are_the_published_ones(tmp_path):
    rows = [mbpp(n) for n in (1, 10, 11, 510, 511, 600, 601, 974)]
    path = write(tmp_path / "set.jsonl", *rows)
    assert ids(f"{path}#train") == ["601", "974"]
    assert ids(f"{path}#dev") == ["511", "600"]
    assert ids(f"{path}#test") == ["11", "510"]


def test_a_limit_takes_the_first_of_the_part_in_file_order(tmp_path):
    path = write(tmp_path / "set.jsonl", *(mbpp(n) for n in (700, 5, 650, 602)))
    assert ids(f"{path}#train", 2) == ["700", "650"]
    assert ids(path, 99) == ["700", "5", "650", "602"]
    assert "give 1 or more" in refusal(path, 0)


def test_a_path_may_hold_a_colon_and_a_hash(tmp_path):
    for name in ("a:b.jsonl", "a#b.jsonl", "mbpp:x#1-2.jsonl"):
        write(tmp_path / name, mbpp(601), mbpp(602))
        path = str(tmp_path / name)
        assert ids(path) == ["601", "602"]
        assert ids(f"{path}#602-700") == ["602"]
        assert ids(f"mbpp:{path}#601-601") == ["601"]


def test_a_file_named_like_a_format_and_a_path_is_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mbpp:x.jsonl", mbpp(601))
    write(tmp_path / "x.jsonl", mbpp(700))
    assert ids("mbpp:x.jsonl") == ["601"]
    assert ids("mbpp:./x.jsonl") == ["700"]


def test_the_name_is_short_and_the_spec_is_kept(tmp_path):
    path = write(tmp_path / "set.jsonl.gz", mbpp())
    found = load(f"{path}#train")
    assert (found.name, found.spec) == ("set#train", f"{path}#train")


def test_the_digest_is_that_of_the_problems_and_of_nothing_else(tmp_path):
    first = load(write(tmp_path / "a.jsonl", mbpp(601), mbpp(602)))
    again = load(write(tmp_path / "b.jsonl.gz", mbpp(601), mbpp(602)) + "#601-602")
    assert first.digest == again.digest == digest(first.problems)
    other = load(write(tmp_path / "c.jsonl", mbpp(602), mbpp(601)))
    assert other.digest != first.digest


def test_problems_written_as_native_rows_are_read_back_the_same(tmp_path):
    first = load(write(tmp_path / "a.jsonl", humaneval(0), humaneval(1)))
    copy = tmp_path / "copy.jsonl"
    copy.write_text("".join(p.model_dump_json() + "\n" for p in first.problems))
    again = load(str(copy))
    assert again.problems == first.problems
    assert again.digest == first.digest


def test_native_rows_keep_every_field(tmp_path):
    row = native(
        tests={"kind": "call", "cases": [{"args": [1], "expected": 2}]},
        entry_point="add1",
        starter_code="def add1(a):",
        reference="def add1(a):\n    return a + 1",
        context_files={"a.txt": "x"},
        time_limit_s=1.5,
        memory_limit_mb=64,
        meta={"source": "me"},
        note_of_its_maker=True,
    )
    (problem,) = load(write(tmp_path / "set.jsonl", row)).problems
    assert problem == Problem.model_validate(row)


def test_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path):
    path = tmp_path / "set.jsonl"
    text = '\ufeff{"id": "1", "prompt": "a"}\r\n\r\n{"id": "2", "prompt": "b"}'
    path.write_bytes(text.encode())
    assert ids(str(path)) == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"id": "1", "prompt": "a"}\n{"id": "2", "pro', "line 2: not JSON in UTF-8"),
        (b'{"id": "1", "prompt": "a"}\n{"id": "2", "prompt": "\xff"}\n', "line 2: not JSON in UTF"),
        (b'{"id": "1", "prompt": "a"}\n\n[1]\n', "line 3: not a JSON object"),
        (b'{"id": "1", "prompt": "a"}\n{"id": "2"}\n', "line 2: prompt: Field required"),
        (b'{"id": "1", "prompt": "a"}\n{"id": 2, "prompt": "a"}\n', "line 2: id:"),
        (b'{"id": "1", "prompt": " "}\n', "line 1: prompt is empty"),
        (b'{"id": "", "prompt": "a"}\n', "line 1: id is empty"),
        (b'{"id": "1", "prompt": "\\ud800"}\n', "line 1: holds half a character"),
        (b'{"id": "1", "prompt": "a", "tests": {"kind": "exam"}}\n', "line 1: tests"),
        (
            b'{"id": "1", "prompt": "a", "tests": {"kind": "check", "code": ""}}\n',
            "line 1: tests of kind check need an entry_point",
        ),
        (b'{"a": 1, "b": 2}\n', "line 1: of no known format (it has a, b). Known are humaneval"),
        (b'{"id": "1", "prompt": "a"}\n' * 2, "line 2: the id 1 was given in line 1 already"),
        (b"\n\n", "holds no problem"),
        (b"", "holds no problem"),
        (b"[" * 100_000, "line 1: not JSON"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line_with_its_number(tmp_path, content, expected):
    path = tmp_path / "set.jsonl"
    path.write_bytes(content)
    message = refusal(str(path))
    assert str(path) in message
    assert expected in message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"test_list": []}, "test_list is empty"),
        ({"test_list": None}, "not a problem of the format mbpp"),
        ({"text": 5}, "not a problem of the format mbpp"),
    ],
)
def test_a_broken_mbpp_row_is_named(tmp_path, changes, expected):
    message = refusal(write(tmp_path / "set.jsonl", mbpp(), mbpp(602, **changes)))
    assert "line 2" in message
    assert expected in message


@pytest.mark.parametrize("prompt", ["def other(x):\n", "def jump(x:\n", "x = 1\n"])
def test_a_humaneval_row_whose_prompt_lacks_the_function_is_named(tmp_path, prompt):
    message = refusal(write(tmp_path / "set.jsonl", humaneval(prompt=prompt)))
    assert "line 1: not a problem of the format humaneval" in message


def test_missing_files_folders_and_damaged_archives(tmp_path):
    assert "no such file" in refusal(str(tmp_path / "none.jsonl"))
    assert f"{tmp_path / 'none.jsonl'}: no such file" in refusal(f"mbpp:{tmp_path}/none.jsonl#dev")
    assert "a folder" in refusal(str(tmp_path))
    for name, content in (("a.jsonl.gz", b"not gz"), ("b.jsonl.gz", b"\x1f\x8b\x08\x00cut")):
        (tmp_path / name).write_bytes(content)
        assert "cannot be read" in refusal(str(tmp_path / name))
    whole = tmp_path / "c.jsonl.gz"
    write(whole, *(mbpp(n) for n in range(1, 50)))
    whole.write_bytes(whole.read_bytes()[:-20])
    assert "cannot be read" in refusal(str(whole))


def test_parts_that_do_not_fit(tmp_path):
    path = write(tmp_path / "set.jsonl", mbpp())
    assert "none of its 1 problems is in #1-5" in refusal(f"{path}#1-5")
    assert "write the smaller id first" in refusal(f"{path}#5-1")
    assert "its splits are train, dev, test" in refusal(f"{path}#validate")
    mine = write(tmp_path / "mine.jsonl", native(id="no number"))
    assert "native has no named splits" in refusal(f"{mine}#train")
    assert "does not end in a number" in refusal(f"{mine}#1-5")
