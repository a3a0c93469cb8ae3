"""One sample's watcher, fed as an engine feeds it: tokens with their bytes, some forced."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localdistill.backends.endings import Watcher
from localdistill.backends.llama_model import LlamaModel
from localdistill.sampling import Sampling
from localdistill.thinking import CLOSING
from tests.backends.reference import SEED_MODEL

CODE = "```python\ndef f(x):\n    return x\n```"
# The closing as some vocabulary has it: the tag is one token, or is spelt out.
ONE = [b"\n", b"</think>", b"\n\n"]
SPELT = [b"\n</", b"th", b"ink", b">\n", b"\n"]


class Run:
    """Feeds texts; tokens of the closing have the numbers -1, -2, ..."""

    def __init__(self, closing=ONE, **options):
        thinking_opened = options.pop("thinking_opened", False)
        entry_point = options.pop("entry_point", None)
        self.closing = closing
        self.watcher = Watcher(
            Sampling(**options),
            thinking_opened=thinking_opened,
            closing=[-1 - number for number in range(len(closing))],
            entry_point=entry_point,
        )
        self.text = b""
        self.drawn = 0
        self.ended = None

    def say(self, text, size=4):
        """Tokens of ``size`` bytes; forced ones come between them."""
        data = text.encode()
        for start in range(0, len(data), size):
            self.force()
            if self.ended is None:
                self.drawn += 1
                piece = data[start : start + size]
                self._feed(crc32(piece) >> 2, piece)
        return self

    def force(self):
        while self.ended is None and self.watcher.forced is not None:
            token = self.watcher.forced
            self._feed(token, self.closing[-1 - token])
        return self

    def _feed(self, token, piece):
        self.text += piece
        self.ended = self.watcher.feed(token, piece)

    def split(self):
        text = self.text.decode(errors="replace")
        parts = self.watcher.divide(text)
        # A cut takes the end of the answer only.
        assert parts.whole == text if self.ended != "code_block" else text.startswith(parts.whole)
        return parts.thinking, parts.answer


def test_without_any_ending_everything_is_let_through():
    run = Run(end_loops=False).say(f"<think>x</think>{CODE}\n" + "again\n" * 1000)
    assert run.ended is None
    assert run.split()[0] == "x"


def test_a_code_block_ends_it_at_its_fence():
    run = Run(stop_at_code=True).say(f"Here:\n{CODE}\n\nThis function", size=3)
    assert run.ended == "code_block"
    assert run.split() == (None, f"Here:\n{CODE}")
    assert Run().say(f"{CODE}\n").ended is None


def test_the_entry_point_is_what_a_code_block_has_to_define():
    assert Run(stop_at_code=True, entry_point="g").say(f"{CODE}\nMore").ended is None
    assert Run(stop_at_code=True, entry_point="f").say(f"{CODE}\nMore").ended == "code_block"


def test_a_loop_ends_it():
    run = Run().say("def f():\n" + "    pass\n" * 400, size=9)
    assert run.ended == "repetition"
    assert run.drawn < 400
    assert run.split()[1].startswith("def f():\n    pass\n")
    assert Run(end_loops=False).say("    pass\n" * 400, size=9).ended is None


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("opened", [True, False])
def test_a_code_block_in_the_thinking_does_not_end_it(opened, size):
    opening = "" if opened else "\n<think>\n"
    run = Run(stop_at_code=True, thinking_opened=opened)
    run.say(f"{opening}Try\n{CODE}\nor\n{CODE}\n", size)
    assert run.ended is None
    run.say("</think>\n\nSo:\n", size)
    assert run.ended is None
    run.say(f"{CODE}\nThis", size)
    assert run.ended == "code_block"
    assert run.split() == (f"Try\n{CODE}\nor\n{CODE}", f"So:\n{CODE}")


def test_an_answer_that_begins_like_the_tag_is_an_answer():
    run = Run(stop_at_code=True, max_thinking_tokens=1).say(f"<thin>\n{CODE}\n.", size=2)
    assert run.ended == "code_block"
    assert run.split() == (None, f"<thin>\n{CODE}")


def test_a_tag_later_in_the_answer_opens_no_thinking():
    run = Run(stop_at_code=True, max_thinking_tokens=1).say(f"About <think>:\n{CODE}\n.")
    assert run.ended == "code_block"
    assert run.split() == (None, f"About <think>:\n{CODE}")


def test_a_loop_in_the_thinking_ends_it():
    run = Run(thinking_opened=True).say("Wait, " * 1000, size=6)
    assert run.ended == "repetition"
    assert run.split()[1] == ""


@pytest.mark.parametrize("closing", [ONE, SPELT])
@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("budget", [1, 2, 5])
def test_the_budget_closes_the_thinking(budget, opened, closing):
    run = Run(closing, max_thinking_tokens=budget, thinking_opened=opened, stop_at_code=True)
    if not opened:
        run.say("<think>", size=7)
        assert run.watcher.forced is None
    run.say("hm, " * budget, size=4)
    assert run.watcher.forced == -1
    run.force()
    assert run.watcher.forced is None
    assert run.text.decode().endswith("hm, " + CLOSING)
    run.say(f"So:\n{CODE}\nMore")
    assert run.ended == "code_block"
    assert run.split() == (("hm, " * budget).strip(), f"So:\n{CODE}")


def test_who_stops_thinking_within_the_budget_is_not_forced():
    run = Run(max_thinking_tokens=3, thinking_opened=True)
    run.say("hm, hm, ").say("</think>", size=8)
    assert run.watcher.forced is None
    run.say("and so on and so on and so on")
    assert run.watcher.forced is None
    assert run.text.count(b"</think>") == 1


def test_an_answer_without_thinking_has_no_budget():
    run = Run(max_thinking_tokens=1).say("one two three four")
    assert run.text == b"one two three four"


def test_without_tokens_to_close_with_nothing_is_forced():
    watcher = Watcher(Sampling(max_thinking_tokens=1), thinking_opened=True)
    for _ in range(9):
        watcher.feed(1, b"hm")
        assert watcher.forced is None


def test_a_second_closing_tag_is_not_part_of_the_answer():
    run = Run(max_thinking_tokens=1, thinking_opened=True).say("hm, ").force()
    run.say("\n</think>\n\nanswer")
    assert run.split() == ("hm,", "answer")


def test_thinking_that_is_not_closed_at_the_limit_has_no_answer():
    run = Run(stop_at_code=True).say(f"<think>\n{CODE}\n")
    assert run.ended is None
    assert run.split() == (CODE, "")


def test_a_token_without_text_changes_nothing():
    run = Run(stop_at_code=True, max_thinking_tokens=9)
    run.watcher.feed(7, b"")
    run.say("<think>hm</think>")
    run.watcher.feed(7, b"")
    run.say(f"{CODE}\n.")
    assert run.ended == "code_block"
    assert run.split() == ("hm", CODE)


PARTS = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "```", "\n", "def f():", " ", "x", "é", "<", "think>", "python"]
    ),
    max_size=30,
).map("".join)


@given(PARTS, st.booleans(), st.integers(1, 9))
def test_how_a_text_is_cut_into_tokens_does_not_matter(text, opened, size):
    def ends(size):
        run = Run(stop_at_code=True, end_loops=False, thinking_opened=opened).say(text, size)
        return run.ended, run.split() if run.ended else None

    assert ends(size) == ends(1000)


@given(PARTS, st.booleans(), st.integers(1, 9), st.integers(1, 5))
def test_thinking_never_exceeds_its_budget(text, opened, size, budget):
    run = Run(stop_at_code=True, max_thinking_tokens=budget, thinking_opened=opened)
    run.say(text, size)
    if run.ended is None:
        run.force()
    thinking, _ = run.split()
    # Its tokens, and what a tag's token may hold besides.
    assert len((thinking or "").encode()) <= (budget + 2) * size


@pytest.mark.real
def test_the_tokens_of_a_real_vocabulary():
    model = LlamaModel(SEED_MODEL, gpu_layers=0)
    try:

        def end(text, **options):
            watcher = Watcher(Sampling(**options))
            tokens = model.tokenize(text)
            for number, token in enumerate(tokens, start=1):
                ended = watcher.feed(token, model.text([token]).encode())
                if ended:
                    return ended, watcher.divide(model.text(tokens[:number])).answer
            return None, watcher.divide(model.text(tokens)).answer

        assert end(f"{CODE}\nThis is it.", stop_at_code=True) == ("code_block", CODE)
        assert end(f"{CODE}\nThis is it.") == (None, f"{CODE}\nThis is it.")
        assert end("```\n" * 400)[0] == "repetition"
        assert end("    return x\n" * 400)[0] == "repetition"
    finally:
        model.close()
