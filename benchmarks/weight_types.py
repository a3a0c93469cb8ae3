"""Claim: with most types of weights a pass over many sequences is slower than with F16, on AVX2.

    python benchmarks/weight_types.py

Models with a few layers of the shapes of Qwen2.5 1.5B and 7B, all of whose matrices have one type
(and whose values are zero, which costs no less). For 8, 16 and 32 sequences the fastest of some
forward passes with llama.cpp, and how many times as long as with F16. Prints a line for each type
and, last, one line of JSON; times in milliseconds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from localdistill.backends.llama_model import bindings
from localdistill.cores import usable_cores
from tests.backends.headers import Model, Types, write

SHAPES = {
    "1.5B": {"layers": 6, "width": 1536, "heads": 12, "shared": 2, "head": 128, "feed": 8960},
    "7B": {"layers": 2, "width": 3584, "heads": 28, "shared": 4, "head": 128, "feed": 18_944},
}
TYPES = ("F16", "Q4_0", "Q4_1", "Q5_0", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS")
SEQUENCES = (8, 16, 32)
PASSES = 6
VOCABULARY = 4096


def main() -> None:
    """Measure each type for each shape."""
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in SHAPES.items():
            rows = found[name] = {}
            for kind in TYPES:
                type_ = getattr(Types, kind)
                model = Model("qwen2", vocabulary=VOCABULARY, kind=type_, output=type_, **shape)
                path = write(Path(folder) / "model.gguf", model)
                rows[kind] = [1000 * fastest(path, number) for number in SEQUENCES]
                told = (
                    f"{number}: {each:.0f} ms, {each / base:.2f}"
                    for number, each, base in zip(SEQUENCES, rows[kind], rows["F16"], strict=True)
                )
                print(f"{name} {kind}  {'  '.join(told)}", flush=True)
    rounded = {
        name: {kind: [round(each, 1) for each in times] for kind, times in rows.items()}
        for name, rows in found.items()
    }
    print(json.dumps({"sequences": SEQUENCES, "threads": usable_cores(), "ms": rounded}))


def fastest(path: Path, sequences: int) -> float:
    """Seconds of the fastest pass with one token of each of so many sequences."""
    lib = bindings()
    model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_seq_max, params.kv_unified = 4096, sequences, True
    params.n_batch = params.n_ubatch = 256
    params.n_threads = params.n_threads_batch = usable_cores()
    context = lib.llama_init_from_model(model, params)
    batch = lib.llama_batch_init(sequences, 0, 1)
    batch.n_tokens = sequences
    seconds = []
    for number in range(PASSES):
        for i in range(sequences):
            batch.token[i], batch.pos[i], batch.logits[i] = i + 1, number, 1
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, i
        began = time.perf_counter()
        code = lib.llama_decode(context, batch)
        lib.llama_synchronize(context)
        seconds.append(time.perf_counter() - began)
        assert code == 0
    lib.llama_batch_free(batch)
    lib.llama_free(context)
    lib.llama_model_free(model)
    return min(seconds[1:])  # the first one reads the file


if __name__ == "__main__":
    main()
