import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localdistill import gpus, memory
from localdistill.backends.llama_memory import ModelShape, need
from localdistill.config import build
from localdistill.errors import MemoryShortage, ModelError
from localdistill.gpus import Gpu
from localdistill.quantization.gguf_file import Entry, GgufFile, read_header
from localdistill.stages import this_machine
from localdistill.stages.model_shape import shape_of
from localdistill.stages.sizing import DEFAULT_SLOTS, F16_SLOTS, GPU_SLOTS, Task, choose
from localdistill.stages.this_machine import settled
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


def test_a_prompt_that_samples_share_is_counted_once():
    alone, shared = (choose(SMALL, Task(512, 1500, samples=n), free=16 * GB) for n in (1, 16))
    assert alone.cells >= 16 * (512 + 1500) + 1500
    # A problem's last samples, the next problem's first ones, and the prompt after that.
    assert 16 * 512 + 3 * 1500 <= shared.cells < 16 * 512 + 3 * 1500 + 256


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
        assert "lose other programs" in str(error)
        return
    assert sizing.taken == sizing.need.total <= 0.9 * free
    assert sizing.need == need(
        SMALL,
        sequences=sizing.slots + 1,
        cells=sizing.cells,
        batch=sizing.batch,
        requests=task.requests,
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
        MemoryShortage, match=r"1 sample at once, .* of memory\. Of .* that are free .* smaller"
    ):
        choose(SMALL, TASK, free=500_000_000)


def refused(task, free):
    with pytest.raises(MemoryShortage) as caught:
        choose(SMALL, task, free=free)
    return str(caught.value)


def test_a_refusal_names_the_most_slots_that_fit():
    free = 850_000_000
    text = refused(Task(512, 200, slots=200), free)
    fitting = int(re.search(r"Lower generate.slots \(--slots\) to (\d+)", text)[1])
    assert choose(SMALL, Task(512, 200, slots=fitting), free=free).slots == fitting
    refused(Task(512, 200, slots=fitting + 1), free)


def test_a_refusal_names_the_most_tokens_that_fit():
    free = 800_000_000
    text = refused(Task(30_000, 200), free)
    fitting = int(re.search(r"\(--max-tokens\) to (\d+)", text)[1])
    assert choose(SMALL, Task(fitting, 200), free=free).cells >= fitting + 400
    refused(Task(fitting + 256, 200), free)  # the cache grows by 256 tokens


def test_exact_room_is_not_bargained_with():
    free = 900_000_000
    assert choose(SMALL, Task(4096, 200), free=free).cells < 16 * 2248
    refused(Task(4096, 200, exact=True), free)


def test_a_gpu_takes_all_layers_or_as_many_as_it_has_room_for():
    all_of_it = choose(SMALL, TASK, free=16 * GB, gpus=[Gpu("large", 24 * GB, 20 * GB)])
    assert all_of_it.gpu_layers == -1
    some = choose(SMALL, TASK, free=16 * GB, gpus=[Gpu("small", 2 * GB, GB)])
    assert 0 < some.gpu_layers < SMALL.layers
    full = choose(SMALL, TASK, free=16 * GB, gpus=[Gpu("full", GB, 0)])
    assert full.gpu_layers == 0
    # What stands on the GPU need not fit here.
    assert choose(SMALL, TASK, free=500_000_000, gpus=[Gpu("large", 24 * GB, 20 * GB)])


WIDE = replace(SMALL, weights=1_260_000_000, repacked=0, halves=True)


def test_unpacked_weights_where_half_of_the_memory_is_enough():
    whole = choose(SMALL, TASK, free=16 * GB, unpacked=WIDE)
    assert (whole.weights, whole.slots) == ("f16", DEFAULT_SLOTS)
    assert whole.need.weights == WIDE.weights
    for free in (whole.taken * 2 - 2, int(1.2 * GB)):
        short = choose(SMALL, TASK, free=free, unpacked=WIDE)
        assert short == choose(SMALL, TASK, free=free)
        assert (short.weights, short.slots) == ("stored", DEFAULT_SLOTS)
    assert choose(SMALL, TASK, free=whole.taken * 2, unpacked=WIDE).weights == "f16"


