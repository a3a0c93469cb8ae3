import pytest
from hypothesis import given
from hypothesis import strategies as st

from localdistill.thinking import (
    CLOSING,
    after_prompt,
    answer_of,
    divide,
    opened_by,
    rejoin,
    split_thinking,
)

TEXT = st.text(st.sampled_from("a\n <>/think`"), max_size=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\nhm\n</think>\n\nanswer\n", ("hm", "answer\n")),
        (" \n<think>hm</think>answer", ("hm", "answer")),
        ("<think>\n\n</think>\n\n    indented", ("", "    indented")),
        ("<think>hm</think>\n\n</think>\n\nanswer", ("hm", "answer")),
        ("<think>hm</think> a </think> b", ("hm", " a </think> b")),
        ("<think>still", ("still", "")),
        ("<think>", ("", "")),
        ("<thin", (None, "<thin")),
        ("answer <think>x</think>", (None, "answer <think>x</think>")),
        ("", (None, "")),
    ],
)
def test_a_text_that_begins_outside(text, expected):
    assert split_thinking(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hm\n</think>\n\nanswer", ("hm", "answer")),
        ("<think>\nhm\n</think>answer", ("hm", "answer")),
        ("hm <think> hm</think>answer", ("hm <think> hm", "answer")),
        ("still", ("still", "")),
        ("", ("", "")),
    ],
)
def test_a_text_that_begins_in_thinking(text, expected):
    assert split_thinking(text, opened=True) == expected


@pytest.mark.parametrize(
    ("prompt", "opened"),
    [
        ("<|im_start|>assistant\n<think>\n", True),
        ("<|im_start|>assistant\n<think>", True),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", False),
        ("<|im_start|>assistant\n", False),
        ("", False),
    ],
)
def test_a_prompt_tells_where_its_completion_begins(prompt, opened):
    assert opened_by(prompt) is opened


def test_the_closing_closes():
    assert split_thinking(f"hm{CLOSING}answer", opened=True) == ("hm", "answer")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>hm</think>\nanswer", "answer"),
        ("hm\n</think>\n\nanswer", "answer"),
        ("</think>\nanswer", "answer"),
        ("hm </think> hm\n  </think>  \nanswer", "answer"),
        ("about </think> only", "about </think> only"),
        ("```\n</think>\n```", "```\n</think>\n```"),
        ("about <think>\n</think>\nmore", "about <think>\n</think>\nmore"),
    ],
)
def test_the_answer_of_a_text_of_any_origin(text, answer):
    assert answer_of(text) == answer


@given(TEXT, TEXT, st.booleans())
def test_nothing_but_blanks_and_tags_is_lost(thinking, answer, opened):
    thinking = thinking.replace("</think>", "")
    text = ("" if opened else "<think>") + f"{thinking}</think>{answer}"
    found, rest = split_thinking(text, opened=opened)
    assert answer.endswith(rest)
    assert not answer.removesuffix(rest).replace("</think>", "").strip()
    assert found in (thinking.strip(), thinking.strip().removeprefix("<think>").strip())


@given(TEXT)
def test_a_text_without_thinking_comes_back_as_it_is(text):
    if not text.lstrip().startswith("<think>"):
        assert split_thinking(text) == (None, text)


ANY = st.lists(st.sampled_from(["<think>", "</think>", " ", "\n", "\r", "\u00a0", "x", "<"]))


@given(ANY.map("".join), st.booleans())
def test_the_parts_are_the_whole_text_and_can_be_put_together_again(text, opened):
    parts = divide(text, opened=opened)
    assert parts.whole == text
    if parts.thinking is not None:
        assert rejoin(parts.thinking, parts.answer, parts.before, parts.after) == text


@pytest.mark.parametrize(
    ("thinking", "before", "after", "said"),
    [
        ("hm", None, None, "<think>\nhm\n</think>\n\nx"),
        ("\nhm\n", None, None, "<think>\nhm\n</think>\n\nx"),
        ("", None, None, "<think>\n\n</think>\n\nx"),
        ("", None, "</think>", "<think>\n\n</think>\n\nx"),
        ("hm", None, "</think>", "<think>\nhm</think>x"),
        ("hm", "", "</think>", "hm</think>x"),
    ],
)
def test_tags_that_are_not_known_are_the_usual_ones(thinking, before, after, said):
    assert rejoin(thinking, "x", before, after) == said


OPENED = "<|im_start|>assistant\n<think>\n"


@pytest.mark.parametrize(
    ("said", "follows"),
    [
        ("<think>\nhm\n</think>\n\nx", "hm\n</think>\n\nx"),
        ("<think>hm</think>x", "hm</think>x"),
        ("hm\n</think>\n\nx", "hm\n</think>\n\nx"),
        ("x", "\n</think>\n\nx"),
    ],
)
def test_what_was_not_drawn_after_an_opened_prompt_is_made_to_follow_it(said, follows):
    assert after_prompt(OPENED, said, as_drawn=False) == follows
    assert after_prompt(OPENED, said, as_drawn=True) == said
    for closed in ("<|im_start|>assistant\n", f"{OPENED}\n</think>\n\n"):
        assert after_prompt(closed, said, as_drawn=False) == said
