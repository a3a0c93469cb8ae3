"""What a run came to, in a few plain lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from localdistill.metrics import pass_at_1
from localdistill.outcomes import Comparison, Omitted
from localdistill.sampling import Sampling
from localdistill.stages.regression_found import told_in_words
from localdistill.types import EvalResult, ModelScore, SandboxUse

if TYPE_CHECKING:
    from localdistill.pipeline import RunResult

_UNSAFE = (
    "WARNING: THERE WAS NO SANDBOX (verify.sandbox = unsafe). Programs that the model wrote ran "
    "with your own rights: rely neither on the verdicts nor on this machine."
)
_SMALLEST_P = 1e-4  # about as small as so many flips of signs can tell
_SAYING = {
    "better": "better",
    "worse": "worse",
    "no evidence": "no evidence that it is better",
}
_CONTROLS = {
    "references": "training on the reference solutions",
    "shuffled": "training on shuffled prompts",
}


def result_text(result: RunResult, report: Path | None = None) -> str:
    """The sandbox, scores before and after, the difference with interval, where the model is.

    ``report`` is where the HTML report stands, if it was written.
    """
    lines = [line for use in result.sandboxes for line in sandbox_lines(use)]
    if result.comparison is not None:
        lines += strategies(result.comparison)
    lines += [f"No model of round {entry.round}: {entry.reason}" for entry in result.rejections]
    lines += result.remarks
    if result.evaluation is not None:
        lines += comparison(result.evaluation)
    elif result.model.round:
        lines.append("Verdict: not known: there was no time to compare the new model with the old")
    elif result.omitted is None or all(each.stage != "round" for each in result.omitted.items):
        lines.append("Verdict: no new model: no round gave one; the starting model is kept")
    else:
        lines.append("Verdict: no new model: there was no time for a round; the old one is kept")
    if result.general is not None:
        lines.append(told_in_words(result.general))
    lines += left_out(result.omitted)
    if report is not None:
        lines.append(f"Report: {report}")
    return "\n".join([*lines, f"Model: {result.model.gguf}"])


def left_out(omitted: Omitted | None) -> list[str]:
    """What --hours left out, a line each."""
    if omitted is None or not omitted.items:
        return []
    head = f"Left out, as the run had {omitted.hours:g} hours (--hours):"
    return [head, *(f"  {item.what}" for item in omitted.items)]


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
        return scores("Scored", evaluation.candidate, evaluation.level)
    level = f"{100 * evaluation.level:g}%"
    lines = decodings(evaluation)
    for label, score in (("Before", evaluation.baseline), ("After ", evaluation.candidate)):
        lines += scores(label, score, evaluation.level)
    if evaluation.gain is not None:
        gain, low, high = (
            100 * value
            for value in (evaluation.gain, evaluation.gain_low or 0.0, evaluation.gain_high or 0.0)
        )
        verdict = _SAYING[evaluation.verdict or "no evidence"]
        interval = f"{level} interval {low:+.1f} to {high:+.1f}"
        if evaluation.p_value is not None:
            small = evaluation.p_value < _SMALLEST_P
            interval += f", p {'< 0.0001' if small else f'= {evaluation.p_value:.2g}'}"
        lines.append(f"Verdict: {verdict}: {gain:+.1f} points in pass@1, {interval}")
        lines += _advice(evaluation)
    return [*lines, *openings(evaluation), *controls(evaluation)]


def _advice(evaluation: EvalResult) -> list[str]:
    """What the figures do not say by themselves."""
    lines = []
    if not evaluation.decoding_chosen:
        lines.append(
            "Note: no decoding was chosen for either model; a part of a gain may be what better "
            "decoding alone would give"
        )
    if evaluation.types_differ:
        lines.append(
            f"Note: the old file is of type {evaluation.baseline_type} and the new one "
            f"{evaluation.candidate_type}: the difference is training and quantisation together"
        )
    if evaluation.verdict == "worse":
        lines.append("Keep using the model that you had")
    elif evaluation.verdict == "no evidence":
        lines.append("Nothing speaks for using the new model instead of the one that you had")
    return lines


def controls(evaluation: EvalResult) -> list[str]:
    """How much of the gain other kinds of training give: a line each."""
    level = f"{100 * evaluation.level:g}%"
    return [
        f"Control: {_CONTROLS.get(entry.name, entry.name)}: {points(entry.gain)} points "
        f"({level} interval {points(entry.gain_low)} to {points(entry.gain_high)})"
        for entry in evaluation.controls
    ]


def strategies(found: Comparison) -> list[str]:
    """The strategies of the selection lab side by side, the best first; a table."""
    ranked = sorted(found.arms, key=lambda arm: -pass_at_1(arm.score))
    level = f"{100 * found.level:g}%"
    rows = [
        (
            "strategy", "examples", "tokens", "pass@1 on dev",
            f"gain in points ({level} interval)", "behind *",
        )
    ]  # fmt: skip
    for arm in ranked:
        gain = _with_interval(arm.gain, arm.gain_low, arm.gain_high)
        behind = _with_interval(arm.behind, arm.behind_low, arm.behind_high)
        name = f"{arm.name} *" if arm.chosen else arm.name
        score = f"{100 * pass_at_1(arm.score):.1f}%"
        rows.append((name, f"{arm.examples:,}", f"{arm.tokens:,}", score, gain, behind))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"Strategies, each trained on up to {found.tokens_each:,} tokens (*: the run's model)"]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append(f"  {'  '.join(cells).rstrip()}")
    return lines + [f"  {entry.name}: no model: {entry.reason}" for entry in found.left_out]


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "-"
    return f"{points(value)} ({points(low)} to {points(high)})"


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}"


def decodings(evaluation: EvalResult) -> list[str]:
    """How each model is decoded, where that was chosen on dev."""
    lines = []
    for label, score, chosen in (
        ("The model you had", evaluation.baseline, evaluation.baseline_decoding),
        ("The new model", evaluation.candidate, evaluation.candidate_decoding),
    ):
        tried = [each for each in evaluation.choices if score and each.model == score.model]
        best = next((each for each in tried if each.chosen), None)
        if len(tried) > 1 and best is not None and best.decoding == chosen:
            sampling = Sampling(**best.decoding)
            how = "greedily" if sampling.greedy else f"at {sampling.told()}"
            value = f"{100 * pass_at_1(best.score):.1f}% pass@1 on dev"
            lines.append(f"{label} decodes best {how}: {value}, the best of {len(tried)} ways")
    return lines


def openings(evaluation: EvalResult) -> list[str]:
    """A warning where the set has been looked at more than once."""
    if len(evaluation.openings) < 2:
        return []
    looked = ", ".join(each.candidate for each in evaluation.openings)
    return [
        f"Note: {evaluation.problem_set} has been opened {len(evaluation.openings)} times by this "
        f"run ({looked}). If you went on because of what it showed, it is no clean test any more: "
        "name fresh --eval-problems in a new run to be sure. What earlier looks have shown is in "
        "evaluation-*.json."
    ]


def scores(label: str, score: ModelScore, level: float = 0.95) -> list[str]:
    """One line for each k: the share of problems solved within k samples."""
    return [
        f"{label} pass@{at.k} {100 * at.value:.1f}% ({100 * level:g}% interval "
        f"{100 * at.low:.1f} to {100 * at.high:.1f}) on {score.problems} problems, "
        f"{score.samples} samples"
        for at in score.pass_at
    ]
