"""The generator on the bundled seed model."""

import itertools
import shutil

import gguf
import numpy as np
import pytest

from localdistill.backends import llama_decoder
from localdistill.backends.base import GenerationRequest
from localdistill.backends.llama_cpp import LlamaCppGenerator
from localdistill.backends.llama_model import LlamaModel
from localdistill.backends.sample import Sample
from localdistill.errors import ModelError, UserError
from localdistill.sampling import Sampling
from localdistill.thinking import CLOSING
from localdistill.types import Message
from tests.backends.reference import (
    SEED_MODEL,
    OneSequence,
    distribution,
    fits,
)

pytestmark = pytest.mark.real

DISABLED = 0  # llama_flash_attn_type
TIE = 0.05  # logits that close may change places when a batch is added up in another order

PROMPTS = [
    "Write a Python function that reverses a string.",
    "Write a Python function is_even(n).",
    "Write a function that returns the sum of a list of numbers, and nothing else.",
]


def requests(samples, prompts=PROMPTS):
    return [
        GenerationRequest(f"p{number}", sample, [Message(role="user", content=prompt)], sample)
        for number, prompt in enumerate(prompts)
        for sample in range(samples)
    ]


def open_generator(slots=4, **sampling):
    return LlamaCppGenerator(SEED_MODEL, Sampling(**sampling), slots=slots, threads=1)


@pytest.fixture(scope="module")
def model():
    model = LlamaModel(SEED_MODEL, gpu_layers=0)
    yield model
    model.close()


@pytest.fixture(scope="module")
def reference():
    reference = OneSequence(SEED_MODEL)
    yield reference
    reference.close()


@pytest.fixture
def drawn(monkeypatch):
    """Tokens of every completion by its key, the end token included."""
    tokens = {}
    complete = Sample.completion

    def recording(sample):
        tokens[sample.request.key] = list(sample.tokens)
        return complete(sample)

    monkeypatch.setattr(Sample, "completion", recording)
    return tokens


def test_every_request_is_answered_once_with_more_requests_than_slots():
    wanted = requests(7)
    with open_generator(slots=4, max_tokens=24) as generator:
        found = list(generator.generate(wanted))
        assert generator.stats.in_flight == 0
        assert generator.stats.decoded_tokens == sum(row.token_count for row in found)
    assert sorted(row.key for row in found) == sorted(request.key for request in wanted)
    assert len({row.text for row in found}) > 7


def test_a_prompt_is_computed_once_for_all_of_its_samples(model):
    prompts = [model.prompt_tokens([Message(role="user", content=text)]) for text in PROMPTS]
    # All but the last token, and of the second and third prompt what differs from the one before.
    owed = len(prompts[0]) - 1
    for before, prompt in itertools.pairwise(prompts):
        pairs = zip(before[:-1], prompt[:-1], strict=False)
        common = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
        owed += len(prompt) - 1 - len(list(common))
    assert owed < sum(map(len, prompts)) - len(prompts)
    with open_generator(slots=2, max_tokens=4) as generator:
        list(generator.generate(requests(5)))
        assert generator.stats.prefill_tokens == owed


def logprob_errors(model, reference, drawn):
    """Recorded mean log-probabilities minus those of a separate evaluation, nats."""
    wanted = requests(6)
    with open_generator(slots=5, temperature=1.3, top_k=40, max_tokens=40) as generator:
        found = list(generator.generate(wanted))
    prompts = {request.key: model.prompt_tokens(request.messages) for request in wanted}
    assert all(len(drawn[row.key]) == row.token_count for row in found)
    return np.abs(
        [
            row.mean_logprob - reference.mean_logprob(prompts[row.key], drawn[row.key])
            for row in found
        ]
    )


def test_the_mean_logprob_is_that_of_a_separate_evaluation(model, drawn, monkeypatch):
    monkeypatch.setattr(llama_decoder, "_FLASH_ATTENTION", DISABLED)
    reference = OneSequence(SEED_MODEL, flash_attention=False)
    errors = logprob_errors(model, reference, drawn)
    reference.close()
    assert np.median(errors) < 1e-6
    # A sum that comes out on the other side of a rounding border of the 8-bit activations shifts
    # everything after it; measured: up to 1e-3 in a few of thirty.
    assert errors.max() < 5e-3


