"""Servers of several makes: what each is asked for, and whose log-probabilities it gives."""

import pytest

from localdistill.errors import ConfigError
from tests.backends.fault_server import logprobs, ordinary
from tests.backends.openai_helpers import only

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
