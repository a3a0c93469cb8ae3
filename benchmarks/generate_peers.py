"""What generate_throughput.py compares; each runs alone: JSON on standard input, JSON out."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import generate_limit
import generate_server
from c_time import CTime

from localdistill.backends import draw
from localdistill.backends.base import GenerationRequest, GenerationStats
from localdistill.backends.llama_cpp import LlamaCppGenerator
from localdistill.backends.llama_model import LlamaModel, bindings
from localdistill.sampling import Sampling
from localdistill.types import Completion, Message

Work = dict[str, Any]


def main() -> None:
    """Measure the one that is named."""
    work = json.load(sys.stdin)
    found = PEERS[sys.argv[1]](work)
    who = resource.RUSAGE_CHILDREN if sys.argv[1] == "server" else resource.RUSAGE_SELF
    found["peak_mb"] = round(resource.getrusage(who).ru_maxrss / 1024)
    print(json.dumps(found))


def ours(work: Work) -> dict[str, Any]:
    """This package. Loops end their completion as in the product: checking for them has a price."""
    sampling = Sampling(
        **{name: work[name] for name in ("temperature", "top_k", "top_p", "max_tokens")},
        order="llama.cpp",
    )
    c_time = CTime(bindings(), "llama_")
    compiled = draw.compiled()
    if compiled is not None:
        c_time.also(compiled, "ld_draw")
    requests = _requests(work)
    steps = _Steps()
    path = Path(work["model"])
    began = time.perf_counter()
    with generate_limit.opened_as(path, work["weights"], work["threads"]) as weights:
        generator = LlamaCppGenerator(
            path, sampling, slots=work["slots"], threads=work["threads"], weights=weights
        )
    loading = time.perf_counter() - began
    with generator:
        generator.prepare(requests)
        c_time.reset()
        began = steps.at = time.perf_counter()
        rows = {row.key: row for row in generator.generate(requests, steps.tick)}
        seconds = time.perf_counter() - began
        in_c, stats = dict(c_time.seconds), generator.stats  # before memory is given back, in C
    lengths = [rows[request.key].token_count for request in requests]
    parts = {
        "llama_decode": in_c["llama_decode"],
        "draw": in_c.get("ld_draw", 0.0),  # 0: not compiled, and a part of python
    }
    parts["other_c"] = sum(in_c.values()) - sum(parts.values())
    parts["python"] = seconds - sum(parts.values())
    return {
        **_rate(sum(lengths), seconds),
        "decoded_per_second": steps.tokens / steps.seconds,
        "prefill_tokens": stats.prefill_tokens,
        "mean_batch": round(stats.decoded_tokens / c_time.calls["llama_decode"], 2),
        "share": {name: round(part / seconds, 4) for name, part in parts.items()},
        "ended_by": _ends(list(rows.values())),
        "weights": stats.weights,
        "loading_seconds": round(loading, 2),
        "lengths": lengths,
    }


class _Steps:
    """Tokens and wall-clock seconds of the passes that held no part of a prompt."""

    def __init__(self) -> None:
        self.tokens, self.seconds, self.at = 0, 0.0, 0.0
        self._before = (0, 0)

    def tick(self, stats: GenerationStats) -> None:
        now = time.perf_counter()
        decoded, prefilled = self._before
        if stats.prefill_tokens == prefilled:
            self.tokens += stats.decoded_tokens - decoded
            self.seconds += now - self.at
        self._before = (stats.decoded_tokens, stats.prefill_tokens)
        self.at = now


def loop(work: Work) -> dict[str, Any]:
    """llama-cpp-python's documented call, sample after sample.

    Samples of a prompt follow each other, so that it finds the prompt in its cache, as it does by
    itself. Its chain is fixed: penalties (off), top-k, typical (off), top-p, min-p (off),
    temperature.
    """
    prompts = _prompts(work)
    import llama_cpp

    llama = llama_cpp.Llama(
        work["model"],
        n_ctx=_room(prompts, work),
        n_gpu_layers=-1,
        n_threads=work["threads"],
        n_threads_batch=work["threads"],
        flash_attn=True,
        verbose=False,
    )
    samples = max(1, round(work["samples"] * work["loop_share"]))
    tokens = 0
    began = time.perf_counter()
    for request, prompt in zip(_requests(work), prompts, strict=True):
        if request.sample >= samples:
            continue
        answer: Any = llama.create_completion(
            prompt,
            max_tokens=work["max_tokens"],
            temperature=work["temperature"],
            top_k=work["top_k"],
            top_p=work["top_p"],
            min_p=0.0,
            repeat_penalty=1.0,
            seed=request.seed,
        )
        tokens += answer["usage"]["completion_tokens"]
        tokens += answer["choices"][0]["finish_reason"] == "stop"  # the end token, not counted
    return _rate(tokens, time.perf_counter() - began)


def server(work: Work) -> dict[str, Any]:
    """See ``generate_server``."""
    prompts = _prompts(work)
    seeds = [request.seed for request in _requests(work)]
    tokens, seconds, facts = generate_server.run(
        work, list(zip(prompts, seeds, strict=True)), room=_room(prompts, work)
    )
    return {**_rate(tokens, seconds), **facts}


def limit(work: Work) -> dict[str, Any]:
    """See ``generate_limit``."""
    prompts = _prompts(work)
    found = generate_limit.run(work, prompts, room=_room(prompts, work))
    rate = _rate(found.tokens, found.seconds)
    per_second = found.prefill_tokens / found.prefill_seconds
    return {**rate, "prefill_tokens": found.prefill_tokens, "prefill_per_second": per_second}


PEERS = {"ours": ours, "limit": limit, "server": server, "loop": loop}


def _requests(work: Work) -> list[GenerationRequest]:
    return [
        GenerationRequest(
            problem["id"],
            sample,
            [Message(**message) for message in problem["messages"]],
            number * work["samples"] + sample,
        )
        for number, problem in enumerate(work["problems"])
        for sample in range(work["samples"])
    ]


def _prompts(work: Work) -> list[list[int]]:
    """Tokens of each request's prompt, from the same template and tokenizer as ours."""
    model = LlamaModel(Path(work["model"]), gpu_layers=0)
    found = [model.prompt_tokens(request.messages) for request in _requests(work)]
    model.close()
    return found


def _room(prompts: Sequence[Sequence[int]], work: Work) -> int:
    """Context of one sample, as ours has it."""
    return max(map(len, prompts)) + int(work["max_tokens"])


def _rate(tokens: int, seconds: float) -> dict[str, Any]:
    return {"per_second": tokens / seconds, "tokens": tokens, "seconds": seconds}


def _ends(rows: list[Completion]) -> dict[str, int]:
    kinds = [str(row.ended_by) for row in rows]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


if __name__ == "__main__":
    main()
