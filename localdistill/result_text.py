"""What a run came to, in a few plain lines."""

from __future__ import annotations

from pathlib import Path

from localdistill.pipeline import RunResult
from localdistill.stages.regression import told_in_words
from localdistill.types import EvalResult, ModelScore, SandboxUse

_UNSAFE = (
    "WARNING: THERE WAS NO SANDBOX (verify.sandbox = unsafe). Programs that the model wrote ran "
    "with your own rights: rely neither on the verdicts nor on this machine."
)
_SAYING = {
    "better": "better",
    "worse": "worse",
    "no evidence": "no evidence that it is better",
}


def result_text(result: RunResult, report: Path | None = None) -> str:
    """The sandbox, scores before and after, the difference with interval, where the model is.

    ``report`` is where the HTML report stands, if it was written.
    """
    lines = [line for use in result.sandboxes for line in sandbox_lines(use)]
    lines += [f"No model of round {entry.round}: {entry.reason}" for entry in result.rejections]
    if result.evaluation is None:
        lines.append("Verdict: no new model: every round was rejected; the starting model is kept")
    else:
        lines += comparison(result.evaluation)
    if result.general is not None:
        lines.append(told_in_words(result.general))
    if report is not None:
        lines.append(f"Report: {report}")
    return "\n".join([*lines, f"Model: {result.model.gguf}"])


def sandbox_lines(use: SandboxUse) -> list[str]:
    """Which sandbox tier it was, what that does not cover, and what was passed over."""
    lines = [_UNSAFE] if use.unsafe else []
    lines.append(f"Sandbox: tier {use.tier}")
    lines += [f"  not covered: {sentence}" for sentence in use.not_covered]
    lines += [f"  passed over: {reason}" for reason in use.passed_over]
    return lines


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
        if evaluation.p_value is not None:
            interval += f", p = {evaluation.p_value:.2g}"
        lines.append(f"Verdict: {verdict}: {gain:+.1f} points in pass@1, {interval}")
    return lines


def scores(label: str, score: ModelScore) -> list[str]:
    """One line for each k: the share of problems solved within k samples."""
    return [
        f"{label} pass@{at.k} {100 * at.value:.1f}% (95% interval {100 * at.low:.1f} to "
        f"{100 * at.high:.1f}) on {score.problems} problems, {score.samples} samples"
        for at in score.pass_at
    ]
