"""Claim: batching changes nothing but rounding, and tokens come from the exact distribution.

    python benchmarks/generate_correctness.py --model FILE.gguf --problems mbpp:mbpp.jsonl#test

Three comparisons with llama.cpp decoding one sequence at a time:

- greedy: `--prompts` problems, decoded together and by a loop over `Llama.generate`. At the first
  token at which two texts part, the gap between the two best logits must be below the noise: the
  most that such a gap changes between a sequence alone and the same one in a full batch. Where
  weights are unpacked to 16 bits (docs/decisions/0015) there are two loops: one on the same
  unpacked weights (`greedy`), which shows what batching changes, and one on the file as it is
  (`file_greedy`), which shows what both change, with gaps and noise of the file as it is.
- sampled: `--draws` samples of one prompt, for both sampler orders. The frequencies of the first
  tokens, those of later positions among the samples with the commonest beginning, against the
  exact distribution (Pearson's chi-squared, cells that expect under 5 pooled; Bonferroni).
- log-probabilities: the recorded mean of `--logprob-prompts` greedy texts against a separate
  evaluation, and the change of that from the composition of the batch alone.

Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from generate_limit import opened_as

from localdistill.backends.base import GenerationRequest
from localdistill.backends.llama_cpp import LlamaCppGenerator
from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel
from localdistill.backends.sample import Sample
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.sampling import Sampling, Weights

CHAIN = {"temperature": 1.6, "top_k": 20, "top_p": 0.8}  # the paper's for Qwen3-4B-Instruct
POSITIONS = 4


def main() -> None:
    """Compare and print."""
    args = _arguments()
    texts, drawn = {}, {}
    _record_tokens(drawn)
    wanted = _requests(args)
    sampling = Sampling(temperature=0, max_tokens=args.max_tokens, end_loops=False)
    with _ours(args, sampling, args.slots) as ours:
        texts = {row.problem_id: row for row in ours.generate(wanted)}
    greedy = {key[0]: tokens for key, tokens in drawn.items()}
    one = _Forced(args, args.weights)
    figures: dict[str, Any] = {
        "weights": ours.stats.weights,
        **_greedy(args, args.weights, one, wanted, greedy),
        **_logprobs(
            one, wanted[: args.logprob_prompts], texts, greedy, _others(one, wanted, greedy)
        ),
    }
    if ours.stats.weights == "f16":
        stored = _greedy(args, "stored", _Forced(args, "stored"), wanted, greedy)
        figures |= {f"file_{name}": value for name, value in stored.items()}
    if not args.draws:
        print(json.dumps(figures))
        return
    drawn.clear()
    for order in ("paper", "llama.cpp"):
        figures |= _sampled(
            args, one, wanted[0], Sampling(**CHAIN, order=order, max_tokens=POSITIONS), drawn
        )
    print(json.dumps(figures))


def _ours(args: argparse.Namespace, sampling: Sampling, slots: int) -> LlamaCppGenerator:
    with opened_as(args.model, args.weights, args.threads) as weights:
        return LlamaCppGenerator(
            args.model, sampling, slots=slots, threads=args.threads, weights=weights
        )


def _requests(args: argparse.Namespace) -> list[GenerationRequest]:
    problems = load(args.problems, args.prompts).problems
    return [GenerationRequest(each.id, 0, messages(each), 1) for each in problems]


def _record_tokens(into: dict[tuple[str, int], list[int]]) -> None:
    complete = Sample.completion

    def recording(sample: Sample) -> Any:
        into[sample.request.key] = list(sample.tokens)
        return complete(sample)

    Sample.completion = recording


class _Forced:
    """Logits along given tokens, of one sequence alone or of several side by side."""

    def __init__(self, args: argparse.Namespace, form: Weights) -> None:
        with opened_as(args.model, form, args.threads) as weights:
            self.model = LlamaModel(args.model, gpu_layers=0, weights=weights)
        self.slots = args.slots
        cells = (self.slots + 1) * (1024 + args.max_tokens)
        self.decoder = LlamaDecoder(
            self.model, sequences=self.slots + 1, cells=cells, threads=args.threads
        )

    def rows(
        self, prompt: list[int], tokens: list[int], others: list[tuple[list[int], list[int]]]
    ) -> np.ndarray:
        """Shape (len(tokens), vocabulary): row i is what tokens[i] was drawn from.

        ``others`` are prompts with answers that are decoded at the same time, and begun before.
        """
        decoder = self.decoder
        decoder.clear()
        sequences = [*others, (prompt, tokens)]
        for slot, (before, _) in enumerate(sequences):
            # In a full batch prompts are computed in pieces, as they find room.
            most = 16 if others else decoder.batch
            for start in range(0, len(before) - 1, most):
                part = before[start : min(len(before) - 1, start + most)]
                decoder.step([], [], [], (slot, part, start))
        slots = list(range(len(sequences)))
        found = np.empty((len(tokens), self.model.vocab_size), dtype=np.float32)
        for i in range(len(tokens)):
            fed = [
                before[-1] if i == 0 else after[(i - 1) % len(after)] for before, after in sequences
            ]
            at = [len(before) - 1 + i for before, _ in sequences]
            found[i] = decoder.step(slots, fed, at)[-1]
        return found


def _others(
    one: _Forced, wanted: list[GenerationRequest], greedy: dict[str, list[int]]
) -> list[tuple[list[int], list[int]]]:
    """What fills a batch beside the sequence that is looked at."""
    last = wanted[-(one.slots - 1) :]
    return [(one.model.prompt_tokens(each.messages), greedy[each.problem_id]) for each in last]


def _gaps(rows: np.ndarray) -> np.ndarray:
    best = np.partition(rows, -2, axis=1)[:, -2:]
    return best[:, 1] - best[:, 0]


def _logprob_of(rows: np.ndarray, tokens: list[int]) -> np.ndarray:
    wide = rows.astype(np.float64)
    highest = wide.max(axis=1)
    total = np.log(np.exp(wide - highest[:, None]).sum(axis=1)) + highest
    return wide[np.arange(len(tokens)), tokens] - total


def _greedy(
    args: argparse.Namespace,
    form: Weights,
    one: _Forced,
    wanted: list[GenerationRequest],
    greedy: dict[str, list[int]],
) -> dict[str, float]:
    import llama_cpp

    with opened_as(args.model, form, args.threads) as weights:
        loop = llama_cpp.Llama(
            str(weights or args.model), n_ctx=2048, n_batch=512, flash_attn=True, verbose=False,
            n_threads=args.threads, n_threads_batch=args.threads,
        )  # fmt: skip
    others = _others(one, wanted, greedy)
    noise, gaps, equal = 0.0, [], 0
    for number, request in enumerate(wanted):
        prompt = one.model.prompt_tokens(request.messages)
        theirs = _loop_tokens(loop, prompt, one.model.end_tokens, args.max_tokens)
        mine = greedy[request.problem_id]
        # The noise of a full batch, measured on the loop's own texts.
        if number < args.noise_prompts:
            alone, full = one.rows(prompt, theirs, []), one.rows(prompt, theirs, others)
            noise = max(noise, float(np.abs(_gaps(alone) - _gaps(full)).max()))
        parted = next(
            (i for i, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]),
            None,
        )
        if parted is None:
            equal += len(mine) == len(theirs)
            continue
        rows = one.rows(prompt, theirs[: parted + 1], [])
        gaps.append(float(_gaps(rows[-1:])[0]))
    loop.close()
    return {
        "greedy_prompts": len(wanted), "greedy_equal": equal, "greedy_parted": len(gaps),
        "greedy_largest_gap": max(gaps, default=0.0), "batch_noise": noise,
        "greedy_within_noise": all(gap <= noise for gap in gaps),
    }  # fmt: skip


def _loop_tokens(loop: Any, prompt: list[int], ends: frozenset[int], most: int) -> list[int]:
    tokens: list[int] = []
    for token in loop.generate(prompt, temp=0.0, repeat_penalty=1.0):
        tokens.append(token)
        if token in ends or len(tokens) >= most:
            break
    return tokens


def _logprobs(
    one: _Forced,
    wanted: list[GenerationRequest],
    texts: dict[str, Any],
    greedy: dict[str, list[int]],
    others: list[tuple[list[int], list[int]]],
) -> dict[str, float]:
    errors, composition = [], []
    for request in wanted:
        prompt, tokens = one.model.prompt_tokens(request.messages), greedy[request.problem_id]
        alone = _logprob_of(one.rows(prompt, tokens, []), tokens).mean()
        full = _logprob_of(one.rows(prompt, tokens, others), tokens).mean()
        errors.append(abs(texts[request.problem_id].mean_logprob - alone))
        composition.append(abs(full - alone))
    return {
        "logprob_median_error": float(np.median(errors)),
        "logprob_largest_error": float(max(errors)),
        "logprob_change_by_batch": float(max(composition)),
    }  # fmt: skip


def _sampled(
    args: argparse.Namespace,
    one: _Forced,
    request: GenerationRequest,
    sampling: Sampling,
    drawn: dict[tuple[str, int], list[int]],
) -> dict[str, float]:
    drawn.clear()
    wanted = [
        GenerationRequest(request.problem_id, sample, request.messages, sample)
        for sample in range(args.draws)
    ]
    with _ours(args, sampling, 64) as ours:
        for _ in ours.generate(wanted):
            pass
    prompt = one.model.prompt_tokens(request.messages)
    beginning: tuple[int, ...] = ()
    chances = []
    for position in range(POSITIONS):
        here = [t for t in drawn.values() if tuple(t[:position]) == beginning and len(t) > position]
        if len(here) < 500:
            break
        rows = one.rows(prompt, [*beginning, 0], [])
        counts = Counter(tokens[position] for tokens in here)
        chances.append(chance(counts, len(here), distribution(rows[-1], sampling)))
        beginning = (*beginning, counts.most_common(1)[0][0])
    least = min(chances) * len(chances) * 2  # Bonferroni: positions and both orders
    return {
        f"sampled_p_{sampling.order}": min(1.0, least),
        f"sampled_positions_{sampling.order}": len(chances),
    }


def distribution(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Probabilities by the definitions, float64."""
    x = logits.astype(np.float64)
    scaled = x / sampling.temperature if sampling.order == "paper" else x
    order = np.argsort(-scaled, kind="stable")[: sampling.top_k or None]
    weights = np.exp(scaled[order] - scaled[order[0]])
    mass = weights.cumsum() / weights.sum()
    kept = order[: int(np.searchsorted(mass, sampling.top_p)) + 1]
    final = np.exp((x[kept] - x[kept[0]]) / sampling.temperature)
    result = np.zeros(len(x))
    result[kept] = final / final.sum()
    return result


def chance(counts: Counter[int], total: int, expected: np.ndarray) -> float:
    """p of Pearson's chi-squared, by Wilson and Hilferty's approximation (1931)."""
    if any(expected[token] == 0 for token in counts):
        return 0.0
    wanted = total * expected[expected > 0]
    observed = np.array([counts[token] for token in np.flatnonzero(expected)], dtype=float)
    large = wanted >= 5
    wanted = np.append(wanted[large], wanted[~large].sum())
    observed = np.append(observed[large], observed[~large].sum())
    if wanted[-1] < 5:
        wanted, observed = wanted[:-1], observed[:-1]
    freedom = len(wanted) - 1
    if freedom < 1:
        return 1.0
    statistic = float(((observed - wanted) ** 2 / wanted).sum())
    spread = 2 / (9 * freedom)
    z = ((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return 0.5 * math.erfc(z / math.sqrt(2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--problems", required=True, help="[FORMAT:]FILE[#PART]")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--noise-prompts", type=int, default=8)
    parser.add_argument("--logprob-prompts", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--weights", choices=("auto", "stored", "f16"), default="auto",
                        help="for ours; the loop has the file as it is")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()
