"""The model of llama.cpp's memory against llama.cpp, which can lay out its buffers without them."""

import json
import platform
import re
import subprocess
import sys

import pytest

from localdistill.backends.llama_memory import graph, need
from localdistill.quantization.gguf_file import read_header
from localdistill.stages.f16_weights import f16_shape
from localdistill.stages.model_shape import shape_of
from localdistill.stages.sizing import CPU_BATCH
from tests.backends.headers import Model, Types, write
from tests.backends.reference import SEED_MODEL

MODELS = {
    "qwen2.5 0.5B": Model("qwen2", 2, 896, 14, 2, 64, 4864, 151_936),
    "qwen2.5 7B": Model("qwen2", 2, 3584, 28, 4, 128, 18_944, 152_064),
    "qwen2.5 14B": Model("qwen2", 2, 5120, 40, 8, 128, 13_824, 152_064),
    "qwen3 0.6B": Model("qwen3", 2, 1024, 16, 8, 128, 3072, 151_936, tied=True),
    "qwen3 4B": Model("qwen3", 2, 2560, 32, 8, 128, 9728, 151_936, tied=True),
    "qwen3 30B-A3B": Model("qwen3moe", 2, 2048, 32, 4, 128, 6144, 151_936, experts=(128, 8, 768)),
    "few wide experts": Model("qwen3moe", 2, 2048, 16, 4, 128, 512, 1024, experts=(16, 2, 4096)),
    "llama 8B": Model("llama", 2, 4096, 32, 8, 128, 14_336, 128_256),
    "wide heads": Model("qwen3", 2, 256, 32, 32, 128, 512, 1024),
    "wide inside": Model("llama", 2, 512, 8, 2, 64, 8192, 1024),
}
CONTEXTS = [(2, 512, 256), (2, 256, 512), (17, 8192, 256), (33, 16_384, 512), (200, 4096, 256)]

# One process a model: an assertion of llama.cpp's ends it.
SIMULATE = """
import ctypes, json, sys
import llama_cpp as lib
said = []
log = lib.llama_log_callback(lambda level, text, user: said.append(text.decode(errors="replace")))
lib.llama_log_set(log, ctypes.c_void_p(0))
lib.llama_backend_init()
params = lib.llama_model_default_params()
params.no_alloc, params.load_mode = json.loads(sys.argv[2]), 0
model = lib.llama_model_load_from_file(sys.argv[1].encode(), params)
assert model, "".join(said)
found = ["".join(said)]
for sequences, cells, batch in json.loads(sys.argv[3]):
    said.clear()
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_seq_max = cells, sequences
    params.n_batch = params.n_ubatch = max(batch, sequences)
    params.n_outputs_max, params.kv_unified, params.flash_attn_type = sequences, True, -1
    context = lib.llama_init_from_model(model, params)
    assert context, "".join(said)
    lib.llama_free(context)
    found.append("".join(said))
print(json.dumps(found))
"""
MB = 2**20


