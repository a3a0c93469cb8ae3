from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from localdistill.backends.base import GenerationRequest
from localdistill.backends.llama_cpp import LlamaCppGenerator
from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel
from localdistill.errors import ModelError
from localdistill.events import ignore
from localdistill.jsonl import read_rows
from localdistill.markers import done_facts
from localdistill.quantization.ggml import slabs
from localdistill.quantization.ggml_types import F16, F32
from localdistill.quantization.gguf_file import read_header
from localdistill.sampling import Sampling
from localdistill.stages import f16_weights, generate, this_machine
from localdistill.stages.f16_weights import f16_copy, f16_shape
from localdistill.stages.model_shape import shape_of
from localdistill.types import Completion, Message
from tests.backends.headers import Model, Types, write
from tests.backends.reference import SEED_MODEL


def values(gguf, name):
    return np.concatenate([found.copy() for _, found in slabs(gguf, gguf.tensors[name])])


def open_files():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_a_copy_has_the_same_weights_but_for_their_rounding():
    stored = read_header(SEED_MODEL)
    with f16_copy(SEED_MODEL, 1) as path:
        copy = read_header(path)
        assert {each.type for each in copy.tensors.values()} == {F16, F32}
        assert copy.tensors.keys() == stored.tensors.keys()
        for name, tensor in copy.tensors.items():
            before = values(stored, name)
            same = before.astype(np.float16).astype(np.float32) if tensor.type == F16 else before
            assert np.array_equal(values(copy, name), same), name


def test_the_shape_tells_the_bytes_that_a_copy_has():
    shape = f16_shape(read_header(SEED_MODEL), "f16")
    with f16_copy(SEED_MODEL, 1) as path:
        copy = shape_of(read_header(path))
    assert shape == replace(copy, halves=True)
    assert shape.halves


def test_nothing_is_left_of_a_copy():
    before = open_files()
    with f16_copy(SEED_MODEL, 1) as path:
        model = LlamaModel(SEED_MODEL, gpu_layers=0, weights=path)
    assert open_files() == before
    assert not path.exists()
    assert model.tokenize("def f(x):")  # and what was opened lives on
    model.close()


def test_logits_differ_by_less_than_the_rounding_that_is_left_out():
    prompt = [Message(role="user", content="Add two numbers.")]

    def logits(weights):
        model = LlamaModel(SEED_MODEL, gpu_layers=0, weights=weights)
        decoder = LlamaDecoder(model, sequences=2, cells=256, threads=1)
        tokens = model.prompt_tokens(prompt)
        decoder.step([], [], [], (0, tokens[:-1], 0))
        found = np.array(decoder.step([0], tokens[-1:], [len(tokens) - 1])[-1])
        decoder.close()
        model.close()
        return found

    with f16_copy(SEED_MODEL, 1) as path:
        copy = logits(path)
    stored = logits(None)
    assert copy.argmax() == stored.argmax()
    # Integers of 8 bits have a step of 1/127 of the largest in a block, in each of 6 layers.
    assert np.abs(copy - stored).max() < 0.05 * (stored.max() - stored.mean())


@pytest.mark.parametrize("faster", [True, False])
def test_left_to_choose_it_is_what_is_faster(monkeypatch, faster):
    monkeypatch.setattr(f16_weights, "floats_are_faster", lambda: faster)
    stored = read_header(SEED_MODEL)
    assert (f16_shape(stored, "auto") is not None) is faster
    assert f16_shape(stored, "f16") is not None
    assert f16_shape(stored, "stored") is None


def test_types_that_are_as_fast_by_themselves_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(f16_weights, "floats_are_faster", lambda: True)

    def file_of(kind, output):
        model = Model("qwen2", 2, 256, 4, 2, 64, 512, 512, kind=kind, output=output)
        return read_header(write(tmp_path / "model.gguf", model))

    slow = file_of(Types.Q6_K, Types.Q4_K)
    assert f16_shape(slow, "auto") == f16_shape(slow, "f16") is not None
    fast = file_of(Types.Q4_K, Types.Q6_K)
    assert f16_shape(fast, "auto") is None
    assert f16_shape(fast, "f16") is not None


def test_mixtures_and_what_is_not_quantised_stay_as_they_are(tmp_path):
    experts = Model("qwen3moe", 2, 256, 4, 2, 64, 256, 1024, experts=(8, 2, 256))
    assert f16_shape(read_header(write(tmp_path / "experts.gguf", experts)), "f16") is None
    with f16_copy(SEED_MODEL, 1) as path:
        assert f16_shape(read_header(path), "f16") is None


