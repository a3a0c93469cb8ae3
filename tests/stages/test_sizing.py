import pytest
from hypothesis import given
from hypothesis import strategies as st

from localdistill.backends.llama_memory import ModelShape, need
from localdistill.errors import MemoryShortage
from localdistill.gpus import Gpu
from localdistill.quantization.gguf_file import read_header
from localdistill.stages.sizing import DEFAULT_SLOTS, Task, choose, shape_of
from tests.backends.reference import SEED_MODEL

SMALL = ModelShape(
    weights=485_000_000, repacked=29_000_000, vocabulary=151_936, cache_per_token=12_288,
    embedding=896, feed_forward=4864, layers=24, context=32_768,
)  # fmt: skip
TASK = Task(max_tokens=512, prompt=200)
GB = 10**9


def test_the_header_of_the_seed_model_tells_its_shape():
    shape = shape_of(read_header(SEED_MODEL))
    assert (shape.layers, shape.embedding, shape.feed_forward) == (6, 256, 768)
    assert (shape.vocabulary, shape.context) == (1280, 2048)
    assert shape.cache_per_token == 6 * 2 * (64 + 64) * 2
    assert shape.weights < SEED_MODEL.stat().st_size
    assert shape.repacked == 0


def test_with_plenty_of_memory_all_samples_have_room():
    sizing = choose(SMALL, TASK, free=16 * GB)
    assert sizing.slots == DEFAULT_SLOTS
    assert sizing.cells >= DEFAULT_SLOTS * 712
    assert sizing.gpu_layers == 0


def test_no_more_slots_than_completions():
    assert choose(SMALL, Task(512, 200, requests=3), free=16 * GB).slots == 3


@given(
    free=st.integers(600_000_000, 4 * GB),
    max_tokens=st.integers(1, 30_000),
    prompt=st.integers(1, 3000),
    slots=st.none() | st.integers(1, 255),
)
def test_a_plan_never_takes_more_than_is_free(free, max_tokens, prompt, slots):
    task = Task(max_tokens, prompt, slots)
    try:
        sizing = choose(SMALL, task, free=free)
    except MemoryShortage as error:
        assert "--max-tokens" in str(error)
        return
    assert sizing.need.total <= 0.9 * free
    assert sizing.need == need(
        SMALL, sequences=sizing.slots + 1, cells=sizing.cells, batch=sizing.batch
    )
    # One sample can get to its end beside the next prompt.
    assert sizing.cells >= min(prompt + max_tokens, SMALL.context) + prompt
    assert slots is None or sizing.slots == slots


def test_with_less_memory_the_cache_shrinks_and_then_the_slots():
    sizes = [choose(SMALL, Task(4096, 200), free=int(free * GB)) for free in (4, 1.2, 1.0, 0.85)]
    cells = [sizing.cells for sizing in sizes]
    slots = [sizing.slots for sizing in sizes]
    assert cells == sorted(cells, reverse=True) and cells[0] > cells[-1]
    assert slots == sorted(slots, reverse=True) and slots[0] == 16 > slots[-1]


def test_what_cannot_fit_is_refused_with_figures():
    with pytest.raises(
        MemoryShortage, match=r"1 sample at once, .* of memory\. Of .* that are free"
    ):
        choose(SMALL, TASK, free=500_000_000)
    with pytest.raises(MemoryShortage, match=r"64 samples at once.*lower --slots"):
        choose(SMALL, Task(512, 200, slots=64), free=600_000_000)


def test_a_gpu_takes_all_layers_or_as_many_as_it_has_room_for():
    all_of_it = choose(SMALL, TASK, free=16 * GB, gpus=[Gpu("large", 24 * GB, 20 * GB)])
    assert all_of_it.gpu_layers == -1
    some = choose(SMALL, TASK, free=16 * GB, gpus=[Gpu("small", GB, 500_000_000)])
    assert 0 < some.gpu_layers < SMALL.layers
    full = choose(SMALL, TASK, free=16 * GB, gpus=[Gpu("full", GB, 0)])
    assert full.gpu_layers == 0
    # What stands on the GPU need not fit here.
    assert choose(SMALL, TASK, free=500_000_000, gpus=[Gpu("large", 24 * GB, 20 * GB)])