@pytest.mark.parametrize(
    "few",
    [
        {"slots": F16_SLOTS - 1},
        {"requests": F16_SLOTS - 1},
        {"threads": DEFAULT_SLOTS // 2 + 1},
    ],
)
def test_few_samples_at_once_are_not_worth_unpacking(few):
    task = replace(TASK, **few)
    assert choose(SMALL, task, free=16 * GB, unpacked=WIDE).weights == "stored"
    assert choose(SMALL, replace(task, weights="f16"), free=16 * GB, unpacked=WIDE).weights == "f16"


def test_once_chosen_unpacked_weights_go_after_the_cache_has_shrunk():
    task = replace(TASK, weights="f16", max_tokens=4096)
    plenty, less, none = (
        choose(SMALL, task, free=int(free * GB), unpacked=WIDE) for free in (16, 2.0, 1.4)
    )
    assert [each.weights for each in (plenty, less, none)] == ["f16", "f16", "stored"]
    assert less.cells < plenty.cells


def test_where_texts_are_to_be_the_same_their_weights_are_too():
    task = replace(TASK, exact=True, weights="f16")
    with pytest.raises(MemoryShortage, match="Close other programs"):
        choose(SMALL, task, free=int(1.2 * GB), unpacked=WIDE)
    assert choose(SMALL, replace(task, weights="auto"), free=int(1.2 * GB), unpacked=WIDE)


SPLIT = replace(SMALL, inputs=100_000_000, output=145_000_000)


@given(free=st.integers(0, 4 * GB), number=st.integers(1, 3))
def test_gpus_have_room_for_what_they_are_given(free, number):
    sizing = choose(SPLIT, TASK, free=16 * GB, gpus=[Gpu("one", 4 * GB, free)] * number)
    if sizing.gpu_layers == 0:
        assert sizing.there == 0
        return
    inner = SPLIT.layers if sizing.gpu_layers < 0 else sizing.gpu_layers - 1
    layers = SPLIT.weights - SPLIT.inputs - SPLIT.output + sizing.need.cache
    given = SPLIT.output + layers * inner / SPLIT.layers
    assert given + number * sizing.need.compute <= 0.9 * free * number
    # Nothing is on GPUs twice, and the embedding never.
    assert sizing.taken >= sizing.need.process + SPLIT.inputs
    assert sizing.there >= given - 1


def test_more_samples_at_once_on_a_gpu_and_fewer_where_its_memory_is_short():
    def on(free):
        return choose(SPLIT, TASK, free=16 * GB, gpus=[Gpu("one", 24 * GB, free)])

    assert on(20 * GB).slots == GPU_SLOTS
    short = on(1_300_000_000)
    assert short.gpu_layers == -1 and 1 <= short.slots < GPU_SLOTS


def test_the_users_layers_are_taken():
    gpus = [Gpu("one", 24 * GB, 20 * GB)]
    task = replace(TASK, gpu_layers=5)
    assert choose(SPLIT, task, free=16 * GB, gpus=gpus).gpu_layers == 5
    assert choose(SPLIT, replace(TASK, gpu_layers=0), free=16 * GB, gpus=gpus).there == 0


@pytest.fixture
def here(monkeypatch):
    """Chooses on a machine with so many GPUs."""

    def choose_with(task, *, offload, known=(), unpacked=None):
        monkeypatch.setattr(memory, "available_bytes", lambda: 16 * GB)
        monkeypatch.setattr(gpus, "gpus", lambda: known)
        monkeypatch.setattr(this_machine, "offloads", lambda: offload)
        monkeypatch.setattr(this_machine, "shape_of", lambda gguf: SPLIT)
        monkeypatch.setattr(this_machine, "f16_shape", lambda gguf, weights: unpacked)
        return this_machine.choose_here(read_header(SEED_MODEL), task)

    return choose_with


def test_a_build_without_gpus_gets_no_layers(here):
    known = [Gpu("one", 24 * GB, 20 * GB)]
    assert here(replace(TASK, gpu_layers=7), offload=False, known=known).gpu_layers == 0
    assert here(TASK, offload=True, known=known).gpu_layers == -1


def test_what_may_be_on_a_gpu_stays_as_it_is(here):
    assert here(TASK, offload=True, unpacked=WIDE).weights == "stored"
    assert here(TASK, offload=False, unpacked=WIDE).weights == "f16"


def test_a_gpu_that_nvml_does_not_know_gets_all_layers(here):
    sizing = here(TASK, offload=True)
    assert (sizing.gpu_layers, sizing.there) == (-1, 0)
    assert here(replace(TASK, gpu_layers=3), offload=True).gpu_layers == 3


def test_a_run_keeps_what_is_set_and_chooses_the_rest(tmp_path):
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"id": "1", "prompt": "Add."}\n')
    config = build({"model": str(SEED_MODEL), "problems": str(problems)})
    chosen, cells = settled(config, [problems], SEED_MODEL)
    assert chosen.generate.slots == DEFAULT_SLOTS and chosen.generate.gpu_layers is not None
    assert cells % 256 == 0
    assert chosen.generate.weights in ("stored", "f16")
    assert settled(chosen, [problems], SEED_MODEL) == (chosen, cells)
    own = chosen.model_copy(update={"generate": chosen.generate.model_copy(update={"slots": 3})})
    assert settled(own, [problems], SEED_MODEL)[0].generate.slots == 3


def test_what_a_user_has_set_stays_also_where_it_cannot_be_had(tmp_path, monkeypatch):
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"id": "1", "prompt": "Add."}\n')
    monkeypatch.setattr(this_machine, "offloads", lambda: False)
    monkeypatch.setattr(this_machine, "f16_shape", lambda gguf, weights: None)
    config = build({"model": str(SEED_MODEL), "problems": str(problems)})
    wish = config.generate.model_copy(update={"weights": "f16", "gpu_layers": -1})
    found, _ = settled(config.model_copy(update={"generate": wish}), [problems], SEED_MODEL)
    # Or the same command, which has the wish in it, would not go on with the run.
    assert (found.generate.weights, found.generate.gpu_layers) == ("f16", -1)


def test_where_texts_are_promised_the_form_of_weights_does_not_depend_on_memory(tmp_path):
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"id": "1", "prompt": "Add."}\n')
    given = {"model": str(SEED_MODEL), "problems": str(problems), "deterministic": True}
    assert settled(build(given), [problems], SEED_MODEL)[0].generate.weights == "stored"


@pytest.mark.parametrize("value", ["many", [], ["a", 1], float("inf")])
def test_a_header_whose_numbers_are_none_is_one_line(value):
    said = {"general.architecture": "qwen2", "qwen2.block_count": value}
    entries = {key: Entry(content, 0, 0) for key, content in said.items()}
    with pytest.raises(ModelError, match=r"m\.gguf: qwen2\.block_count is no number"):
        shape_of(GgufFile(Path("m.gguf"), 0, entries, {}, 0, 0, 0, 32))
