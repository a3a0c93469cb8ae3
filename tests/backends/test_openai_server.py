"""The generator that draws from a server, against one that fails in every way."""

import signal
import threading
import time
from email.utils import formatdate

import pytest

from localdistill.backends.base import GenerationRequest
from localdistill.backends.openai_client import Retry
from localdistill.backends.openai_server import OpenAIServerGenerator
from localdistill.errors import ConfigError, ServerError, UserError
from localdistill.sampling import Sampling
from localdistill.types import Message
from tests.backends.fault_server import DROP, HANG, FaultServer, logprobs, ordinary

LONG = 120  # seconds after which a wait of a test has failed


class FakeTime:
    """A clock that only pauses move, so that nobody waits."""

    def __init__(self):
        self.now, self.pauses = 0.0, []

    async def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def retry(self, **changes):
        values = {"sleep": self.sleep, "clock": lambda: self.now, "jitter": lambda: 1.0}
        return Retry(**{**values, **changes})


@pytest.fixture
def clock():
    return FakeTime()


@pytest.fixture
def serve():
    servers = []

    def start(*arguments, **options):
        servers.append(FaultServer(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def connect(clock):
    generators = []

    def start(server, slots=1, model="m", environment=None, timeout_s=LONG, retry=None, **sampling):
        url = server if isinstance(server, str) else server.url
        generators.append(
            OpenAIServerGenerator(
                url,
                model,
                Sampling(**{"max_tokens": 8, **sampling}),
                slots=slots,
                timeout_s=timeout_s,
                retry=retry or clock.retry(),
                environment=environment or {},
            )
        )
        return generators[-1]

    yield start
    for generator in generators:
        generator.close()


def requests(problems=1, samples=1):
    return [
        GenerationRequest(f"p{problem}", sample, [Message(role="user", content="hi")], 100 + sample)
        for problem in range(problems)
        for sample in range(samples)
    ]


def only(generator):
    (row,) = generator.generate(requests())
    return row


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
    ("message", "text", "thinking"),
    [
        ({"content": "code", "reasoning_content": "hm"}, "code", "hm"),
        ({"content": "\n\ncode", "reasoning": "hm"}, "code", "hm"),
        ({"content": None, "reasoning": "hm"}, "", "hm"),
        ({"content": "<think>\nhm\n</think>\n\ncode"}, "code", "hm"),
        ({"content": "hm\n</think>\n\ncode"}, "code", "hm"),
        ({"content": "<think>\nhm, and cut"}, "", "hm, and cut"),
        ({"content": "code"}, "code", None),
        (
            {"content": [{"type": "text", "text": "co"}, {"type": "text", "text": "de"}]},
            "code",
            None,
        ),
        ({"content": None, "tool_calls": []}, "", None),
    ],
)
def test_thinking_is_kept_apart(serve, connect, message, text, thinking):
    def answer(body, _):
        found = ordinary(body)
        found["choices"][0]["message"] = message
        return found

    row = only(connect(serve(answer)))
    assert (row.text, row.thinking) == (text, thinking)


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


# Makes


def body_at(serve, connect, owner, **sampling):
    server = serve(models={"data": [{"id": "m", "owned_by": owner}]})
    generator = connect(server, **sampling)
    only(generator)
    return server.bodies[0], " ".join(generator.notes)


def test_llama_server_is_asked_for_the_order(serve, connect):
    asked = {"temperature": 1.6, "top_k": 20, "top_p": 0.8, "min_p": 0.1}
    body, notes = body_at(serve, connect, "llamacpp", **asked, max_thinking_tokens=50)
    assert body["samplers"] == ["temperature", "top_k", "top_p", "min_p"]
    assert {name: body[name] for name in asked} == asked
    assert body["max_tokens"] == 8
    assert body["thinking_budget_tokens"] == 50
    assert body["stream"] is False
    assert notes == ""
    body, _ = body_at(serve, connect, "llamacpp", order="llama.cpp", **asked)
    assert body["samplers"] == ["top_k", "top_p", "min_p", "temperature"]


def test_a_truncation_that_is_off_is_switched_off_also_where_a_server_has_a_default(serve, connect):
    vllm, _ = body_at(serve, connect, "vllm")
    assert (vllm["top_k"], vllm["min_p"], vllm["repetition_penalty"]) == (-1, 0.0, 1.0)
    ours, _ = body_at(serve, connect, "me")
    assert (ours["top_k"], ours["min_p"], ours["repeat_penalty"]) == (0, 0.0, 1.0)


def test_vllm_cuts_by_min_p_first_which_is_said_where_it_matters(serve, connect):
    _, notes = body_at(serve, connect, "vllm", temperature=1.6, top_p=0.8, min_p=0.1)
    assert "min-p before top-p" in notes
    _, notes = body_at(serve, connect, "vllm", temperature=1.6, top_k=20, min_p=0.1)
    assert notes == ""


def test_a_server_of_unknown_make_gets_only_what_was_asked_for(serve, connect):
    body, notes = body_at(serve, connect, "somebody")
    assert not {"top_k", "min_p", "samplers"} & set(body)
    assert "not documented" in notes
    body, notes = body_at(serve, connect, "somebody", temperature=1.6, top_k=20, top_p=0.8)
    assert body["top_k"] == 20
    assert "the order 'paper' cannot be told" in notes


@pytest.mark.parametrize(
    ("owner", "sampling", "words"),
    [
        ("library", {"top_k": 20}, "Ollama ignores --top-k"),
        ("library", {"top_k": 20, "min_p": 0.1}, "Ollama ignores --top-k and --min-p"),
        ("vllm", {"temperature": 2, "top_p": 0.8, "order": "llama.cpp"}, "--sampler-order paper"),
        ("me", {"temperature": 2, "top_p": 0.8}, "--sampler-order llama.cpp"),
    ],
)
def test_what_a_make_is_known_not_to_do_is_refused(serve, connect, owner, sampling, words):
    with pytest.raises(ConfigError, match=words):
        body_at(serve, connect, owner, **sampling)


def test_a_limit_for_thinking_that_a_make_lacks_is_said(serve, connect):
    body, notes = body_at(serve, connect, "me", max_thinking_tokens=9)
    assert "llama_cpp.server has no limit for thinking" in notes
    assert 9 not in body.values()


@pytest.mark.parametrize("sampling", [{"temperature": 1.6, "top_k": 20}, {"top_p": 0.8}])
def test_an_order_that_changes_nothing_is_not_refused(serve, connect, sampling):
    body_at(serve, connect, "me", **sampling)


def test_ollama_is_known_by_its_answers_where_the_model_has_another_owner(serve, connect):
    def as_ollama(body, *_):
        return ordinary(body, system_fingerprint="fp_ollama")

    server = serve(as_ollama, models={"data": [{"id": "m", "owned_by": "bob"}]}, trials=as_ollama)
    generator = connect(server)
    only(generator)
    assert any("Ollama adds the model's own top-k" in note for note in generator.notes)
    with pytest.raises(ConfigError, match="Ollama ignores --top-k"):
        only(connect(server, top_k=5))


# Log-probabilities: whose they are is measured


def as_drawn(body, *_):
    return ordinary(body, drawn_by=True)


def test_logprobs_of_a_tempered_distribution_are_not_recorded(serve, connect):
    generator = connect(serve(as_drawn, trials=as_drawn), temperature=1.6)
    row = only(generator)
    assert (row.mean_logprob, row.min_logprob, row.token_count) == (None, None, 1)
    assert any("are those it draws by" in note for note in generator.notes)


def test_logprobs_at_temperature_one_are_the_models_own_either_way(serve, connect):
    assert only(connect(serve(as_drawn, trials=as_drawn))).mean_logprob == logprobs()["def"]


def test_logprobs_at_temperature_one_are_not_where_a_server_cuts_off_by_itself(serve, connect):
    models = {"data": [{"id": "m", "owned_by": "library"}]}
    assert only(connect(serve(as_drawn, models, as_drawn))).mean_logprob is None
    assert only(connect(serve(models=models))).mean_logprob is not None


def test_the_models_own_logprobs_are_recorded_at_any_temperature(serve, connect):
    for sampling in ({"temperature": 1.6, "top_k": 2}, {"temperature": 0}, {"top_p": 0.5}):
        assert only(connect(serve(), **sampling)).mean_logprob == logprobs()["def"]


def test_a_server_that_refuses_logprobs_is_asked_without_them(serve, connect):
    def refuses(body, *_):
        if body.get("logprobs"):
            return 500, {"error": {"message": "logprobs is not supported"}}
        return ordinary(body)

    server = serve(refuses, trials=refuses)
    assert only(connect(server)).mean_logprob is None
    assert "logprobs" not in server.bodies[0]


@pytest.mark.parametrize("value", [None, -9999.0, -3.4e38, "low"])
def test_a_token_without_a_logprob_leaves_the_mean_out(serve, connect, value):
    def answer(body, _):
        found = ordinary(body, tokens=("def", "I"))
        found["choices"][0]["logprobs"]["content"][1]["logprob"] = value
        return found

    row = only(connect(serve(answer)))
    assert (row.mean_logprob, row.min_logprob) == (None, None)


@pytest.mark.parametrize(("counted", "recorded"), [(2, True), (3, True), (9, False)])
def test_logprobs_must_be_those_of_all_tokens_but_an_end_token(serve, connect, counted, recorded):
    usage = {"completion_tokens": counted}
    row = only(connect(serve(lambda body, _: ordinary(body, tokens=("def", "I"), usage=usage))))
    assert (row.mean_logprob is not None) == recorded


# Failures that may pass


@pytest.mark.parametrize(
    "failure",
    [
        (429, {"error": "busy"}),
        (500, b"oops"),
        (502, b"<html>"),
        (503, {"error": {"message": "Loading model"}}),
        (504, b""),
        b"not json",
        b"[1]",
        {},
        {"choices": []},
        {"error": {"message": "out of memory"}},
        DROP,
    ],
    ids=str,
)
def test_a_failure_that_passes_is_tried_again_with_growing_pauses(serve, connect, clock, failure):
    server = serve(lambda body, number: failure if number < 3 else ordinary(body))
    assert only(connect(server)).text == "def"
    assert clock.pauses == [0.5, 1.0, 2.0]
    assert all(body == server.bodies[0] for body in server.bodies)


def test_jitter_takes_up_to_half_of_a_pause_and_pauses_are_bounded():
    retry = Retry(first_s=1, longest_s=10, jitter=lambda: 0.0)
    assert [retry.pause(failures) for failures in (1, 2, 5, 5000)] == [0.5, 1.0, 5.0, 5.0]


@pytest.mark.parametrize("told", ["7", "7.5", lambda: formatdate(time.time() + 60, usegmt=True)])
def test_a_server_is_left_alone_for_as_long_as_it_asks(serve, connect, clock, told):
    header = {"Retry-After": told if isinstance(told, str) else told()}
    busy = (429, {}, header)
    server = serve(lambda body, number: busy if number == 0 else ordinary(body))
    only(connect(server))
    (pause,) = clock.pauses
    assert pause == float(told) if isinstance(told, str) else 7 < pause <= 60


def test_a_server_that_asks_for_an_hour_is_not_waited_for(serve, connect, clock):
    server = serve(lambda body, _: (429, {"error": "quota"}, {"Retry-After": "3600"}))
    with pytest.raises(ServerError, match=r"status 429 \(quota\)"):
        only(connect(server))
    assert clock.pauses == []


def test_no_answer_in_time_is_tried_again(serve, connect, clock):
    server = serve(lambda body, number: HANG if number == 0 else ordinary(body))
    assert only(connect(server, timeout_s=0.3)).text == "def"
    assert server.client_left.wait(LONG)
    assert len(clock.pauses) == 1


def test_a_server_that_stays_away_is_given_up_after_a_bounded_time(serve, connect, clock):
    server = serve()
    generator = connect(server)
    wanted = requests(samples=5)
    rows = []
    with pytest.raises(ServerError, match="the same command goes on"):
        for row in generator.generate(wanted):
            rows.append(row)
            if len(rows) == 2:
                server.stop()
    assert len(rows) >= 2
    assert len({row.key for row in rows}) == len(rows)
    assert 200 < clock.now <= 300
    assert generator.stats.in_flight == 0


def test_what_came_beside_a_failure_is_yielded_first(serve, connect):
    both = threading.Barrier(2)

    def answer(body, _):
        both.wait(LONG)
        return ordinary(body) if body["seed"] == 100 else (400, {"error": "no"})

    rows = []
    with pytest.raises(ServerError, match="sample 1"):
        rows.extend(connect(serve(answer), slots=2).generate(requests(samples=2)))


# Failures that do not pass


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (400, {"error": {"message": "top_k must be positive"}}, r"p0, sample 0.*top_k must be"),
        (401, {"error": "no key"}, "LOCALDISTILL_API_KEY or OPENAI_API_KEY"),
        (403, b"", "LOCALDISTILL_API_KEY"),
        (404, {"message": "model m is gone"}, "model m is gone.*/models"),
        (422, {"detail": [{"loc": ["body"], "msg": "not a number"}]}, "status 422 .not a number"),
        (
            400,
            {"error": {"type": "exceed_context_size_error", "message": "exceeds the context size"}},
            "problem p0.*--max-tokens",
        ),
        (400, {"error": {"message": "maximum context length is 512"}}, "longer context"),
        (413, b"", "longer context"),
        (307, b"", "elsewhere"),
        (501, b"", "status 501"),
    ],
    ids=str,
)
def test_what_would_fail_again_is_not_tried_again(serve, connect, clock, status, said, words):
    server = serve(lambda body, _: (status, said))
    with pytest.raises(ServerError, match=words) as caught:
        only(connect(server))
    assert len(server.bodies) == 1
    assert clock.pauses == []
    assert "\n" not in str(caught.value)


