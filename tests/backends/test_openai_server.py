"""The generator that draws from a server: what it asks, and what it makes of answers."""

import signal
import threading

import pytest

from tests.backends.fault_server import HANG, logprobs, ordinary
from tests.backends.openai_helpers import LONG, only, requests

# What is asked and what comes back


def test_every_request_is_answered_once_with_its_own_seed(serve, connect):
    server = serve()
    generator = connect(server, slots=4)
    wanted = requests(problems=5, samples=3)
    rows = list(generator.generate(wanted))
    assert sorted(row.key for row in rows) == sorted(request.key for request in wanted)
    assert all(row.seed == 100 + row.sample for row in rows)
    assert sorted(body["seed"] for body in server.bodies) == sorted(row.seed for row in rows)
    assert generator.stats.decoded_tokens == 15
    assert generator.stats.prefill_tokens == 15 * 7
    assert generator.stats.in_flight == 0
    assert generator.stats.tokens_per_second > 0


def test_as_many_requests_as_slots_are_in_flight_and_no_more(serve, connect):
    together = threading.Barrier(4)
    now, most, lock = [0], [0], threading.Lock()

    def answer(body, number):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait(LONG)  # breaks unless four are there at once
        with lock:
            now[0] -= 1
        return ordinary(body)

    generator = connect(serve(answer), slots=4)
    assert len(list(generator.generate(requests(samples=12)))) == 12
    assert most[0] == 4


def test_a_completion_has_text_counts_end_and_logprobs(serve, connect):
    tokens = ("def", "Sure", "```")
    row = only(connect(serve(lambda body, _: ordinary(body, "def f", tokens))))
    values = [logprobs()[token] for token in tokens]
    assert (row.text, row.finish_reason, row.ended_by) == ("def f", "stop", "end_token")
    assert row.token_count == 3
    assert row.mean_logprob == pytest.approx(sum(values) / 3)
    assert row.min_logprob == pytest.approx(min(values))


def test_tokens_of_a_cached_prompt_are_not_counted_as_computed(serve, connect):
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 5},
    }
    generator = connect(serve(lambda body, _: ordinary(body, usage=usage)))
    only(generator)
    assert generator.stats.prefill_tokens == 2


@pytest.mark.parametrize(
    ("said", "finish", "ended"),
    [
        ("stop", "stop", "end_token"),
        ("eos_token", "stop", "end_token"),
        ("length", "length", "length"),
        ("content_filter", "length", None),
        ("tool_calls", "length", None),
        (None, "length", None),
    ],
)
def test_how_it_ended(serve, connect, said, finish, ended):
    generator = connect(serve(lambda body, _: ordinary(body, finish=said)))
    row = only(generator)
    assert (row.finish_reason, row.ended_by) == (finish, ended)
    assert any(f"'{said}'" in note for note in generator.notes) == (ended is None)


def test_a_completion_that_the_server_gave_up_is_drawn_again(serve, connect):
    ends = ["abort", "error", "stop"]
    server = serve(lambda body, number: ordinary(body, finish=ends[number]))
    assert only(connect(server)).finish_reason == "stop"
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("message", "text", "thinking", "after"),
    [
        ({"content": "code", "reasoning_content": "hm"}, "code", "hm", None),
        ({"content": "\n\ncode", "reasoning": "hm"}, "code", "hm", None),
        ({"content": None, "reasoning": "hm"}, "", "hm", None),
        ({"content": "<think>\nhm\n</think>\n\ncode"}, "code", "hm", "\n</think>\n\n"),
        ({"content": "hm\n</think>\n\ncode"}, "code", "hm", "\n</think>\n\n"),
        ({"content": "\nhm\n\n</think>\ncode"}, "code", "hm", "\n\n</think>\n"),
        ({"content": "<think>\nhm, and cut"}, "", "hm, and cut", ""),
        ({"content": "code"}, "code", None, None),
        (
            {"content": [{"type": "text", "text": "co"}, {"type": "text", "text": "de"}]},
            "code",
            None,
            None,
        ),
        ({"content": None, "tool_calls": []}, "", None, None),
    ],
)
def test_thinking_is_kept_apart(serve, connect, message, text, thinking, after):
    def answer(body, _):
        found = ordinary(body)
        found["choices"][0]["message"] = message
        return found

    row = only(connect(serve(answer)))
    assert (row.text, row.thinking) == (text, thinking)
    # Whether the model or its prompt has opened the thinking cannot be seen.
    assert (row.thinking_before, row.thinking_after) == (None, after)


def test_without_usage_the_listed_tokens_are_counted(serve, connect):
    row = only(connect(serve(lambda body, _: ordinary(body, tokens=("def", "I"), usage=None))))
    assert row.token_count == 2
    assert row.mean_logprob is not None