def told(path, *contexts, simulate=True):
    """What llama.cpp says while it opens a model, and while it makes each context."""
    arguments = [str(path), json.dumps(simulate), json.dumps(contexts)]
    run = subprocess.run(
        [sys.executable, "-c", SIMULATE, *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def size_of(buffer, text):
    """Bytes of a buffer that llama.cpp names in ``text``; 0 if it does not."""
    return sum(float(found) * MB for found in re.findall(rf"{buffer} *buffer size *= *(\S+)", text))


@pytest.mark.real
@pytest.mark.parametrize("name", MODELS)
def test_the_buffers_of_a_context_are_what_llama_cpp_lays_out(tmp_path, name):
    path = write(tmp_path / "model.gguf", MODELS[name])
    shape = shape_of(read_header(path))
    rounding = 0.01 * MB  # it prints two digits of a MiB
    for (sequences, cells, batch), text in zip(CONTEXTS, told(path, *CONTEXTS)[1:], strict=True):
        laid_out = size_of("compute", text)
        computed = graph(shape, sequences=sequences, cells=cells, batch=batch)
        assert laid_out > 0
        assert laid_out - rounding <= computed, (sequences, cells, batch)
        # Mostly it is the same; what the allocator saves in gaps is not foreseen.
        assert computed <= 1.4 * laid_out, (sequences, cells, batch)
        wanted = need(shape, sequences=sequences, cells=cells, batch=batch)
        assert size_of("output", text) == pytest.approx(wanted.logits, abs=rounding)


@pytest.mark.real
def test_the_cache_is_what_llama_cpp_makes(tmp_path):
    path = write(tmp_path / "model.gguf", MODELS["wide heads"])
    text = told(path, (3, 1000, 64), simulate=False)[1]
    wanted = need(shape_of(read_header(path)), sequences=3, cells=1000, batch=64)
    assert size_of("KV", text) == pytest.approx(wanted.cache, abs=0.01 * MB)


SMALL = {"layers": 2, "width": 512, "heads": 8, "shared": 2, "head": 64, "feed": 1024}


@pytest.mark.real
@pytest.mark.skipif(platform.machine() != "x86_64", reason="other processors copy other types")
@pytest.mark.parametrize(
    ("kind", "output", "tied", "experts"),
    [
        (Types.Q4_K, Types.Q6_K, False, None),
        (Types.Q4_K, Types.Q6_K, True, None),
        (Types.Q4_0, Types.Q4_0, True, None),  # the embedding is copied as the output matrix
        (Types.IQ4_NL, Types.Q8_0, False, None),
        (Types.MXFP4, Types.Q6_K, False, None),
        (Types.Q5_K, Types.Q6_K, False, None),
        (Types.Q8_0, Types.Q8_0, False, None),
        (Types.Q4_K, Types.Q6_K, False, (8, 2, 512)),
    ],
)
def test_matrices_are_copied_as_llama_cpp_copies_them(tmp_path, kind, output, tied, experts):
    model = Model("qwen3moe" if experts else "qwen3", **SMALL, vocabulary=4096, tied=tied,
                  experts=experts, kind=kind, output=output)  # fmt: skip
    path = write(tmp_path / "model.gguf", model)
    copied = size_of("CPU_REPACK model", told(path, simulate=False)[0])
    assert copied == pytest.approx(shape_of(read_header(path)).repacked, abs=0.01 * MB)


# The stage as the command line's child runs it; at its end it tells its peak.
STAGE = """
import sys
from localdistill.events import ignore
from localdistill.stages import generate
generate.run(generate.GenerateRequest.model_validate_json(sys.argv[1]), ignore)
print(open("/proc/self/status").read())
"""


@pytest.mark.real
@pytest.mark.parametrize("weights", ["stored", "f16"])
@pytest.mark.parametrize("slots", [1, 8, 32])
def test_a_process_stays_below_its_plan_which_is_close(tmp_path, slots, weights):
    problems = tmp_path / "problems.jsonl"
    rows = ({"id": str(number), "prompt": f"Add {number}. " * 40} for number in range(2))
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
    request = {
        "model": str(SEED_MODEL),
        "problems": str(problems),
        "samples": slots,
        "slots": slots,
        "threads": 2,
        "weights": weights,
        "sampling": {"max_tokens": 64},
        "out": str(tmp_path / "out.jsonl"),
    }
    run = subprocess.run(
        [sys.executable, "-c", STAGE, json.dumps(request)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    cells = json.loads((tmp_path / "out.jsonl.done").read_text())["cells"]
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", run.stdout)[1]) * 1024
    header = read_header(SEED_MODEL)
    shape = f16_shape(header, "f16") if weights == "f16" else shape_of(header)
    planned = need(
        shape, sequences=slots + 1, cells=cells, batch=CPU_BATCH, threads=2, requests=2 * slots
    )
    assert peak <= planned.total <= 1.15 * peak
