"""Loops at the end of a sample, against what the definition says of every period."""

from array import array

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localdistill.backends.repetition import (
    MAX_PERIOD,
    TOKENS,
    TOKENS_OF_WORDS,
    TURNS,
    Repetition,
    candidates,
    ends_in_a_loop,
    needed,
    repeats,
)

LATE = 16  # tokens


def ends_at(tokens, pieces):
    """How many tokens were fed when the loop was seen; None if it never was."""
    repetition = Repetition()
    for number, (token, piece) in enumerate(zip(tokens, pieces, strict=True), start=1):
        if repetition.feed(token, piece):
            return number
    return None


def as_tokens(text):
    """A token a character: periods of text are periods of tokens."""
    return [ord(letter) for letter in text], [letter.encode() for letter in text]


def text_ends_at(text):
    return ends_at(*as_tokens(text))


@pytest.mark.parametrize(
    "turn",
    [
        "Wait, that is wrong.\n",
        "Wait.\n",
        "    return x\n",
        "```\n",
        "``````python\n",
        "你好 世界\n",
        "to be or not ",
    ],
)
def test_lines_and_sentences_that_come_again(turn):
    before = "Here is the function that you asked for, with a docstring:\n"
    end = text_ends_at(before + turn * 400)
    assert len(before) < end <= len(before) + TOKENS_OF_WORDS + LATE


@pytest.mark.parametrize(
    "turn", ["0, ", "None,\n", "False, None, ", "#", "\n", " ", "x", "'.', ", "\\x00", "=-"]
)
def test_what_a_table_is_made_of_may_come_again_for_longer(turn):
    assert text_ends_at(f"T = {turn * (TOKENS // len(turn) - 4)}\n{'the end of it ' * 3}") is None
    end = text_ends_at(turn * TOKENS)
    assert TOKENS <= end <= TOKENS + LATE


def test_what_is_repeated_a_few_times_only():
    line = "".join(map(chr, range(1000, 1100)))
    assert text_ends_at(line * (TURNS - 1)) is None
    assert TURNS * 100 <= text_ends_at(line * (TURNS + 1)) <= TURNS * 100 + LATE


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"        case {n}: return {n}\n" for n in range(2000)),
        "".join(f"assert f({n}) == {n * n}\n" for n in range(1000)),
        "".join("x" * n + "\n" for n in range(120)),
        "".join("    " * n + "if x:\n" for n in range(40)),
        ", ".join(str(n) for n in range(5000)),
    ],
)
def test_what_changes_from_turn_to_turn_is_no_loop(text):
    assert text_ends_at(text) is None


def test_a_loop_that_was_left_is_no_loop():
    text = ("again and " * 12 + "that is enough of it, so let us go on with something else. ") * 2
    assert text_ends_at(text) is None


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, 200_000), max_size=300),
    st.lists(st.integers(0, 200_000), min_size=1, max_size=MAX_PERIOD),
    st.sampled_from([b"ab ", b"0, "]),
)
def test_any_loop_is_found_soon(before, turn, piece):
    length = needed(len(turn), [piece])
    tokens = before + (turn * (length // len(turn) + LATE + 1))[: length + LATE]
    end = ends_at(tokens, [piece] * len(tokens))
    assert end is not None
    assert end <= len(before) + length + LATE


# Turns of a few tokens, repeated some number of times, one after the other: nearly loops.
NEARLY = st.lists(
    st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=20), st.integers(1, 120)), max_size=6
).map(lambda parts: [token for turn, times in parts for token in turn * times][:1500])


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(NEARLY, st.sampled_from([b"ab ", b"0, "]))
def test_nothing_is_a_loop_but_what_the_definition_says(tokens, piece):
    end = ends_at(tokens, [piece] * len(tokens))
    if end is not None:
        assert any(is_loop(tokens[:end], period, piece) for period in range(1, MAX_PERIOD + 1))
    for looked in range(TOKENS_OF_WORDS, end or len(tokens), LATE):
        some = tokens[:looked]
        assert not any(is_loop(some, period, piece) for period in range(1, MAX_PERIOD + 1))


def is_loop(tokens, period, piece):
    length = needed(period, [piece])
    tail = tokens[-length:]
    return len(tokens) >= length and all(
        tail[at] == tail[at - period] for at in range(period, length)
    )


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 1), min_size=40, max_size=200))
def test_candidates_are_all_places_of_the_last_tokens(tokens):
    expected = [
        back
        for back in range(1, len(tokens) - 31)
        if tokens[-32:] == tokens[len(tokens) - 32 - back : len(tokens) - back]
    ]
    assert candidates(array("i", tokens).tobytes()) == expected


def test_tokens_are_compared_and_not_bytes():
    assert candidates(array("i", [0] * 33).tobytes()) == [1]  # equal at every byte
    tokens = array("i", [0x10000] * 33).tobytes()
    assert candidates(tokens) == [1]
    assert repeats(tokens, 1, 33)
    assert not repeats(tokens, 1, 34)


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33])
def test_a_text_that_is_too_short_is_no_loop(count):
    assert not ends_in_a_loop(array("i", [7] * count), [b"word "] * count)
