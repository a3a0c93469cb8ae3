"""The choice of a training's size: what is kept, how much at once, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localdistill import gpus, memory
from localdistill.config import build
from localdistill.continuing import freeze
from localdistill.errors import MemoryShortage, ModelError
from localdistill.gpus import Gpu
from localdistill.stages import train_here
from localdistill.stages.train_shape import Trainable, shape_of_config, trainable
from localdistill.stages.train_sizing import Wish, _fits, choose, longest_that_fits, usable
from localdistill.trainers.base import TrainSettings
from localdistill.trainers.shape import TrainShape
from localdistill.trainers.train_memory import Place
from tests.backends.reference import SEED_MODEL
from tests.trainers.conftest import SEED

GB = 10**9
HALF_B = TrainShape(
    layers=24, width=896, feed_forward=4864, heads=14, kv_heads=2, head_dim=64,
    vocabulary=151_936, tied=True, biases=True, head_norms=False, context=32_768,
)  # fmt: skip
MODEL = Trainable("half.gguf", HALF_B, 2 * HALF_B.parameters)
CPU, GPU = Place(gpu=False, width=4), Place(gpu=True)


def test_with_plenty_of_memory_the_fastest_way_is_taken():
    sizing = choose(MODEL, Wish(max_length=512), CPU, 64 * GB)
    assert (sizing.task.kept, sizing.task.tokens) == ("products", 1024)
    assert sizing.keep_activations == "products"
    assert choose(MODEL, Wish(max_length=512), GPU, 24 * GB).keep_activations is True


def test_with_less_fewer_tokens_go_through_at_once_and_then_less_is_kept():
    wish = Wish(max_length=256)
    ways = [choose(MODEL, wish, CPU, free * GB // 10).task for free in (60, 36, 28, 23)]
    tokens = [task.tokens for task in ways if task.kept == "products"]
    assert tokens == sorted(tokens, reverse=True)
    assert len(set(tokens)) > 1
    kept = [task.kept for task in ways]
    assert kept == sorted(kept, key=["products", "none"].index)


@given(
    free=st.integers(GB, 24 * GB),
    rank=st.integers(1, 256),
    length=st.integers(8, 40_000),
    tokens=st.none() | st.integers(8, 8192),
    keep=st.sampled_from([None, True, False, "products"]),
    gpu=st.booleans(),
)
def test_a_plan_never_takes_more_than_is_free(free, rank, length, tokens, keep, gpu):
    wish = Wish(rank, length, 8, tokens, keep)
    place = GPU if gpu else CPU
    try:
        sizing = choose(MODEL, wish, place, free)
    except MemoryShortage as error:
        assert "lose other programs" in str(error)
        assert str(error).startswith("half.gguf: ")
        return
    assert sizing.need.peak <= usable(free, sizing.task.kept, place) <= 0.9 * free
    assert tokens is None or sizing.task.tokens == tokens
    assert sizing.task.longest == min(length, 32_768)
    assert keep in (None, sizing.keep_activations) or (gpu and keep == "products")


def refusal(wish, free, place=CPU, model=MODEL):
    with pytest.raises(MemoryShortage) as refused:
        choose(model, wish, place, int(free * GB))
    return str(refused.value)


def test_a_refusal_has_the_figures_and_a_length_that_fits():
    free = int(2.2 * GB)
    line = refusal(Wish(max_length=4096), 2.2)
    assert "rank 16 and examples of up to 4,096 tokens" in line
    assert re.search(r"takes \d\.\d GB of memory\. Of 2\.2 GB that are free 2\.0 GB can be", line)
    length = int(re.search(r"Lower train\.max_length to (\d+), or close", line)[1])
    choose(MODEL, Wish(max_length=length), CPU, free)
    with pytest.raises(MemoryShortage):
        choose(MODEL, Wish(max_length=length + 1), CPU, free)
    assert longest_that_fits(MODEL, Wish(), CPU, free) == length


def test_a_rank_that_fits_where_no_length_does():
    line = refusal(Wish(rank=512), 3)
    rank = int(re.search(r"Lower train\.rank to (\d+) and train\.max_length to 128", line)[1])
    choose(MODEL, Wish(rank=rank, max_length=128), CPU, 3 * GB)


def test_the_users_own_setting_is_what_is_to_be_changed_first():
    all_of_it = Wish(max_length=256, keep_activations=True, micro_batch_tokens=2048)
    assert "Set train.keep_activations = false, or" in refusal(all_of_it, 5)
    more = replace(all_of_it, keep_activations="products")
    least = next(gb for gb in range(2, 20) if _fits(MODEL, more, CPU, gb * GB))
    assert 'Set train.keep_activations = "products"' in refusal(all_of_it, least)
    line = refusal(Wish(max_length=64, keep_activations=False, micro_batch_tokens=30_000,
                        batch_size=4096), 4)  # fmt: skip
    fewer = int(re.search(r"Lower train\.micro_batch_tokens to (\d+)", line)[1])
    choose(MODEL, Wish(max_length=64, keep_activations=False, micro_batch_tokens=fewer,
                       batch_size=4096), CPU, 4 * GB)  # fmt: skip


def test_a_model_for_which_nothing_helps():
    line = refusal(Wish(), 1)
    assert line.endswith("Close other programs, or take a smaller model.")
    assert "the GPU's memory" in refusal(Wish(), 0.5, GPU)


def test_a_gguf_file_and_the_folder_it_was_made_of_have_one_shape():
    folder, file = trainable(SEED), trainable(SEED_MODEL)
    assert folder.shape == file.shape
    assert (folder.path, file.path) == (SEED, SEED_MODEL)
    assert folder.stored == 2 * folder.shape.parameters


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": None},
        {"num_attention_heads": 0},
        {"num_hidden_layers": -1},
        {"vocab_size": float("inf")},
        {"num_attention_heads": 10**400},
        {"max_position_embeddings": 10**400},
    ],
)
def test_a_configuration_without_sense_is_one_line(change):
    config = {
        "model_type": "qwen2", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1,
        "intermediate_size": 4, "vocab_size": 9, "max_position_embeddings": 16, **change,
    }  # fmt: skip
    with pytest.raises(ModelError, match=r"x: its configuration .* Fetch it again"):
        shape_of_config(config, "x")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(gpus, "gpus", list)
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 * GB)


def test_a_run_keeps_what_was_chosen_when_it_was_begun(no_gpu, monkeypatch):
    config = build({"model": str(SEED), "problems": "p"})
    settled = train_here.settled(config, SEED)
    assert settled.train.micro_batch_tokens == 4096
    assert settled.train.keep_activations is True
    # Continued with less memory, and with the command that it was begun with.
    assert freeze(config, settled).train == settled.train
    wished = build({"model": str(SEED), "problems": "p", "train": {"keep_activations": False}})
    assert train_here.settled(wished, SEED).train.keep_activations is False
    assert freeze(wished, settled).train.keep_activations is False
    for again in (settled, wished):
        assert build(again.model_dump()) == again


def test_what_a_request_leaves_open_is_chosen(no_gpu):
    settings = TrainSettings(model=SEED, seed=1, max_length=256)
    sized = train_here.sized(settings)
    assert (sized.micro_batch_tokens, sized.keep_activations) == (4096, True)
    own = settings.model_copy(update={"micro_batch_tokens": 99, "keep_activations": "products"})
    assert train_here.sized(own) == own
    with pytest.raises(MemoryShortage, match=r"models/seed: to train it"):
        train_here.sized(settings, lambda: 100_000_000)


@pytest.mark.parametrize(("torch", "gpu"), [("2.13.0", True), ("2.13.0+cpu", False)])
def test_a_gpu_is_used_by_a_pytorch_that_was_built_for_it(monkeypatch, torch, gpu):
    card = Gpu("Card", 8 * GB, 7 * GB)
    monkeypatch.setattr(gpus, "gpus", lambda: [card, Gpu("Other", 1, 1)])
    monkeypatch.setattr(train_here.importlib.metadata, "version", lambda name: torch)
    place, found = train_here.place()
    assert (place.gpu, found) == (gpu, card if gpu else None)
    monkeypatch.setattr(memory, "available_bytes", lambda: 5 * GB)
    sizing = train_here.choose_here(MODEL, Wish(max_length=256))
    assert sizing.free == (7 * GB if gpu else 5 * GB)


def test_the_context_bounds_the_longest_example():
    short = replace(MODEL, shape=replace(HALF_B, context=300))
    assert choose(short, Wish(), CPU, 8 * GB).task.longest == 300
    assert longest_that_fits(short, Wish(), CPU, 64 * GB) == 300
