"""Checks on what the passes measured: distributions, and what training won."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.stages.parity import bounds
from localdistill.stages.parity.agreement import Agreement, Losses, noise, spread
from localdistill.stages.parity.checks import Check
from localdistill.trainers.record import TRAINING


@dataclass(frozen=True)
class Trained:
    """Mean loss on the held-out rows, nats: the 4-bit base without and with the adapter."""

    before: float
    after: float

    @property
    def won(self) -> float:
        """How much lower training made it."""
        return self.before - self.after


def read_trained(adapter: Path) -> Trained | None:
    """What training measured; None for an adapter that does not say it."""
    try:
        content = json.loads((adapter / TRAINING).read_text(encoding="utf-8"))
        return Trained(float(content["held_out"]["before"]), float(content["held_out"]["after"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError, OverflowError):
        return None


def merge_check(found: Agreement) -> Check:
    """The F16 file computes what the merged weights compute in 32 bits."""
    passed: bool | None = found.mean_kl <= bounds.F16_KL
    reason = ""
    if not passed:
        reason = (
            f"llama.cpp's F16 file and the merged weights in 32 bits are {found.mean_kl:.2g} nats "
            "apart, so one of the two does not hold what was trained."
        )
    elif found.positions < bounds.F16_POSITIONS:
        passed, reason = None, f"only {found.positions} positions to compare at."
    return Check(
        name="merged weights",
        passed=passed,
        figures={
            "positions": found.positions,
            "mean KL": _short(found.mean_kl),
            "99% of KL below": _short(found.high_kl),
            "same first choice": _short(found.top1),
        },
        bound=f"mean KL at most {bounds.F16_KL:g} nats over {bounds.F16_POSITIONS} positions",
        reason=reason,
    )


def quantised_check(kind: str, new: Agreement, new_loss: Losses, start: Agreement) -> Check:
    """The quantised file is no further from F16 than its type, or the starting file, is."""
    bound = bounds.bound_of(kind)
    kl = max(bound.kl, bounds.RELATIVE * start.mean_kl)
    top1 = min(bound.top1, 1 - bounds.RELATIVE * (1 - start.top1))
    reason = ""
    if not new.mean_kl <= kl:
        reason = (
            f"quantising to {kind} takes the merged weights {new.mean_kl:.3g} nats away from F16; "
            f"the starting file is {start.mean_kl:.3g} away from its own. Training made weights "
            "that this type cannot hold: export to a larger one (Q8_0), or train again at a lower "
            "learning rate."
        )
    elif not new.top1 >= top1:
        reason = (
            f"the first choice is another one at {1 - new.top1:.0%} of positions, which is more "
            f"than {kind} does elsewhere. Export to a larger type (Q8_0)."
        )
    return Check(
        name="quantisation",
        passed=not reason,
        figures={
            "type": kind,
            "positions": new.positions,
            "KL to F16": _short(new.mean_kl),
            "99% of KL below": _short(new.high_kl),
            "same first choice": _short(new.top1),
            "perplexity": round(new_loss.perplexity, 3),
            "starting file: KL to its weights": _short(start.mean_kl),
            "starting file: same first choice": _short(start.top1),
        },
        bound=f"mean KL at most {kl:.3g} nats, same first choice at {top1:.3g} of positions",
        reason=reason,
    )


def base_check(trained: Trained | None, before: Losses) -> Check:
    """The weights that were merged into are those that the adapter was trained on."""
    name = "base"
    bound = (
        f"loss at most {bounds.BASE_ABOVE} above and {bounds.BASE_BELOW} below that of the 4-bit "
        "base in training, on the rows that were held out"
    )
    if trained is None or not before.parts:
        return Check(name=name, passed=None, bound=bound, reason=_NOT_MEASURED)
    gap = before.mean - trained.before
    reason = ""
    if not gap <= bounds.BASE_ABOVE:
        reason = (
            f"without the adapter the weights have a loss of {before.mean:.3f} nats on held-out "
            f"text, and the base of the training had {trained.before:.3f}: this is another model. "
            "Give the one that the adapter was trained on."
        )
    elif not gap >= -bounds.BASE_BELOW:
        reason = (
            f"without the adapter the weights have a loss of {before.mean:.3f} nats on held-out "
            f"text, far below the {trained.before:.3f} that training began with: they contain "
            "this training already, or are another model. Give the one that it began with."
        )
    figures: dict[str, Any] = {
        "loss of the weights": _short(before.mean),
        "loss of the 4-bit base in training": _short(trained.before),
    }
    return Check(name=name, passed=not reason, figures=figures, bound=bound, reason=reason)


@dataclass(frozen=True)
class HeldOut:
    """Losses on the held-out rows before and after, of the weights and of the quantised files."""

    weights_before: Losses
    weights_after: Losses  # of the merged weights in F16
    file_before: Losses
    file_after: Losses


def survival_check(trained: Trained | None, held: HeldOut, start_kl: float) -> Check:
    """What training won on held-out text is there in F16, and in the quantised file.

    Needed is 80% of it, or all but what chance may take where it is small.
    """
    name = "what training won"
    positions = sum(map(len, held.weights_before.parts))
    if trained is None or not positions:
        return Check(name=name, passed=None, reason=_NOT_MEASURED)
    won = {
        "F16": held.weights_before.mean - held.weights_after.mean,
        "file": held.file_before.mean - held.file_after.mean,
    }
    # Both are upper bounds of what chance takes; of a broken model the first grows, and of a text
    # without surprises the second is far too large.
    chance = {
        "F16": min(
            spread(held.weights_before, held.weights_after), noise(bounds.NF4_KL, positions)
        ),
        "file": min(
            spread(held.file_before, held.file_after),
            noise(bounds.NF4_KL + min(start_kl, 1.0), positions),
        ),
    }
    needed = {
        which: trained.won
        - max((1 - bounds.SURVIVAL) * abs(trained.won), chance[which], bounds.NOTHING)
        for which in won
    }
    lost = [which for which in won if not won[which] >= needed[which]]
    reason = ""
    if lost:
        whose = "the merged weights in F16" if lost[0] == "F16" else "the quantised file"
        reason = (
            f"training lowered the loss on held-out text by {trained.won:.3f} nats, and of that "
            f"{whose} kept {won[lost[0]]:.3f}."
        )
        nearer = abs(held.weights_before.mean - trained.after) < abs(
            held.weights_before.mean - trained.before
        )
        if lost[0] == "F16" and nearer and trained.won > 0:
            reason += " Before merging the weights were at that already: was it merged before?"
        if lost[0] == "file":
            reason += (
                " A finer type holds more of it: set export.quant to Q8_0 (--quant Q8_0). Of a GGUF"
                " file alone, the Hugging Face folder of its model beside it does so as well."
            )
    return Check(
        name=name,
        passed=not reason,
        figures={
            "positions": positions,
            "nats won in training (4 bits)": _short(trained.won),
            "nats won in F16": _short(won["F16"]),
            "nats won in the file": _short(won["file"]),
            "loss of the file before": _short(held.file_before.mean),
            "loss of the file after": _short(held.file_after.mean),
        },
        bound=f"at least {needed['F16']:.3f} in F16 and {needed['file']:.3f} in the file",
        reason=reason,
    )


_NOT_MEASURED = "the adapter does not say what training won on held-out text (training.json)."


def _short(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")
