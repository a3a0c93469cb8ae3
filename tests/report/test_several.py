"""pass@k of both models from what they were sampled for on dev."""

from localdistill import metrics
from localdistill.bootstrap import USUAL
from localdistill.metrics import pass_at_k
from localdistill.report import page, several
from localdistill.types import DecodingScore

WARM, COOL, GREEDY = ({"temperature": t} for t in (1.0, 0.6, 0.0))
BEFORE = {"a": (1, 4), "b": (0, 4), "c": (4, 4)}
AFTER = {"a": (2, 4), "b": (1, 4), "c": (4, 4)}


def tried(model, how, counts):
    return DecodingScore(model=model, decoding=how, score=metrics.of_counts(model, counts, [1]))


def found(finished, *choices):
    return several.on_dev(finished.evaluated(choices=list(choices)), USUAL)


def test_both_under_the_warmest_decoding_that_both_were_tried_with(finished):
    both = [(how, name, counts) for how in (COOL, WARM) for name, counts in
            (("base", BEFORE), ("round-01", AFTER))]  # fmt: skip
    seen = found(finished, *(tried(name, how, counts) for how, name, counts in both))
    assert seen.problems == 3 and "1" in seen.decoding
    assert [at.k for at in seen.before] == [at.k for at in seen.after] == [1, 4]
    assert seen.before[0].value == (0.25 + 0 + 1) / 3
    assert seen.after[1].value == sum(pass_at_k(4, c, 4) for c, _ in AFTER.values()) / 3


def test_nothing_where_there_are_no_two_samples_of_both(finished):
    assert found(finished) is None
    assert found(finished, tried("base", WARM, BEFORE)) is None
    assert found(finished, tried("base", WARM, BEFORE), tried("round-01", COOL, AFTER)) is None
    greedy = [tried(name, GREEDY, BEFORE) for name in ("base", "round-01")]
    assert found(finished, *greedy) is None
    once = {"a": (1, 1)}
    assert found(finished, tried("base", WARM, BEFORE), tried("round-01", WARM, once)) is None


def test_the_page_shows_it(finished):
    finished.evaluated(choices=[tried("base", WARM, BEFORE), tried("round-01", WARM, AFTER)])
    shown = page.render(finished.path)
    assert "With several tries, on 3 dev problems" in shown
    assert "With several tries" not in page.render(_without(finished))


def _without(finished):
    finished.evaluated()
    return finished.path