def test_no_server_at_all_is_said_at_once(serve, connect, clock):
    server = serve()
    server.stop()
    with pytest.raises(ServerError, match=f"--server {server.url}: no server answers there"):
        connect(server).prepare(requests())
    assert clock.pauses == []


def test_a_server_that_loads_its_model_is_waited_for(serve, connect, clock):
    loading = (503, {"error": {"message": "Loading model"}})
    answers = [loading, loading]

    def trials(body):
        return answers.pop() if answers else ordinary(body)

    generator = connect(serve(trials=trials))
    generator.prepare(requests())
    assert len(clock.pauses) == 2
    assert only(generator).mean_logprob is not None


@pytest.mark.parametrize("models", [b"<html>hello</html>", {"hello": "world"}, [1, 2]])
def test_something_else_than_a_model_server_is_said(serve, connect, models):
    with pytest.raises(ServerError, match=r"no OpenAI-compatible server.*ends in /v1"):
        connect(serve(models=models)).prepare(requests())


@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_the_v1_may_be_left_out(serve, connect, prefix):
    server = serve(prefix=prefix)
    only(connect(server))
    assert server.paths[-1] == prefix + "/chat/completions"


def test_an_unknown_model_is_refused_with_the_nearest_ones(serve, connect):
    names = [f"other-{number}" for number in range(20)] + ["qwen2.5-coder:7b"]
    server = serve(models={"data": [{"id": name} for name in names]})
    with pytest.raises(ServerError, match=r"nearest first: qwen2.5-coder:7b, .* and 15 more"):
        connect(server, model="qwen2.5-coder").prepare(requests())
    assert server.bodies == []