def test_without_usage_and_logprobs_it_is_said_that_nothing_was_counted(serve, connect):
    def no_logprobs(body, *_):
        return ordinary({**body, "logprobs": False}, usage=None)

    generator = connect(serve(no_logprobs, trials=no_logprobs))
    row = only(generator)
    assert (row.token_count, row.mean_logprob, row.min_logprob) == (0, None, None)
    assert any("no token counts" in note for note in generator.notes)
    assert any("'confidence'" in note for note in generator.notes)


def listing(body, tokens, **changes):
    """An answer whose tokens have the negative of their lengths for log-probabilities."""
    found = ordinary(body, "".join(tokens), tokens=("def",) * len(tokens), **changes)
    for item, token in zip(found["choices"][0]["logprobs"]["content"], tokens, strict=True):
        item |= {"token": token, "logprob": -float(len(token))}
    return found


def test_with_stop_at_code_the_text_is_cut_after_the_first_program(serve, connect):
    tokens = ("```\n", "ls\n", "```\n", "```\n", "def f(): ", "0\n", "```", "\n", "Sure")
    server = serve(lambda body, _: listing(body, tokens))
    row = only(connect(server, stop_at_code=True))
    assert row.text == "".join(tokens[:7])
    assert (row.finish_reason, row.ended_by) == ("stop", "code_block")
    assert row.token_count == 9  # as many as were sampled
    assert row.mean_logprob == pytest.approx(-len(row.text) / 7)
    row = only(connect(server))
    assert (row.text, row.ended_by) == ("".join(tokens), "end_token")


def test_with_stop_at_code_a_text_that_ends_there_or_has_none_stays(serve, connect):
    for tokens in (("```\n", "def f(): 0\n", "```\n"), ("no", " code", "\n")):
        row = only(connect(serve(lambda body, _, t=tokens: listing(body, t)), stop_at_code=True))
        assert (row.text, row.ended_by) == ("".join(tokens), "end_token")


def test_a_loop_is_marked_where_tokens_are_listed(serve, connect):
    server = serve(lambda body, _: listing(body, ("and", " on", " ") * 200, finish="length"))
    row = only(connect(server))
    assert (row.finish_reason, row.ended_by, row.token_count) == ("length", "repetition", 600)
    assert only(connect(server, end_loops=False)).ended_by == "length"


# The iterator


def test_closing_the_iterator_ends_what_is_in_flight(serve, connect):
    others = threading.Semaphore(0)

    def answer(body, number):
        if number:
            others.release()
            return HANG
        for _ in range(2):  # not before the other slots' requests are here
            assert others.acquire(timeout=LONG)
        return ordinary(body)

    server = serve(answer)
    generator = connect(server, slots=3)
    rows = generator.generate(requests(samples=6))
    next(rows)
    rows.close()
    assert server.client_left.wait(LONG)
    assert generator.stats.in_flight == 0
    # And it can be used again.
    server.answer = lambda body, _: ordinary(body)
    assert len(list(generator.generate(requests(samples=2)))) == 2


def test_ctrl_c_ends_a_wait(serve, connect):
    main = threading.main_thread().ident

    def answer(body, _):
        signal.pthread_kill(main, signal.SIGINT)
        return HANG

    server = serve(answer)
    # A process that was started in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            only(connect(server))
    finally:
        signal.signal(signal.SIGINT, before)
    assert server.client_left.wait(LONG)


def test_tick_is_called_while_nothing_comes(serve, connect):
    ticked = threading.Semaphore(0)

    def answer(body, _):
        for _ in range(3):
            assert ticked.acquire(timeout=LONG)
        return ordinary(body)

    seen = []

    def tick(stats):
        seen.append(stats.in_flight)
        ticked.release()

    list(connect(serve(answer)).generate(requests(), tick))
    assert seen[0] == 1
    assert seen[-1] == 0


class Sequel:
    """Hands out the next request only when the one before has come back, and notes the waits."""

    def __init__(self, wanted):
        self.left, self.open, self.waits = list(wanted), 0, []

    def take(self, *, wait):
        self.waits.append((wait, self.open))
        if self.open or not self.left:
            return None
        self.open += 1
        return self.left.pop(0)


def test_a_source_is_waited_for_only_while_nothing_is_in_flight(serve, connect):
    source = Sequel(requests(samples=4))
    generator = connect(serve(), slots=3)
    generator.prepare(source.left)
    rows = []
    for row in generator.generate(source):
        rows.append(row)
        source.open -= 1
    assert [row.sample for row in rows] == [0, 1, 2, 3]
    assert all(wait == (taken == 0) for wait, taken in source.waits)


def test_closing_twice_does_no_harm(serve, connect):
    generator = connect(serve())
    only(generator)
    generator.close()
    generator.close()
