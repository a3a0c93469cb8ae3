"""What a comparison can show, as a sentence for people, before a night is spent on it."""

from __future__ import annotations

from localdistill.bootstrap import Confidence
from localdistill.config import EvaluateConfig
from localdistill.decodings import samples_of
from localdistill.power import minimum_detectable_effect

_TOO_COARSE = 0.1  # a smallest gain that is found, above which it is seldom there


def what_can_be_shown(
    wanted: EvaluateConfig, problems: int, drawn: int | None = None
) -> tuple[str, bool]:
    """How large a gain a comparison on ``problems`` finds, and whether that is too coarse.

    ``drawn``: samples of each, where it is known how models are decoded and there was no time for
    more problems.
    """
    how = Confidence(wanted.level, wanted.interval)
    samples = wanted.samples if drawn is None else drawn
    each = f"{samples} samples each" if samples > 1 else "one sample each"
    size = f"{problems} problems with {each}"
    effect = minimum_detectable_effect(problems, samples, how=how)
    if effect is None:
        text = f"The comparison on {size} can show no gain, however large"
    else:
        text = f"The comparison on {size} finds a gain of {100 * effect:.1f} points in 4 of 5 cases"
    ways = wanted.grid().values() if drawn is None else ()
    fewest = min((samples_of(way, wanted.samples, wanted.ks) for way in ways), default=samples)
    one = minimum_detectable_effect(problems, fewest, how=how)
    coarse = [each for each in (effect, one) if each is None or each > _TOO_COARSE]
    if effect is not None and effect in coarse:
        text += ", smaller ones seldom"
    if fewest < samples and effect is not None and one is not None:
        text += f"; of {100 * one:.1f} points where greedy decoding turns out best (one sample)"
    if coarse and drawn is not None:
        text += ". More --hours allow for more problems"
    elif coarse:
        text += ". To find smaller ones name more problems"
        text += ", or raise evaluate.samples" if effect in coarse else ""
    return f"{text}.", bool(coarse)
