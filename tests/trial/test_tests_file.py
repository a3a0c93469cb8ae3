"""Tests that a person gives with a prompt."""

import json

import pytest

from localdistill.errors import ConfigError
from localdistill.trial_tests import read_tests


@pytest.fixture
def read(tmp_path):
    def of(text, name="tests.py"):
        path = tmp_path / name
        path.write_text(text)
        return read_tests(path)

    return of


def test_asserts_in_python_with_what_stands_before_them(read):
    found = read('import math\n\nassert f(1) == 2, "one"\nx = 3\nassert f(\n    x\n) == math.pi\n')
    assert found["tests"] == {
        "kind": "asserts",
        "setup": "import math\nx = 3",
        "asserts": ['assert f(1) == 2, "one"', "assert f(\n    x\n) == math.pi"],
    }


@pytest.mark.parametrize(
    "text", ["assert f(1) == 1", '{"kind": "asserts", "asserts": ["assert f(1) == 1"]}']
)
def test_a_byte_order_mark_is_no_part_of_the_tests(read, text):
    assert read(f"\ufeff{text}") == read(text)


def test_tests_in_the_native_format_alone_or_in_a_problem(read):
    tests = {"kind": "call", "cases": [{"args": [1], "expected": 2}]}
    row = {"id": "a", "prompt": "b", "entry_point": "f", "tests": tests, "time_limit_s": 2}
    assert read(json.dumps(row)) == {"entry_point": "f", "tests": tests, "time_limit_s": 2}
    alone = {"kind": "stdin", "cases": [{"input": "1", "output": "2"}]}
    assert read(json.dumps(alone)) == {"tests": alone}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "no assert at its top level"),
        ("assert f(1) ==\n", "neither Python nor JSON"),
        ('{"tests": ', "not JSON"),
        ('{"prompt": "a"}', "has no tests"),
        ('{"kind": "call", "cases": []}', "need an entry_point"),
        ('{"tests": {"kind": "call", "cases": 3}, "entry_point": "f"}', "cases"),
    ],
)
def test_a_file_that_holds_no_tests_is_one_line(read, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_tests(tmp_path / "none.py")
