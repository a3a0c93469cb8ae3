"""The other way to the same numbers: llama-cpp-python's one-sequence API and float64 numpy."""

from pathlib import Path

import numpy as np

SEED_MODEL = Path(__file__).resolve().parents[2] / "models" / "seed" / "seed-q8_0.gguf"


class OneSequence:
    """Raw logits of one sequence at a time, without batching and without a shared prompt."""

    def __init__(self, path, context=512, flash_attention=True):
        import llama_cpp

        self.llama = llama_cpp.Llama(
            str(path),
            n_ctx=context,
            n_threads=1,
            logits_all=True,
            flash_attn=flash_attention,
            verbose=False,
        )

    def logits_after(self, prompt, tokens):
        """Row i: the float64 logits from which ``tokens[i]`` was drawn."""
        self.llama.reset()
        self.llama.eval([*prompt, *tokens[:-1]])
        rows = np.array(self.llama.scores[: self.llama.n_tokens], dtype=np.float64)
        return rows[len(prompt) - 1 :]

    def mean_logprob(self, prompt, tokens):
        rows = self.logits_after(prompt, tokens)
        picked = rows[np.arange(len(tokens)), tokens]
        return float(np.mean(picked - log_sum_exp(rows)))

    def close(self):
        self.llama.close()


def log_sum_exp(rows):
    highest = rows.max(axis=-1)
    return highest + np.log(np.exp(rows - highest[..., None]).sum(axis=-1))


def distribution(logits, sampling):
    """Probabilities over the vocabulary after temperature and truncation, by the definitions."""
    steps = {
        "temperature": lambda x: x / sampling.temperature,
        "top_k": lambda x: _keep(x, sampling.top_k or len(x)),
        "top_p": lambda x: _keep(x, _nucleus(x, sampling.top_p)),
        "min_p": lambda x: np.where(softmax(x) >= sampling.min_p * softmax(x).max(), x, -np.inf),
    }
    order = ["temperature", "top_k", "top_p", "min_p"]
    if sampling.order == "llama.cpp":
        order = ["top_k", "top_p", "min_p", "temperature"]
    for name in order:
        logits = steps[name](logits)
    return softmax(logits)


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _nucleus(logits, top_p):
    """How many of the likeliest tokens it takes to reach ``top_p``."""
    if top_p >= 1:
        return len(logits)
    mass = np.cumsum(np.sort(softmax(logits))[::-1])
    return int(np.searchsorted(mass, top_p)) + 1


def _keep(logits, count):
    kept = np.argsort(-logits, kind="stable")[:count]
    result = np.full_like(logits, -np.inf)
    result[kept] = logits[kept]
    return result


def fits(counts, expected):
    """Whether ``counts`` are a plausible draw (Pearson's chi-squared, p > 1e-4).

    Cells that expect fewer than 5 are pooled; what is impossible must not have been drawn.
    """
    if counts[expected == 0].any():
        return False
    large = expected >= 5
    observed = np.append(counts[large], counts[~large].sum())
    wanted = np.append(expected[large], expected[~large].sum())
    if wanted[-1] < 5:  # still too few: add them to the smallest cell
        wanted[-2] += wanted[-1]
        observed[-2] += observed[-1]
        observed, wanted = observed[:-1], wanted[:-1]
    freedom = len(wanted) - 1
    if freedom == 0:
        return True
    # 1 - 1e-4 quantile by Wilson and Hilferty; 3.72 is the normal one.
    critical = freedom * (1 - 2 / (9 * freedom) + 3.72 * (2 / (9 * freedom)) ** 0.5) ** 3
    return float(((observed - wanted) ** 2 / wanted).sum()) < critical
