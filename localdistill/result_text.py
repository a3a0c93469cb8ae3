"""What a run came to, in a few plain lines."""

from __future__ import annotations

from localdistill.pipeline import RunResult
from localdistill.types import EvalResult, ModelScore

_SAYING = {
    "better": "better",
    "worse": "worse",
    "no evidence": "no evidence that it is better",
}


def result_text(result: RunResult) -> str:
    """Scores before and after, the difference with its interval, and where the model is."""
    return "\n".join([*comparison(result.evaluation), f"Model: {result.model.gguf}"])


def comparison(evaluation: EvalResult) -> list[str]:
    """The lines that say whether the candidate is better than the baseline."""
    if evaluation.baseline is None:
        return scores("Scored", evaluation.candidate)
    lines = [*scores("Before", evaluation.baseline), *scores("After ", evaluation.candidate)]
    if evaluation.gain is not None:
        gain, low, high = (
            100 * value
            for value in (evaluation.gain, evaluation.gain_low or 0.0, evaluation.gain_high or 0.0)
        )
        verdict = _SAYING[evaluation.verdict or "no evidence"]
        interval = f"95% interval {low:+.1f} to {high:+.1f}"
        lines.append(f"Verdict: {verdict}: {gain:+.1f} points in pass@1, {interval}")
    return lines


def scores(label: str, score: ModelScore) -> list[str]:
    """One line for each k: the share of problems solved within k samples."""
    return [
        f"{label} pass@{at.k} {100 * at.value:.1f}% (95% interval {100 * at.low:.1f} to "
        f"{100 * at.high:.1f}) on {score.problems} problems, {score.samples} samples"
        for at in score.pass_at
    ]
