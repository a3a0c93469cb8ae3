"""What several tries at a problem give, from samples that both models have on dev anyway."""

from __future__ import annotations

from dataclasses import dataclass

from localdistill import metrics
from localdistill.bootstrap import Confidence
from localdistill.report.wording import decoding
from localdistill.sampling import Sampling
from localdistill.types import DecodingScore, EvalResult, PassAtK


@dataclass(frozen=True)
class Several:
    """pass@k of both models, sampled alike; chosen by nothing of this."""

    decoding: str
    problems: int
    before: list[PassAtK]
    after: list[PassAtK]


def on_dev(evaluation: EvalResult, how: Confidence) -> Several | None:
    """pass@1 and pass@k of both under the warmest decoding that both were tried with.

    Unbiased (``metrics.pass_at_k``), with k the samples that every problem has. None where there
    are no two samples of each. A greedy model says the same each time, so that its pass@k is its
    pass@1: where one of two was chosen to be decoded greedily, this is where more tries are seen.
    """
    if evaluation.baseline is None:
        return None
    before, after = (
        {_key(each): each for each in evaluation.choices if each.model == score.model}
        for score in (evaluation.baseline, evaluation.candidate)
    )
    both = [before[key] for key in before.keys() & after.keys()]
    drawn = [each for each in both if not Sampling(**each.decoding).greedy and _fewest(each) > 1]
    if not drawn:
        return None
    warmest = max(drawn, key=lambda each: (Sampling(**each.decoding).temperature, _key(each)))
    other = after[_key(warmest)]
    k = min(_fewest(warmest), _fewest(other))
    if k < 2:
        return None
    scores = [
        metrics.of_counts(each.model, each.score.counts, (1, k), how) for each in (warmest, other)
    ]
    return Several(
        decoding(warmest.decoding), other.score.problems, scores[0].pass_at, scores[1].pass_at
    )


def _key(each: DecodingScore) -> str:
    return Sampling(**each.decoding).model_dump_json()


def _fewest(each: DecodingScore) -> int:
    return min((total for _, total in each.score.counts.values()), default=0)