def test_the_mean_logprob_holds_with_flash_attention(model, reference, drawn):
    # llama.cpp adds up values in 16 bits there, in the order in which they lie in the cache, which
    # depends on the neighbours; measured: up to 5e-3.
    assert logprob_errors(model, reference, drawn).max() < 1e-2


def test_batched_greedy_follows_one_sequence_greedy(model, reference, drawn):
    wanted = requests(2)
    with open_generator(slots=6, temperature=0, max_tokens=48) as generator:
        list(generator.generate(wanted))
    for request in wanted:
        tokens = drawn[request.key]
        rows = reference.logits_after(model.prompt_tokens(request.messages), tokens)
        # Never further from the best token than what another order of additions explains.
        lost = rows.max(axis=1) - rows[np.arange(len(tokens)), tokens]
        assert lost.max() < TIE


def test_greedy_samples_of_one_problem_are_alike():
    with open_generator(slots=4, temperature=0, max_tokens=32) as generator:
        found = list(generator.generate(requests(4, PROMPTS[:1])))
    assert len({row.text for row in found}) == 1


@pytest.mark.parametrize("order", ["paper", "llama.cpp"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": 1.0},
        {"temperature": 1.6, "top_k": 20, "top_p": 0.95},
        {"temperature": 2.5, "top_p": 0.9},
        {"temperature": 1.6, "min_p": 0.05},
        {"temperature": 0.7, "top_k": 3},
    ],
)
def test_tokens_are_drawn_from_the_exact_distribution(model, reference, drawn, order, parameters):
    sampling = Sampling(**parameters, order=order, max_tokens=1)
    draws = 3000
    wanted = requests(draws, PROMPTS[:1])
    with LlamaCppGenerator(SEED_MODEL, sampling, slots=60, threads=1) as generator:
        list(generator.generate(wanted))
    counts = np.bincount([tokens[0] for tokens in drawn.values()], minlength=model.vocab_size)
    logits = reference.logits_after(model.prompt_tokens(wanted[0].messages), [0])[0]
    assert fits(counts, draws * distribution(logits, sampling))


def test_seeds_decide_what_is_drawn():
    with open_generator(slots=4, max_tokens=24) as generator:
        first = {row.key: row.text for row in generator.generate(requests(4))}
        again = {row.key: row.text for row in generator.generate(requests(4))}
    assert first == again
    assert len({first["p0", sample] for sample in range(4)}) > 1


def test_a_fixed_batch_does_not_depend_on_what_came_before():
    wanted = requests(4)
    with open_generator(slots=4, max_tokens=32) as generator:
        generator.prepare(wanted)
        for chunk in (wanted[:4], wanted[4:8]):
            list(generator.generate(chunk))
        after_others = list(generator.generate(wanted[8:]))
    with open_generator(slots=4, max_tokens=32) as generator:
        generator.prepare(wanted)
        alone = list(generator.generate(wanted[8:]))
    assert after_others == alone


def test_the_length_is_bounded_and_said_to_be():
    with open_generator(max_tokens=3, temperature=0) as generator:
        found = list(generator.generate(requests(1)))
    assert [row.finish_reason for row in found] == ["length"] * 3
    assert [row.token_count for row in found] == [3] * 3


def test_an_end_token_stops_and_is_counted_but_not_shown(model, drawn):
    with open_generator(max_tokens=400, slots=8) as generator:
        found = list(generator.generate(requests(8, PROMPTS[:1])))
    stopped = [row for row in found if row.finish_reason == "stop"]
    assert stopped
    for row in stopped:
        tokens = drawn[row.key]
        assert tokens[-1] in model.end_tokens
        assert not model.end_tokens & set(tokens[:-1])
        assert row.token_count == len(tokens)
        assert row.text == model.text(tokens[:-1])


def test_the_context_ends_a_completion_like_its_length_does(model):
    prompt = len(model.prompt_tokens([Message(role="user", content=PROMPTS[0])]))
    with open_generator(slots=2, temperature=0, max_tokens=100) as generator:
        generator._model.trained_context = prompt + 2
        (row,) = generator.generate(requests(1, PROMPTS[:1]))
    assert (row.finish_reason, row.token_count) == ("length", 3)


def test_a_prompt_that_does_not_fit_is_named_with_what_it_needs(model):
    long = "word " * (model.trained_context + 10)
    with (
        open_generator() as generator,
        pytest.raises(UserError, match=r"problem p1: .* needs a context of \d+ tokens"),
    ):
        generator.prepare(requests(1, [PROMPTS[0], long]))


