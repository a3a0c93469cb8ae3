"""Claim: sampling is about as fast as the model can be decoded, and faster than the usual ways.

    python benchmarks/build_llama_server.py --out DIR
    python benchmarks/generate_throughput.py --model FILE.gguf --problems mbpp:mbpp.jsonl#test \\
        --server DIR/bin/llama-server

The same prompts and sampler for all, end tokens counted as sampled, loading not counted; each in a
process of its own, one after the other:

- ours: `LlamaCppGenerator`, `--slots` samples at once.
- loop: `llama_cpp.Llama.create_completion`, one after the other; samples of a problem follow each
  other, so that it finds their prompt in its cache. `--loop-share` of the work: its speed does
  not depend on how much there is.
- server: llama.cpp's own, with as many slots, asked by as many clients, its prompt cache on.
- limit: nothing but `llama_decode` on full batches of as many sequences that share their prompt,
  at the lengths that ours had.

The sampler is temperature 1, top-k 20, top-p 0.95: at temperature 1 all orders are the same.
Prints one line of JSON. vs_loop and vs_server: tokens a second, prompts and all. vs_limit: tokens a
second of decoding alone. python_share: of our time, outside of llama.cpp and the drawing in C.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from localdistill.backends.base import GenerationRequest
from localdistill.backends.llama_cpp import LlamaCppGenerator
from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.sampling import Sampling

TEMPERATURE, TOP_K, TOP_P = 1.0, 20, 0.95
LIMIT_STEPS = 60


def main() -> None:
    """Run each in turn and compare."""
    args = _arguments()
    if args.only:
        print(json.dumps(_PEERS[args.only](args)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in args.peers}
    for _ in range(args.repeats):
        for name in args.peers:
            command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(name, found[name][-1], file=sys.stderr, flush=True)
    rates = {name: _median(rows, "per_second") for name, rows in found.items()}
    figures: dict[str, Any] = {
        f"vs_{name}": round(rates["ours"] / rates[name], 3)
        for name in ("loop", "server")
        if name in rates and "ours" in rates
    }
    if "limit" in rates and "ours" in rates:
        decoding = _median(found["ours"], "decoded_per_second")
        figures["vs_limit"] = round(decoding / rates["limit"], 3)
        figures["python_share"] = round(_median(found["ours"], "python_share"), 4)
    facts = {"model": args.model.name, "slots": args.slots, "threads": args.threads}
    print(json.dumps({**figures, **facts, "runs": found}))


def _median(rows: list[dict[str, float]], name: str) -> float:
    return statistics.median(row[name] for row in rows)


def _requests(args: argparse.Namespace) -> list[GenerationRequest]:
    return [
        GenerationRequest(problem.id, sample, messages(problem), 1000 * number + sample)
        for number, problem in enumerate(load(args.problems, args.prompts).problems)
        for sample in range(args.samples)
    ]


def _ours(args: argparse.Namespace) -> dict[str, float]:
    sampling = Sampling(
        temperature=TEMPERATURE, top_k=TOP_K, top_p=TOP_P, max_tokens=args.max_tokens
    )
    requests = _requests(args)
    with LlamaCppGenerator(
        args.model, sampling, slots=args.slots, threads=args.threads
    ) as generator:
        generator.prepare(requests)
        began = time.perf_counter()
        rows = list(generator.generate(requests))
        seconds = time.perf_counter() - began
        stats = generator.stats
    tokens = sum(row.token_count for row in rows)
    assert len(rows) == len(requests) and tokens == stats.decoded_tokens
    return {
        "per_second": tokens / seconds,
        "tokens": tokens,
        "seconds": seconds,
        "decoded_per_second": tokens / stats.decode_s,
        "prefill_tokens": stats.prefill_tokens,
        "prefill_share": stats.prefill_s / seconds,
        "model_share": stats.model_s / seconds,
        "draw_share": stats.sample_s / seconds,
        "python_share": (seconds - stats.model_s - stats.sample_s) / seconds,
        "mean_tokens": tokens / len(rows),
    }


def _loop(args: argparse.Namespace) -> dict[str, float]:
    import llama_cpp

    model = LlamaModel(args.model, gpu_layers=0)
    per_problem = max(1, round(args.samples * args.loop_share))
    work = [
        (model.prompt_tokens(request.messages), request.seed)
        for request in _requests(args)
        if request.sample < per_problem
    ]
    model.close()
    llama = llama_cpp.Llama(
        str(args.model),
        n_ctx=max(len(prompt) for prompt, _ in work) + args.max_tokens,
        n_threads=args.threads,
        n_threads_batch=args.threads,
        flash_attn=True,
        verbose=False,
    )
    tokens = 0
    began = time.perf_counter()
    for prompt, seed in work:
        answer: Any = llama.create_completion(
            prompt,
            max_tokens=args.max_tokens,
            temperature=TEMPERATURE,
            top_k=TOP_K,
            top_p=TOP_P,
            min_p=0.0,
            seed=seed,
        )
        ended = answer["choices"][0]["finish_reason"] == "stop"
        tokens += answer["usage"]["completion_tokens"] + ended
    seconds = time.perf_counter() - began
    return {"per_second": tokens / seconds, "tokens": tokens, "seconds": seconds}


def _server(args: argparse.Namespace) -> dict[str, float]:
    model = LlamaModel(args.model, gpu_layers=0)
    work = [(model.prompt_tokens(request.messages), request.seed) for request in _requests(args)]
    model.close()
    room = max(len(prompt) for prompt, _ in work) + args.max_tokens
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        args.server, "--model", args.model, "--host", "127.0.0.1", "--port", str(port),
        "--parallel", str(args.slots), "--ctx-size", str(args.slots * room),
        "--threads", str(args.threads), "--threads-batch", str(args.threads), "--no-webui",
    ]  # fmt: skip
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            _wait_for(address, process)

            def ask(item: tuple[list[int], int]) -> int:
                prompt, seed = item
                return _complete(address, prompt, seed, args.max_tokens)

            with concurrent.futures.ThreadPoolExecutor(args.slots) as clients:
                began = time.perf_counter()
                tokens = sum(clients.map(ask, work))
                seconds = time.perf_counter() - began
        finally:
            process.terminate()
    return {"per_second": tokens / seconds, "tokens": tokens, "seconds": seconds}


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    sys.exit(f"generate_throughput: the server ended with {process.returncode}")


def _complete(address: str, prompt: list[int], seed: int, most: int) -> int:
    body = {
        "prompt": prompt, "n_predict": most, "seed": seed, "temperature": TEMPERATURE,
        "top_k": TOP_K, "top_p": TOP_P, "min_p": 0.0,
        "samplers": ["top_k", "top_p", "temperature"],
    }  # fmt: skip
    request = urllib.request.Request(
        f"{address}/completion",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return int(json.load(answer)["tokens_predicted"])


def _limit(args: argparse.Namespace) -> dict[str, float]:
    """`LIMIT_STEPS` full batches, spread over the lengths that samples go through."""
    model = LlamaModel(args.model, gpu_layers=0)
    prompts = [model.prompt_tokens(request.messages) for request in _requests(args)]
    prompt = sorted(prompts, key=len)[len(prompts) // 2]
    slots = list(range(args.slots))
    cells = args.slots * (len(prompt) + args.max_tokens) + len(prompt)
    decoder = LlamaDecoder(model, sequences=args.slots + 1, cells=cells, threads=args.threads)
    for start in range(0, len(prompt), decoder.batch):
        decoder.step([], [], [], (args.slots, prompt[start : start + decoder.batch], start))
    for slot in slots:
        decoder.share(args.slots, slot)
    seconds = 0.0
    steps = 0
    decode = decoder._lib.llama_decode

    def timed(*arguments: Any) -> Any:
        nonlocal seconds
        began = time.perf_counter()
        status = decode(*arguments)
        seconds += time.perf_counter() - began
        return status

    class Timed:
        def __getattr__(self, name: str) -> Any:
            return timed if name == "llama_decode" else getattr(library, name)

    library = decoder._lib
    decoder._lib = Timed()
    for step in range(min(LIMIT_STEPS, args.max_tokens)):
        text = [prompt[(step * 7 + slot * 3) % len(prompt)] for slot in slots]
        decoder.step(slots, text, [len(prompt) + step] * args.slots)
        steps += 1
    return {"per_second": steps * args.slots / seconds, "seconds": seconds}


_PEERS = {"ours": _ours, "loop": _loop, "server": _server, "limit": _limit}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--problems", required=True, help="[FORMAT:]FILE[#PART]")
    parser.add_argument("--server", type=Path, help="llama-server; see build_llama_server.py")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loop-share", type=float, default=1.0)
    parser.add_argument("--peers", nargs="+", choices=_PEERS, default=list(_PEERS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--only", choices=_PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.server is None and args.only != "server":
        args.peers = [name for name in args.peers if name != "server"]
    return args


if __name__ == "__main__":
    main()
