"""Failures of a server that may pass and those that do not; keys and networks."""

import threading
import time
from email.utils import formatdate

import pytest

from localdistill.backends.base import GenerationRequest
from localdistill.backends.openai_client import Retry
from localdistill.errors import ServerError, UserError
from localdistill.types import Message
from tests.backends.fault_server import DROP, HANG, ordinary
from tests.backends.openai_helpers import LONG, only, requests

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
    assert only(connect(server, timeout_s=2)).text == "def"
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