@pytest.mark.parametrize("models", [{"object": "list", "data": None}, {"data": []}])
def test_a_server_without_models_is_said(serve, connect, models):
    with pytest.raises(ServerError, match="offers no model"):
        connect(serve(models=models)).prepare(requests())


@pytest.mark.parametrize("given", ["m", "m:latest", "alias"])
def test_a_model_is_found_by_alias_and_without_ollamas_default_tag(serve, connect, given):
    models = {"data": [{"id": "m:latest", "aliases": ["alias"], "owned_by": "llamacpp"}]}
    server = serve(models=models)
    only(connect(server, model=given))
    assert server.bodies[0]["model"] == ("alias" if given == "alias" else "m:latest")


def test_a_prompt_that_does_not_fit_is_refused_beforehand(serve, connect):
    too_long = (400, {"error": {"type": "exceed_context_size_error", "message": "9 > 8 context"}})
    long = GenerationRequest("long", 0, [Message(role="user", content="hi" * 99)], 1)

    def trials(body):
        return too_long if len(body["messages"][0]["content"]) > 100 else ordinary(body)

    server = serve(trials=trials)
    with pytest.raises(ServerError, match="problem long: does not fit"):
        connect(server).prepare([*requests(3), long])
    assert server.bodies == []


def test_max_tokens_that_vllm_would_refuse_are_refused_beforehand(serve, connect):
    models = {"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 14}]}
    connect(serve(models=models), max_tokens=7).prepare(requests())
    with pytest.raises(ServerError, match="7 tokens and --max-tokens 8, of 14 in all"):
        connect(serve(models=models), max_tokens=8).prepare(requests())


@pytest.mark.parametrize("slots", [0, 5000])
def test_slots_out_of_range_are_refused(connect, slots):
    with pytest.raises(UserError, match="--slots"):
        connect("http://localhost:1", slots=slots)


# Keys and networks


def test_a_key_comes_from_the_environment_and_is_in_no_message(serve, connect):
    key = "sk-very-secret"
    server = serve(lambda body, _: (401, {"error": f"{key} is not known"}))
    with pytest.raises(ServerError) as caught:
        only(connect(server, environment={"OPENAI_API_KEY": key}))
    assert all(headers["Authorization"] == f"Bearer {key}" for headers in server.headers)
    assert key not in str(caught.value)


def test_our_own_variable_goes_before_openais(serve, connect):
    server = serve()
    only(connect(server, environment={"OPENAI_API_KEY": "a", "LOCALDISTILL_API_KEY": "b"}))
    assert server.headers[0]["Authorization"] == "Bearer b"
    server = serve()
    only(connect(server, environment={"LOCALDISTILL_API_KEY": ""}))
    assert "Authorization" not in server.headers[0]


def test_a_short_key_does_not_touch_what_the_model_says(serve, connect):
    assert only(connect(serve(), environment={"OPENAI_API_KEY": "e"})).text == "def"


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(serve, connect, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = serve()
    assert only(connect(server)).text == "def"
    assert only(connect(server.url.replace("127.0.0.1", "localhost"))).text == "def"


# The iterator


def test_closing_the_iterator_ends_what_is_in_flight(serve, connect):
    server = serve(lambda body, number: ordinary(body) if number == 0 else HANG)
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
