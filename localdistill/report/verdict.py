"""The verdict of a run in one plain sentence, and what it must be read with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from localdistill.report.costs import Costs
from localdistill.report.reading import Run
from localdistill.report.wording import level, percent, plural, points, signed_range
from localdistill.types import EvalResult

Tone = Literal["better", "worse", "none", "rejected", "open"]


NOT_CHOSEN = (
    "No decoding was chosen for either model: both were used in one way, which may not be the best "
    "for yours. A part of a gain may be what better decoding alone would give."
)


@dataclass(frozen=True)
class Headline:
    """``word`` and ``rest`` are one sentence; each of ``warnings`` is another."""

    tone: Tone
    word: str
    rest: str
    warnings: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The whole of it."""
        return f"{self.word}: {self.rest}"


def headline(run: Run, costs: Costs) -> Headline:
    """What the run came to, or how far it has got."""
    if run.evaluation is not None:
        tone, word, rest = _compared(run.evaluation)
    elif run.all_rejected:
        tone, word = "rejected", "No new model"
        what = "the only round was" if len(run.rounds) == 1 else "every round was"
        rest = f"{what} rejected, so your model stays as it is."
    elif _lacked_time(run, "evaluate") and any(each.made for each in run.rounds):
        tone, word = "none", "Not compared"
        rest = "there is a new model, and there was no time to compare it with yours."
    elif _lacked_time(run, "round") and not any(each.made for each in run.rounds):
        tone, word = "rejected", "No new model"
        rest = "there was no time for a round, so your model stays as it is."
    else:
        tone, word, rest = "open", "Not finished", _so_far(run, costs)
    return Headline(tone, word, rest, _warnings(run))


def against(evaluation: EvalResult) -> str:
    """What the new model was held against, and how both were decoded."""
    own = evaluation.decoding_chosen
    return f"against your model with {'its own best' if own else 'the same'} decoding"


def _compared(evaluation: EvalResult) -> tuple[Tone, str, str]:
    gain, low, high = evaluation.gain, evaluation.gain_low, evaluation.gain_high
    if gain is None or low is None or high is None:
        score = evaluation.candidate.pass_at[0]
        rest = f"the new model scores {percent(score.value)} in pass@1"
        return "none", "Not compared", f"{rest}, and there is nothing to hold that against."
    known: dict[str | None, tuple[Tone, str]] = {
        "better": ("better", "Better"),
        "worse": ("worse", "Worse"),
    }
    tone, word = known.get(evaluation.verdict, ("none", "No evidence that it is better"))
    interval = f"{level(evaluation.level)} interval {signed_range(low, high)}"
    rest = f"{points(gain)} points in pass@1, {interval}, {against(evaluation)}."
    return tone, word, rest


def _so_far(run: Run, costs: Costs) -> str:
    if costs.stage is None:
        return "nothing has been drawn from the model yet."
    rounds = run.config.rounds if run.config else costs.round
    where = f"round {costs.round} of {max(rounds, costs.round)}, " if costs.round else ""
    return f"it has got to {where}stage {costs.stage}. There is no verdict yet."


def _lacked_time(run: Run, stage: str) -> bool:
    return run.omitted is not None and any(item.stage == stage for item in run.omitted.items)


def _worse_on_dev(evaluation: EvalResult) -> str | None:
    """Where the choice was between models that all did worse on dev than the old one."""
    if evaluation.baseline is None:
        return None
    chosen = {each.model: each.score.pass_at[0].value for each in evaluation.choices if each.chosen}
    old, new = (chosen.get(each.model) for each in (evaluation.baseline, evaluation.candidate))
    if old is None or new is None or new >= old:
        return None
    return (
        f"On dev the new model does worse ({percent(new)}) than yours ({percent(old)}): by the "
        "rules of the run it would not have been taken. "
        + (
            "The comparison above is on other problems, and is the one that counts."
            if evaluation.verdict == "better"
            else "Keep using yours."
        )
    )


def _warnings(run: Run) -> list[str]:
    found = []
    if any(use.unsafe for use in run.sandboxes):
        found.append(
            "There was no sandbox (verify.sandbox = unsafe): programs that the model wrote ran "
            "with your own rights. Rely neither on these figures nor on the machine."
        )
    if run.guard is not None and run.guard.passed is False:
        failed = [each.name for each in run.guard.checks if each.passed is False]
        found.append(
            f"On general questions the new model has lost more than it may ({', '.join(failed)})."
        )
    if run.evaluation is not None and not run.evaluation.decoding_chosen:
        found.append(NOT_CHOSEN)
    if run.evaluation is not None and run.evaluation.types_differ:
        found.append(
            f"Your file is of type {run.evaluation.baseline_type} and the new one "
            f"{run.evaluation.candidate_type} (export.quant): the difference is what training and "
            "quantisation do together, and not training alone."
        )
    worse = _worse_on_dev(run.evaluation) if run.evaluation else None
    found += [worse] if worse else []
    openings = run.evaluation.openings if run.evaluation else []
    if len(openings) > 1:
        found.append(
            f"This run has looked at its evaluation problems {len(openings)} times. What has been "
            "looked at and then changed is no longer a test: only the first look counts in full "
            f"({openings[0].candidate}; the results of earlier looks are in evaluation-*.json)."
        )
    if run.omitted is not None and run.omitted.items:
        hours = f" of {run.omitted.hours:g} hours" if run.omitted.hours else ""
        found.append(f"The time budget{hours} left {plural(len(run.omitted.items), 'thing')} out.")
    if run.rejections and not run.all_rejected:
        rounds = ", ".join(str(each.round) for each in run.rejections)
        found.append(f"No model came of round {rounds}: rejected.")
    return found
