"""The estimates against sizes that are known, and against what the project measured."""

import pytest

from localdistill.catalogue import memory
from localdistill.config import TrainConfig
from localdistill.errors import MemoryShortage
from localdistill.stages.train_shape import Trainable
from localdistill.stages.train_sizing import Wish, choose
from localdistill.trainers.cpu import bytes_of_a_value
from localdistill.trainers.train_memory import Place

# Bytes or GB of published files: (entry, type, GB, tolerance).
# Listings of mradermacher/Qwen2.5-Coder-7B-Instruct-GGUF, second-state/Qwen2.5-Coder-0.5B-
# Instruct-GGUF, ggml-org/Qwen3-1.7B-GGUF and lmstudio.ai/model/qwen3-14b; Qwen3-4B to the byte.
FILES = [
    ("qwen2.5-coder-0.5b-instruct", "Q4_K_M", 0.398, 0.003),
    ("qwen2.5-coder-0.5b-instruct", "Q8_0", 0.531, 0.003),
    ("qwen2.5-coder-7b-instruct", "Q4_K_M", 4.68, 0.002),
    ("qwen2.5-coder-7b-instruct", "Q8_0", 8.10, 0.002),
    ("qwen3-4b", "Q4_K_M", 2.497280256, 0.0002),
    ("qwen3-14b", "Q4_K_M", 9.00, 0.002),
]


@pytest.mark.parametrize(("name", "quant", "size", "tolerance"), FILES)
def test_the_size_of_a_gguf_file_is_that_of_published_ones(by_name, name, quant, size, tolerance):
    estimate = memory.gguf_size(by_name[name].architecture, quant) / 1e9
    assert estimate == pytest.approx(size, rel=tolerance)


def test_a_type_without_a_rule_is_refused(by_name):
    with pytest.raises(ValueError, match="Q2_K"):
        memory.gguf_size(by_name["seed"].architecture, "Q2_K")


@pytest.mark.parametrize("name", ["seed", "qwen2.5-coder-0.5b-instruct"])
def test_training_is_estimated_as_plan_does_at_its_least(by_name, name):
    a = by_name[name].architecture
    shape = memory.train_shape(a)
    model, width = Trainable(name, shape, 0), bytes_of_a_value()
    for place in (Place(gpu=True), Place(gpu=False, width=width)):
        needed = memory.training(a, gpu=place.gpu).total
        wish = Wish(keep_activations=False, micro_batch_tokens=1)
        sizing = choose(model, wish, place, 2 * needed)
        assert sizing.need.peak == needed
        with pytest.raises(MemoryShortage):
            choose(model, Wish(), place, needed)


def test_the_default_rank_is_that_of_the_configuration(by_name):
    a = by_name["qwen3-8b"].architecture
    default = memory.training(a, gpu=True)
    assert default == memory.training(a, gpu=True, rank=TrainConfig().rank)
    larger = memory.training(a, gpu=True, rank=2 * TrainConfig().rank)
    part = "LoRA and optimiser"
    assert larger.parts[part] == 2 * default.parts[part]


def test_more_slots_and_longer_samples_need_a_larger_cache(by_name):
    a = by_name["qwen3-8b"].architecture
    cache = memory.inference(a, slots=4, context_per_slot=100).parts["KV cache"]
    assert memory.inference(a, slots=8, context_per_slot=300).parts["KV cache"] == 6 * cache
    # 2 (key, value) x 36 layers x 8 heads x 128 x 2 bytes, for 400 tokens
    assert cache == 2 * 36 * 8 * 128 * 2 * 400


def test_a_sample_is_never_longer_than_the_model_allows(by_name):
    a = by_name["seed"].architecture
    assert memory.inference(a, context_per_slot=10**6) == memory.inference(
        a, context_per_slot=a.context
    )


def test_all_experts_are_stored_and_few_work(by_name):
    a = by_name["qwen3-coder-30b-a3b-instruct"].architecture
    # As stated for Qwen3-30B-A3B, of the same shape, in lenamerkli/PolitScanner's index.json.
    assert memory.parameters(a) == 30_532_122_624
    assert memory.gguf_size(a) / 1e9 == pytest.approx(18.6, abs=0.1)


def test_parts_add_up(entries):
    for entry in entries:
        for estimate in (
            memory.inference(entry.architecture),
            memory.training(entry.architecture, gpu=True),
            memory.training(entry.architecture, gpu=False),
        ):
            assert estimate.total == sum(estimate.parts.values())
            assert all(size > 0 for size in estimate.parts.values())
