import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localdistill.problems.extract import extract_code
from localdistill.types import Problem

F = Problem(id="1", prompt="p", entry_point="f")
PROGRAM = Problem(id="1", prompt="p")
METHOD = Problem(id="1", prompt="p", entry_point="Solution.run")
CODE = "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    "info", ["", "python", "py", "python3", " python ", "{.python}", "Python title=a"]
)
@pytest.mark.parametrize("mark", ["```", "~~~", "`````"])
def test_a_fenced_block_whatever_its_fence(mark, info):
    assert extract_code(f"Sure:\n{mark}{info}\n{CODE}{mark}\nDone.", F) == CODE


@pytest.mark.parametrize(
    "definition",
    [
        CODE,
        "async def f(x): pass\n",
        "f = len\n",
        "f: object = len\n",
        "class f: pass\n",
        "x = 1\nf=1\n",
    ],
)
def test_the_last_block_that_defines_the_entry_point(definition):
    before, after = "```\ndef f(): old\n```\n", "Try it:\n```\nprint(f(1))\nf == 1\n```\n"
    assert extract_code(f"{before}```python\n{definition}```\n{after}", F) == definition


@pytest.mark.parametrize(
    "other", ["def ff(x): pass\n", "    def f(self): pass\n", "f(1)\n", "f == 1\n", "# def f\n"]
)
def test_what_only_looks_like_a_definition(other):
    assert extract_code(f"```\n{CODE}```\n```\n{other}```", F) == CODE


def test_a_method_is_defined_by_its_class():
    code = "class Solution:\n    def run(self): pass\n"
    assert extract_code(f"```\n{code}```\n```\nSolution().run()\n```", METHOD) == code


def test_without_a_definition_it_is_the_last_block():
    text = "```\nfirst\n```\n```\nlast\n```\n```\n\n```\n"
    assert extract_code(text, F) == "last\n"
    assert extract_code(text, PROGRAM) == "last\n"


def test_without_a_fence_it_is_the_whole_text():
    assert extract_code(CODE, F) == CODE
    assert extract_code("I cannot do that.", F) == "I cannot do that."
    assert extract_code("use ```f(x)``` for it", F) == "use ```f(x)``` for it"


@pytest.mark.parametrize("text", ["", " \n\t\r\n", "```", "```python\n\n```", "text\n```\n```\n"])
def test_nothing_is_no_code(text):
    assert extract_code(text, F) is None


def test_a_block_that_was_cut_off_reaches_to_the_end():
    assert extract_code("```python\ndef f(x):\n    ret", F) == "def f(x):\n    ret\n"


def test_indented_fences_take_their_indentation_off_the_code():
    text = "1. Do this:\n\n   ```python\n   def f(x):\n       return x\n   ```\n"
    assert extract_code(text, F) == CODE
    less = "   ```\n  a\n b\nc\n   ```"
    assert extract_code(less, PROGRAM) == "a\nb\nc\n"


def test_windows_line_ends_and_byte_order_mark():
    assert extract_code("```python\r\ndef f(x):\r\n    return x\r\n```\r\n", F) == CODE
    assert extract_code("\ufeffdef f(x):\r\n    return x\r\n", F) == CODE


def test_a_longer_fence_holds_shorter_ones_and_the_other_kind():
    inner = 'DOC = """\n```\nx\n```\n~~~\n"""\n'
    assert extract_code(f"````\n{inner}````\n", PROGRAM) == inner


def test_a_forgotten_closing_fence_before_the_next_block():
    assert extract_code(f"```python\nold = 1\n```python\n{CODE}```\n", F) == CODE


def test_line_separators_other_than_newline_stay_in_the_code():
    code = "def f(x):\n    return '\x0c\u2028'\n"
    assert extract_code(f"```\n{code}```", F) == code


def test_nothing_is_added_for_a_program_that_forgot_its_imports():
    assert extract_code("```\ndef f(x: List[int]): pass\n```", F) == "def f(x: List[int]): pass\n"


PIECES = st.sampled_from(
    [
        "```",
        "~~~",
        "````",
        "python",
        "\n",
        "\r\n",
        " ",
        "\t",
        "def f(x):",
        "f",
        "=",
        "x",
        "\ufeff",
        "\x00",
        "é",
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join), st.sampled_from([F, PROGRAM, METHOD]))
def test_any_text_gives_code_of_that_text_or_none(text, problem):
    code = extract_code(text, problem)
    assert code is None or code.strip()
    for line in (code or "").split("\n"):
        assert line in text


@given(st.text(), st.text(min_size=1, max_size=8))
def test_it_never_raises(text, entry_point):
    extract_code(text, Problem(id="1", prompt="p", entry_point=entry_point))


@given(
    st.lists(
        st.text(st.characters(exclude_characters="`~\r\ufeff\n", exclude_categories=["Cs"])),
        min_size=1,
    )
)
def test_what_was_fenced_comes_back(lines):
    code = "\n".join(lines) + "\n"
    expected = code if code.strip() else None
    assert extract_code(f"Text\n```python\n{code}```\nText", PROGRAM) == expected


@pytest.mark.parametrize(
    "text", ["```\n" * 200_000, " " * 1_000_000, "f" + " " * 300_000, "`" * 500_000, "f:" * 300_000]
)
def test_long_texts_take_time_in_proportion(text):
    began = time.process_time()
    extract_code(text, F)
    extract_code(f"```\n{text}", F)
    assert time.process_time() - began < 5


THOUGHT = "Maybe:\n```python\ndef f(x): wrong\n```\nNo."


@pytest.mark.parametrize("answer", [f"```python\n{CODE}```", CODE])
@pytest.mark.parametrize("opening", ["<think>", "\n <think>\n", "\ufeff<think>\r\n", ""])
def test_what_was_thought_before_the_answer_is_not_searched(opening, answer):
    assert extract_code(f"{opening}{THOUGHT}\n</think>\n\n{answer}", F) == CODE


@pytest.mark.parametrize(
    "text", [f"<think>{THOUGHT}", "<think>", f"<think>\n{THOUGHT}\n</think>\n"]
)
def test_thinking_without_an_answer_is_no_code(text):
    assert extract_code(text, F) is None


@pytest.mark.parametrize(
    "code",
    [
        'def f(x):\n    return x.split("<think>")[0] + "</think>"\n',
        'X = """\n</think>\n"""\ndef f(x): return X\n',
        'X = """\n<think>\n</think>\n"""\ndef f(x): return X\n',
    ],
)
def test_the_tags_in_an_answer_are_text_like_any_other(code):
    assert extract_code(f"It is about <think> and </think>:\n```\n{code}```\n", F) == code
    assert extract_code(f"```\n{code}```\n", F) == code