def test_a_file_that_cannot_be_unpacked_is_named_and_nothing_is_left_open(tmp_path):
    path = tmp_path / "cut.gguf"
    path.write_bytes(SEED_MODEL.read_bytes()[:-1000])
    before = open_files()
    with (
        pytest.raises(ModelError, match=r"cut\.gguf: its weights cannot be unpacked to 16 bits"),
        f16_copy(path, 1),
    ):
        raise AssertionError
    assert open_files() == before


def test_the_generator_tells_which_it_computes_with():
    asked = [GenerationRequest("p", 0, [Message(role="user", content="Add.")], 1)]
    with f16_copy(SEED_MODEL, 1) as path:
        generator = LlamaCppGenerator(
            SEED_MODEL, Sampling(max_tokens=8), slots=1, threads=1, weights=path
        )
    with generator:
        (row,) = generator.generate(asked)
    assert generator.stats.weights == "f16" and row.token_count


@pytest.fixture
def request_of(tmp_path):
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"id": "1", "prompt": "Add two numbers."}\n')

    def make(**given):
        asked = {"samples": 8, "sampling": Sampling(max_tokens=12), "out": tmp_path / "out.jsonl"}
        return generate.GenerateRequest(
            model=SEED_MODEL, problems=str(problems), **{**asked, **given}
        )

    return make


def test_the_stage_computes_as_it_is_asked_and_writes_it_down(request_of, tmp_path):
    for weights in ("stored", "f16"):
        asked = request_of(weights=weights, out=tmp_path / f"{weights}.jsonl")
        assert generate.run(asked, ignore).weights == weights
        assert done_facts(asked.out)["weights"] == weights
        assert len(list(read_rows(asked.out, Completion))) == 8


def test_the_same_texts_are_promised_with_the_same_weights(request_of, tmp_path):
    open_generator, opened = generate.open_by_request, []

    def recording(request, slots, threads):
        generator = open_generator(request, slots, threads)
        opened.append(generator.stats.weights)
        return generator

    asked = request_of(deterministic=True)
    generate.run(asked, ignore, open_generator=recording)
    assert opened == ["stored"]  # whatever is faster, or has room, on another day
    with pytest.raises(generate.ConfigError, match="weights"):
        generate.run(request_of(deterministic=True, weights="f16"), ignore)
    other = request_of(deterministic=True, weights="f16", out=tmp_path / "f16.jsonl")
    generate.run(other, ignore, open_generator=recording)
    assert opened == ["stored", "f16"]


def test_where_it_cannot_be_unpacked_the_file_is_used_as_it_is(request_of, tmp_path, monkeypatch):
    def failing(path, threads):
        raise ModelError("no")

    monkeypatch.setattr(generate, "f16_copy", failing)
    events = []
    found = generate.run(request_of(weights="f16"), events.append)
    assert (found.weights, found.completions) == ("stored", 8)
    notices = [event.message for event in events if event.kind == "notice"]
    assert len(notices) == 1 and "not unpacked to 16 bits" in notices[0]
    with pytest.raises(ModelError, match="no"):
        asked = request_of(weights="f16", deterministic=True, out=tmp_path / "other.jsonl")
        generate.run(asked, ignore)


def test_the_same_texts_are_not_promised_where_the_form_cannot_be_had(request_of, monkeypatch):
    monkeypatch.setattr(this_machine, "f16_shape", lambda gguf, weights: None)
    with pytest.raises(generate.ConfigError, match="give --weights stored and another --out"):
        generate.run(request_of(weights="f16", deterministic=True), ignore)


def test_a_server_decides_on_its_weights(request_of):
    with pytest.raises(ValueError, match="--weights is the server's affair"):
        request_of(server="http://localhost:1", weights="f16")


@pytest.mark.parametrize("change", [{"alignment": 64}, {"type": F32}])
def test_files_whose_copy_would_not_open_or_hold_stay_as_they_are(change):
    stored = read_header(SEED_MODEL)
    if "type" in change:
        name = next(name for name, each in stored.tensors.items() if len(each.dims) > 1)
        changed = replace(stored.tensors[name], **change)
        other = replace(stored, tensors={**stored.tensors, name: changed})
    else:
        other = replace(stored, **change)
    assert f16_shape(other, "f16") is None
