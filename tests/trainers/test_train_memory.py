"""The plan of training's memory: against sums made by hand, and against real trainings."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from localdistill.quantization.hf_folder import read_folder
from localdistill.stages.train_shape import trainable
from localdistill.trainers.cpu import bytes_of_a_value
from localdistill.trainers.shape import TrainShape
from localdistill.trainers.train_memory import (
    CUDA,
    GPU_LOSS,
    PER_TOKEN,
    PROCESS,
    Place,
    TrainTask,
    need,
    of_one_layer,
    preferred,
    together,
)
from tests.trainers.conftest import SEED

SMALL = TrainShape(
    layers=2, width=8, feed_forward=20, heads=4, kv_heads=2, head_dim=3, vocabulary=100,
    tied=True, biases=True, head_norms=False, context=64,
)  # fmt: skip
TASK = TrainTask(rank=5, longest=7, tokens=28, kept="all", rows=4)
CPU, CPU_16, GPU = Place(gpu=False, width=4), Place(gpu=False, width=2), Place(gpu=True)


def test_the_weights_of_a_shape():
    matrices = 12 * 8 + 2 * 6 * 8 + 8 * 12 + 2 * 20 * 8 + 8 * 20
    assert SMALL.linear == 2 * matrices
    assert SMALL.edges == 2 * ((12 + 8) + 2 * (6 + 8) + (8 + 12) + 2 * (20 + 8) + (8 + 20))
    assert SMALL.vectors == 2 * (2 * 8 + 12 + 2 * 6) + 8
    assert SMALL.embeddings == 800
    assert replace(SMALL, tied=False).embeddings == 1600
    normed = replace(SMALL, biases=False, head_norms=True)
    assert normed.vectors == 2 * (2 * 8 + 2 * 3) + 8
    assert SMALL.largest == 160


def test_a_mixture_stores_all_experts_and_goes_through_few():
    mixed = replace(SMALL, experts=6, used=2)
    assert mixed.linear - SMALL.linear == 2 * 5 * 3 * 20 * 8
    assert mixed.vectors - SMALL.vectors == 2 * 6 * 8
    assert mixed.inner == 40


def test_the_shape_is_that_of_the_tensors_in_the_file():
    shape = trainable(SEED).shape
    tensors = read_folder(SEED).tensors
    sizes = {name: tensor.shape for name, tensor in tensors.items()}
    linear = [s for name, s in sizes.items() if "proj" in name and name.endswith("weight")]
    assert shape.linear == sum(rows * columns for rows, columns in linear)
    assert shape.edges == sum(rows + columns for rows, columns in linear)
    assert shape.vectors == sum(s[0] for s in sizes.values() if len(s) == 1)
    assert shape.embeddings == sum(s[0] * s[1] for n, s in sizes.items() if "embed" in n)


@pytest.mark.parametrize(
    ("longest", "tokens", "rows", "together"),
    [(7, 28, 4, 28), (7, 100, 4, 28), (7, 5, 4, 7), (7, 20, 4, 20)],
)
def test_a_micro_batch_is_no_more_than_its_rows_and_no_less_than_an_example(
    longest, tokens, rows, together
):
    assert TrainTask(4, longest, tokens, "all", rows).together == together


def test_frozen_weights_are_in_4_bits_and_the_rest_in_the_type_of_the_computation():
    found = need(SMALL, TASK, CPU)
    assert found.layers == int(SMALL.linear * (4 + 1 / 8 + 32 / 16384) / 8)
    assert found.embeddings == (800 + SMALL.vectors) * 4
    assert need(SMALL, TASK, CPU_16).embeddings == (800 + SMALL.vectors) * 2
    assert need(SMALL, replace(TASK, four_bit=False), CPU).layers == SMALL.linear * 4


def test_an_adapters_weight_has_a_gradient_two_moments_and_a_copy():
    assert need(SMALL, TASK, CPU).adapter == 5 * SMALL.edges * 20
    assert need(SMALL, TASK, CPU_16).adapter == 5 * SMALL.edges * 22
    assert need(SMALL, TASK, GPU).adapter == 5 * SMALL.edges * 16  # the copy is not there


def test_activations_that_are_all_kept():
    # Inputs of two norms; of query, key, value and of gate, up; of the output: q; of down: inner.
    norms, inputs = 2 * 8, 2 * 8 + 12
    attention, swiglu, adapters = 12 + 2 * 6, 4 * 20, 7 * 5
    layer = 4 * (norms + inputs + attention + swiglu + adapters) + 4 * (4 + 2)
    assert sum(of_one_layer(SMALL, TASK, CPU)) == layer
    assert need(SMALL, TASK, CPU).activations == 28 * 2 * layer
    halves = 4 * norms + 2 * (inputs + attention + swiglu + adapters) + 4 * (4 + 2)
    assert sum(of_one_layer(SMALL, TASK, CPU_16)) == halves
    normed = replace(SMALL, biases=False, head_norms=True)
    assert sum(of_one_layer(normed, TASK, CPU)) == layer + 4 * (12 + 6) + 4 * (4 + 2)


def test_activations_that_are_computed_again_are_those_of_one_layer():
    layer = sum(of_one_layer(SMALL, TASK, CPU))
    again = need(SMALL, replace(TASK, kept="none"), CPU)
    assert again.activations == 28 * (2 * 8 * 4 + layer)
    products = need(SMALL, replace(TASK, kept="products"), CPU)
    assert products.activations == 28 * (2 * (3 * 8 + 2 * 12 + 2 * 6 + 2 * 20) * 4 + layer)


def test_what_passes_is_the_way_back_or_the_loss():
    back = 28 * (3 * 20 + 2 * 8) * 4 + 160 * 4
    loss = 28 * 100 * 4 + 3 * 28 * 8 * 4
    assert need(SMALL, TASK, CPU).passing == max(back, loss)
    wide = replace(SMALL, vocabulary=150_000)
    # 16 million logits make 111 rows: the micro-batch has fewer; and then 64 MiB at the most.
    assert need(wide, TASK, CPU).passing == 28 * 150_000 * 4 + 3 * 28 * 8 * 4
    many = need(wide, replace(TASK, longest=1000, tokens=4000), CPU).passing
    assert many == 111 * 150_000 * 4 + 3 * 4000 * 8 * 4


def test_blocks_that_are_not_mapped_take_twice_their_size():
    found = need(SMALL, TASK, CPU)
    assert found.fragments == found.activations + found.passing  # all of them are small
    found = need(SMALL, replace(TASK, kept="products"), CPU)
    layer = 28 * sum(of_one_layer(SMALL, TASK, CPU))
    again = layer + found.passing
    assert found.fragments == int(2 * (found.activations - layer) + 3.5 * again)
    assert need(SMALL, TASK, GPU).fragments == 0
    # Blocks of 8 or 12 values in 32 bits for 500,000 tokens are less than 32 MiB, those of 60 more.
    task = replace(TASK, longest=500_000, tokens=500_000, rows=1, kept="none")
    found = need(replace(SMALL, feed_forward=60), task, CPU)
    # The inputs of two layers; of one layer norms, inputs, attention, seven A, logarithms.
    held = 4 * 8 * 2
    again = 4 * (2 * 8 + 2 * 8 + 2 * 12 + 2 * 6 + 7 * 5) + 4 * (4 + 2) + 2 * 8 * 4
    assert found.fragments == 500_000 * 2 * held + int(3.5 * (500_000 * again + 480 * 4))


@pytest.mark.parametrize("kept", ["all", "products", "none"])
@pytest.mark.parametrize("vocabulary", [100, 13_000_000])
def test_more_tokens_never_take_less(kept, vocabulary):
    shape = replace(SMALL, vocabulary=vocabulary)
    lengths = [int(1.3**n) for n in range(8, 60)]
    tasks = [TrainTask(5, length, 1, kept) for length in lengths]
    peaks = [need(shape, task, CPU).peak for task in tasks]
    assert peaks == sorted(peaks)


def test_the_file_counts_into_resident_memory_while_it_is_read():
    found = need(SMALL, TASK, CPU, stored=10**9)
    weights = PROCESS + 100 * PER_TOKEN + found.layers + found.embeddings
    assert found.resident == weights + 10**9
    training = found.adapter + found.activations + found.passing + found.fragments
    assert found.peak == weights + training
    assert need(SMALL, TASK, CPU, stored=0).resident == found.peak
    assert need(SMALL, TASK, CPU).mapped == 2 * SMALL.parameters


def test_a_gpu_has_its_context_and_no_file():
    found = need(SMALL, TASK, GPU)
    assert (found.process, found.mapped) == (CUDA, 0)
    assert found.passing == GPU_LOSS
    assert found.embeddings == (800 + SMALL.vectors) * 2


def test_a_small_model_keeps_all_and_a_large_one_its_products():
    assert preferred(SMALL, CPU) == ("all", "products", "none")
    large = replace(SMALL, width=2048, feed_forward=8192, vocabulary=100_000)
    assert preferred(large, CPU) == ("products", "none")
    assert preferred(large, GPU) == ("all", "none")
    assert [together(kept, large=True) for kept in ("all", "products", "none")] == [
        2048,
        1024,
        2048,
    ]
    assert together("all", large=False) == 4096


def test_a_file_that_stays_mapped_is_resident_all_the_time():
    found = need(SMALL, TASK, CPU, stored=10**9, stays=True)
    assert found.resident == found.peak + 10**9 - found.embeddings
    assert found.peak == need(SMALL, TASK, CPU).peak


def test_what_a_large_model_gives_back_is_given_back_from_4_mib_on():
    task = replace(TASK, longest=10**6, tokens=10**6, rows=1)
    found = need(replace(SMALL, vocabulary=13_000_000), task, CPU)
    assert found.fragments < 0.1 * found.activations
    assert need(SMALL, task, CPU).fragments > 0.1 * found.activations


@pytest.mark.parametrize(
    ("machine", "flags", "width"),
    [
        ("x86_64", "flags\t\t: fpu avx2 avx512_bf16", 2),
        ("x86_64", "flags : fpu amx_bf16", 2),
        ("x86_64", "flags : fpu avx2 bf16", 4),
        ("aarch64", "Features : fp asimd bf16", 2),
        ("aarch64", "Features : fp asimd", 4),
        ("x86_64", "", 4),
    ],
)
def test_a_processor_with_instructions_for_bfloat16_trains_in_it(
    tmp_path, monkeypatch, machine, flags, width
):
    monkeypatch.delenv("UNSLOTH_CPU_BF16", raising=False)
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\n")
    assert bytes_of_a_value(tmp_path / "cpuinfo", machine) == width
    monkeypatch.setenv("UNSLOTH_CPU_BF16", "1" if width == 4 else "0")
    assert bytes_of_a_value(tmp_path / "cpuinfo", machine) == 6 - width


BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "train_memory.py"


@pytest.mark.real
@pytest.mark.parametrize("kept", [("--kept", "true"), ("--kept", "false")])
def test_a_real_training_takes_what_was_planned(kept):
    command = [sys.executable, str(BENCHMARK), "--model", str(SEED), "--lengths", "128", "512"]
    done = subprocess.run([*command, *kept], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])["models"]["seed"]
    assert {row["together"] for row in rows.values()} == {8 * 128, 4096}
    for row in rows.values():
        assert 0.8 < row["ratio"] < 1.2, rows
