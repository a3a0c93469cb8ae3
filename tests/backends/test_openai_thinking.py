"""Answers of a server that begin inside of thoughts, some of them cut off there."""

import pytest

from localdistill.errors import Stopped
from tests.backends.fault_server import ordinary
from tests.backends.openai_helpers import requests

DRAFT = "Perhaps\n```python\ndef f():\n    return 1\n```\nbut no, "
THOUGHT = "hm\n</think>\n\ncode"


def drawn(serve, connect, said, slots=1):
    """Completions of as many samples as there are pairs of a text and how it ended, by sample."""

    def answer(body, number):
        text, finish = said[body["seed"] - 100]
        return ordinary(body, text, finish=finish)

    generator = connect(serve(answer), slots=slots)
    rows = list(generator.generate(requests(samples=len(said))))
    return [(row.text, row.thinking, row.ended_by) for row in sorted(rows, key=lambda r: r.sample)]


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("first", [True, False])
def test_what_was_cut_off_in_thoughts_is_no_answer(serve, connect, slots, first):
    cut, whole = (DRAFT, "length"), (THOUGHT, "stop")
    found = drawn(serve, connect, [cut, cut, whole] if first else [whole, cut, cut], slots)
    told = ("", DRAFT.strip(), "length")
    closed = ("code", "hm", "end_token")
    assert found == ([told, told, closed] if first else [closed, told, told])


def test_where_answers_have_no_thoughts_one_that_was_cut_off_is_an_answer(serve, connect):
    found = drawn(serve, connect, [(DRAFT, "length"), ("code", "stop"), (DRAFT, "length")])
    assert found == [
        (DRAFT, None, "length"), ("code", None, "end_token"), (DRAFT, None, "length"),
    ]  # fmt: skip


def test_no_more_than_some_are_held_back(serve, connect):
    generator = connect(serve(lambda body, _: ordinary(body, DRAFT, finish="length")), slots=1)
    rows = generator.generate(requests(samples=60))
    next(rows)
    assert generator.stats.decoded_tokens < 40  # not all 60 had to come for the first one
    assert len(list(rows)) == 59


def test_what_ended_in_its_thoughts_does_not_decide_for_good(serve, connect):
    found = drawn(serve, connect, [("hm, the end", "stop"), (THOUGHT, "stop"), (DRAFT, "length")])
    assert found[2] == ("", DRAFT.strip(), "length")


def test_what_is_held_back_is_not_lost_by_a_stop(serve, connect):
    def tick(stats):
        if stats.decoded_tokens >= 3:
            raise Stopped

    generator = connect(serve(lambda body, _: ordinary(body, DRAFT, finish="length")), slots=1)
    seen = []
    with pytest.raises(Stopped):
        for row in generator.generate(requests(samples=9), tick):
            seen.append(row.sample)
    assert seen == [0, 1, 2]


def test_where_nothing_tells_what_it_is_it_stays_as_it_came(serve, connect):
    found = drawn(serve, connect, [(DRAFT, "length")] * 3)
    assert found == [(DRAFT, None, "length")] * 3


def test_thoughts_in_a_field_of_their_own_say_that_the_text_is_none(serve, connect):
    def answer(body, number):
        found = ordinary(body, DRAFT, finish="length")
        if body["seed"] == 101:
            found["choices"][0]["message"] = {"content": "code", "reasoning_content": "hm"}
            found["choices"][0]["finish_reason"] = "stop"
        return found

    rows = list(connect(serve(answer)).generate(requests(samples=2)))
    by_sample = {row.sample: (row.text, row.thinking) for row in rows}
    assert by_sample == {0: (DRAFT, None), 1: ("code", "hm")}


class Waiting:
    """Hands out one request, and the next only when the one before has come back."""

    def __init__(self, wanted):
        self.left, self.out, self.blocked = list(wanted), 0, 0

    def take(self, *, wait):
        if self.out and wait:
            raise AssertionError("nobody would ever come")
        if self.out or not self.left:
            return None
        self.out += 1
        return self.left.pop(0)


def test_what_is_held_back_is_given_before_somebody_waits_for_it(serve, connect):
    source = Waiting(requests(samples=3))
    generator = connect(serve(lambda body, _: ordinary(body, DRAFT, finish="length")))
    generator.prepare([])
    seen = []
    for row in generator.generate(source):
        seen.append(row.sample)
        source.out -= 1
    assert seen == [0, 1, 2]
