"""How much of a gain another kind of training gives."""

import pytest

from localdistill.report import controls, page
from localdistill.types import ControlScore, ModelScore
from tests.report.making import PASSES, SAMPLES


def control(name, shares, gain):
    counts = {f"p{number}": (share, SAMPLES) for number, share in enumerate(shares)}
    score = ModelScore(model=name, problems=len(counts), samples=0, pass_at=[], counts=counts)
    return ControlScore(
        name=name, score=score, gain=gain, gain_low=gain - 0.1, gain_high=gain + 0.1
    )


AFTER = [after for _, after in PASSES]


@pytest.mark.parametrize(
    ("shares", "gain", "said"),
    [
        ([0] * len(AFTER), 0.01, "the run's own examples give more than that (+72.9,"),
        (AFTER, 0.27, "no evidence that the run's own examples give more than that (+0.0,"),
        ([4] * len(AFTER), 0.5, "the run's own examples give less than that ("),
    ],
)
def test_a_control_is_held_against_the_runs_own_model(finished, shares, gain, said):
    evaluation = finished.evaluated(controls=[control("shuffled", shares, gain)])
    (found,) = controls.shares(evaluation)
    whole = f"Training on answers to other problems alone gives {100 * gain:+.1f} of the +26.8"
    assert found.sentence.startswith(whole)
    assert said in found.sentence and "95% interval" in found.sentence
    assert found.low <= found.more <= found.high
    assert found.sentence.split(";")[0] in page.render(finished.path).replace("&#39;", "'")


def test_a_control_that_loses_gives_nothing(finished):
    worse = control("shuffled", [0] * len(AFTER), -0.3)
    (found,) = controls.shares(finished.evaluated(controls=[worse]))
    assert "alone gives nothing (−30.0 points)" in found.sentence
    gained = control("shuffled", AFTER, 0.1)
    (found,) = controls.shares(finished.evaluated(controls=[gained], gain=-0.1))
    assert "alone gives +10.0 points;" in found.sentence


def test_without_common_problems_nothing_is_made_up(finished):
    strange = control("references", [], 0.1)
    evaluation = finished.evaluated(controls=[strange])
    assert controls.shares(evaluation)[0].more == 0
    assert controls.shares(None) == []
