"""The end of the first complete block in a growing text, against the blocks of the whole text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localdistill.backends.code_blocks import CodeBlocks
from localdistill.problems.extract import extract_code
from localdistill.types import Problem

F = Problem(id="1", prompt="p", entry_point="f")
CODE = "def f(x):\n    return x\n"


def run(text, entry_point=None, size=1):
    """The text up to where it ends, and as it is cut then; (None, None) if it does not end."""
    data = text.encode()
    blocks = CodeBlocks(entry_point)
    for start in range(0, len(data), size):
        if blocks.feed(data[start : start + size]):
            whole = data[: start + size].decode(errors="replace")
            return whole, blocks.cut(whole)
    return None, None


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("end", ["\n", "\n\nThis", "  \n", "\r\n"])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("```python", "```"),
        ("```", "```"),
        ("~~~py", "~~~"),
        ("   ```python", "   ```"),
        ("````", "`````"),
        ("Use ``f``, as in `f(1)`:\n```", "```"),
    ],
)
def test_it_ends_with_the_line_that_closes_the_block(opening, closing, end, size):
    wanted = f"{opening}\n{CODE}{closing}"
    whole, cut = run(f"{wanted}{end} is it.\n{wanted}\n", size=size)
    assert cut == wanted
    assert whole.startswith(wanted)
    assert size > 3 or len(whole) <= len(wanted + end) + size


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{CODE}",
        f"```python\n{CODE}```",  # may still become ```python
        f"```python\n{CODE}``\n~~~\n",
        f"````\n{CODE}```\n",
        f"```python\n{CODE}```python\n",  # the first was not closed
        f'```python\n{CODE}    return "```"\n# ```\n',
        "```bash\npip install numpy\n```\n",
        "```\nprint(f(1))\nassert f(2) == 2\n```\n",
        "```\n1\n2\n```\n",
        f"Inline ```code``` only\n{CODE}",
        "```\n```\n~~~\n~~~\n",
        CODE,
    ],
)
def test_what_is_no_complete_program(text):
    assert run(text) == (None, None)


@pytest.mark.parametrize(
    "code",
    [
        "async def f(x): pass",
        "class A:\n    pass",
        "import sys\nfor line in sys.stdin:\n    print(line)",
        "print(int(input()))",
        "data = open(0).read()",
    ],
)
def test_programs_where_no_name_is_asked_for(code):
    example = "```\n$ python f.py\n```\n"
    assert run(f"{example}```\n{code}\n```\n")[1] == f"{example}```\n{code}\n```"


def test_where_a_name_is_asked_for_only_its_definition_counts():
    helper = "```python\ndef helper(): pass\n```\n"
    text = f"{helper}{helper}```python\n{CODE}```\n{helper}"
    assert run(text, "f")[1] == f"{helper}{helper}```python\n{CODE}```"
    assert run(text)[1] == helper.rstrip()
    assert run(helper * 3, "f") == (None, None)
    assert run("```\nf = len\n```\n", "f")[1] == "```\nf = len\n```"
    method = "```\nclass Solution:\n    def run(self): pass\n```\n"
    assert run(method, "Solution.run")[1] == method.rstrip()


PIECES = st.sampled_from(
    [
        "```\n",
        "\n```\n",
        "def f():\n",
        "~~~\n",
        "```",
        "~~~",
        "`",
        "````",
        "python",
        "\n",
        "\r\n",
        " ",
        "def f():",
        "f",
        "=",
        "x",
        "é",
        "\ufeff",
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


@given(TEXTS, st.integers(1, 7))
def test_what_it_ends_with_is_what_would_be_taken_out_of_the_text(text, size):
    whole, cut = run(text, "f", size)
    if cut is None:
        return
    code = extract_code(cut, F)
    assert whole.startswith(cut)
    assert code == extract_code(whole[: len(cut) + 1], F)
    # Nothing before that line held it, so it is the block that has just been closed.
    still_open = extract_code(cut[: cut.rindex("\n") + 1], F)
    assert still_open == f"{code}\n"
    assert cut.splitlines()[-1].strip()[:3] in ("```", "~~~")


@given(TEXTS)
def test_how_a_text_is_cut_into_tokens_does_not_matter(text):
    ends = {run(text, "f", size)[1] for size in (1, 2, 3, 10_000)}
    assert len(ends) == 1


@given(st.lists(st.binary(max_size=6), max_size=30))
def test_bytes_that_are_no_text_are_no_error(pieces):
    blocks = CodeBlocks()
    for piece in [b"```\ndef f():\n", *pieces, b"\n"]:
        assert not blocks.feed(piece) or b"```" in b"".join(pieces)