def test_an_abandoned_generation_leaves_nothing_running():
    with open_generator(slots=4, max_tokens=16) as generator:
        unfinished = generator.generate(requests(4))
        next(unfinished)
        unfinished.close()
        assert generator.stats.in_flight == 0
        assert len(list(generator.generate(requests(1)))) == 3


class ThinkingTemplate:
    """As of a model whose template opens its thinking."""

    def __init__(self, template):
        self._template = template

    def render(self, messages):
        return self._template.render(messages) + "<think>\n"


def test_slots_are_bounded():
    with pytest.raises(UserError, match="--slots must be from 1 to 255"):
        open_generator(slots=256)


def test_text_of_split_characters_and_broken_ones(model):
    text = "naïve 🙂 λ\n\tx"
    assert model.text(model.tokenize(text)) == text
    pieces = model.tokenize("🙂")
    if len(pieces) > 1:
        assert "\ufffd" in model.text(pieces[:1])


def test_control_tokens_have_no_text(model):
    assert model.text(sorted(model.end_tokens)) == ""


def test_the_prompt_is_what_llama_cpp_python_renders(model, reference):
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    metadata = reference.llama.metadata
    formatter = Jinja2ChatFormatter(
        template=metadata["tokenizer.chat_template"],
        eos_token=reference.llama._model.token_get_text(reference.llama.token_eos()),
        bos_token="",
    )
    content = 'def f(x):\n    return x < 3  # é & "q"'
    theirs = formatter(messages=[{"role": "user", "content": content}]).prompt
    ours = [Message(role="user", content=content)]
    assert model.template.render(ours) == theirs
    assert model.prompt_tokens(ours) == reference.llama.tokenize(
        theirs.encode(), add_bos=False, special=True
    )


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_refused(tmp_path, share):
    damaged = tmp_path / "cut.gguf"
    shutil.copy(SEED_MODEL, damaged)
    with damaged.open("r+b") as file:
        file.truncate(int(share * SEED_MODEL.stat().st_size))
    with pytest.raises(ModelError, match="download or export it again"):
        LlamaModel(damaged, gpu_layers=0)


def test_random_bytes_behind_a_sound_header_are_refused(tmp_path):
    damaged = tmp_path / "random.gguf"
    noise = np.random.default_rng(0).bytes(100_000)
    damaged.write_bytes(SEED_MODEL.read_bytes()[:24] + noise)
    with pytest.raises(ModelError, match="download or export it again"):
        LlamaModel(damaged, gpu_layers=0)


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0}, {"top_k": 20, "top_p": 0.8}])
def test_a_model_that_computes_no_numbers_is_refused(tmp_path, sampling):
    broken = tmp_path / "nan.gguf"
    shutil.copy(SEED_MODEL, broken)
    reader = gguf.GGUFReader(str(broken), "r+")
    (norm,) = (tensor for tensor in reader.tensors if tensor.name == "output_norm.weight")
    norm.data[:] = np.nan
    reader.data.flush()
    generator = LlamaCppGenerator(broken, Sampling(**sampling), slots=2, threads=1)
    with generator, pytest.raises(ModelError, match="not numbers"):
        list(generator.generate(requests(1)))


def test_thinking_is_kept_apart_and_has_a_budget(drawn):
    generator = open_generator(slots=3, max_tokens=40, max_thinking_tokens=5)
    with generator:
        model = generator._model
        model.template = ThinkingTemplate(model.template)
        closing = model.tokenize(CLOSING)
        found = list(generator.generate(requests(2)))
        texts = {key: model.text(tokens[:5]).strip() for key, tokens in drawn.items()}
        wholes = {key: model.text(tokens) for key, tokens in drawn.items()}
    assert len(found) == 6
    for row in found:
        tokens = drawn[row.key]
        assert row.token_count == len(tokens)
        assert row.thinking is not None and "</think>" not in row.thinking + row.text
        parts = (row.thinking_before, row.thinking, row.thinking_after, row.text)
        assert "".join(parts) == wholes[row.key]
        if row.token_count > 5 + len(closing) and tokens[5 : 5 + len(closing)] == closing:
            assert row.thinking == texts[row.key]
    assert any(drawn[row.key][5 : 5 + len(closing)] == closing for row in found)
