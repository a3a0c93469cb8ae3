"""When figures pass and when they do not, and what is said then."""

from __future__ import annotations

import json

import numpy as np
import pytest

from localdistill.errors import ExportRejected
from localdistill.stages.parity import bounds, verdicts
from localdistill.stages.parity.agreement import Agreement, Losses
from localdistill.stages.parity.checks import Check, Findings, Parity, failed_check, parity_file
from localdistill.stages.parity.verdicts import HeldOut, Trained

N = 2000


def agreement(kl, top1=1.0, positions=N):
    return Agreement(kl=[np.full(positions, kl)], same=round(top1 * positions))


def losses(mean, positions=N):
    return Losses([np.full(positions, mean)])


def held(weights=(1.0, 0.7), file=(1.05, 0.76)):
    return HeldOut(*map(losses, (*weights, *file)))


def test_f16_may_be_a_thousandth_of_a_nat_away():
    assert verdicts.merge_check(agreement(0.0009)).passed
    failed = verdicts.merge_check(agreement(0.0011))
    assert failed.passed is False and "0.0011 nats" in failed.reason
    assert verdicts.merge_check(agreement(float("nan"))).passed is False


def test_too_few_positions_prove_nothing_but_still_find_fault():
    few = bounds.F16_POSITIONS - 1
    assert verdicts.merge_check(agreement(1e-6, positions=few)).passed is None
    assert verdicts.merge_check(agreement(1.0, positions=few)).passed is False


@pytest.fixture
def bound(monkeypatch):
    monkeypatch.setitem(bounds._BY_TYPE, "Q4_0", bounds.Bound(0.1, 0.85))


def test_a_quantised_file_is_held_to_its_type(bound):
    start = agreement(0.03, 0.95)
    good = verdicts.quantised_check("Q4_0", agreement(0.09, 0.9), losses(1.0), start)
    assert good.passed
    assert good.figures["KL to F16"] == 0.09
    assert good.figures["perplexity"] == pytest.approx(np.e, abs=1e-3)
    far = verdicts.quantised_check("Q4_0", agreement(0.11, 0.9), losses(1.0), start)
    assert far.passed is False and "0.11 nats" in far.reason and "Q8_0" in far.reason
    other = verdicts.quantised_check("Q4_0", agreement(0.09, 0.8), losses(1.0), start)
    assert other.passed is False and "20% of positions" in other.reason
    broken = agreement(float("nan"))
    assert verdicts.quantised_check("Q4_0", broken, losses(1.0), start).passed is False


def test_a_starting_file_that_was_as_far_away_is_not_the_trainings_fault(bound):
    start = agreement(0.4, 0.7)
    assert verdicts.quantised_check("Q4_0", agreement(0.5, 0.6), losses(1.0), start).passed
    worse = verdicts.quantised_check("Q4_0", agreement(0.7, 0.6), losses(1.0), start)
    assert worse.passed is False


def test_what_training_won_must_be_kept_by_both():
    trained = Trained(before=1.1, after=0.8)
    assert verdicts.survival_check(trained, held(), 0.01).passed
    assert verdicts.survival_check(trained, held(weights=(1.0, 0.759)), 0.01).passed
    lost = verdicts.survival_check(trained, held(weights=(1.0, 0.761)), 0.01)
    assert lost.passed is False and "F16 kept 0.239" in lost.reason
    lost = verdicts.survival_check(trained, held(file=(1.05, 1.0)), 0.01)
    assert (
        lost.passed is False
        and "quantised file kept 0.050" in lost.reason
        and "export.quant to Q8_0" in lost.reason
    )
    broken = verdicts.survival_check(trained, held(file=(1.05, float("nan"))), 0.01)
    assert broken.passed is False


def test_a_gain_within_chance_may_be_lost_but_not_more():
    trained = Trained(before=1.1, after=1.1)  # a learning rate of zero
    same = held(weights=(1.0, 1.0), file=(1.05, 1.05))
    assert verdicts.survival_check(trained, same, 0.01).passed
    worse = held(weights=(1.0, 1.0), file=(1.05, 1.15))
    assert verdicts.survival_check(trained, worse, 0.01).passed is False


def test_training_that_made_it_worse_is_not_the_gates_business():
    trained = Trained(before=1.0, after=1.5)
    assert verdicts.survival_check(trained, held((1.0, 1.5), (1.0, 1.52)), 0.01).passed


def test_weights_that_were_merged_before_are_told():
    trained = Trained(before=1.1, after=0.8)
    twice = held(weights=(0.78, 0.75), file=(0.8, 0.77))
    found = verdicts.survival_check(trained, twice, 0.01)
    assert found.passed is False and "was it merged before?" in found.reason


def test_the_base_is_the_one_that_was_trained():
    trained = Trained(before=1.1, after=0.8)
    assert verdicts.base_check(trained, losses(1.05)).passed
    other = verdicts.base_check(trained, losses(1.25))
    assert other.passed is False and "another model" in other.reason
    better = verdicts.base_check(trained, losses(0.7))
    assert better.passed is False and "contain this training already" in better.reason
    assert verdicts.base_check(trained, losses(float("nan"))).passed is False


def test_without_held_out_rows_nothing_is_claimed(tmp_path):
    assert verdicts.read_trained(tmp_path) is None
    (tmp_path / "training.json").write_text(json.dumps({"held_out": None}))
    assert verdicts.read_trained(tmp_path) is None
    none = HeldOut(*(Losses() for _ in range(4)))
    for check in (
        verdicts.base_check(None, losses(1.0)),
        verdicts.survival_check(None, held(), 0.0),
        verdicts.survival_check(Trained(1.0, 0.9), none, 0.0),
    ):
        assert check.passed is None and "training.json" in check.reason


def test_training_says_what_it_won(tmp_path):
    content = {"held_out": {"examples": 3, "positions": 9, "before": 1.5, "after": 1.25}}
    (tmp_path / "training.json").write_text(json.dumps(content))
    trained = verdicts.read_trained(tmp_path)
    assert trained is not None
    assert trained.won == pytest.approx(0.25)


def test_a_failed_check_is_kept_and_ends_the_export(tmp_path):
    out = tmp_path / "model.gguf"
    path = parity_file(out)
    assert path.name == "parity.json"
    findings = Findings(out, path)
    findings.add(Check(name="one", passed=True), Check(name="two", passed=None, reason="why"))
    assert failed_check(path) is None
    assert findings.summary() == {"parity": "1 checks passed, 1 not made"}
    with pytest.raises(ExportRejected, match=r"'three' failed: it is bent\."):
        findings.add(Check(name="three", passed=False, reason="it is bent."))
    kept = Parity.model_validate_json(path.read_text())
    assert not kept.passed and [check.name for check in kept.checks] == ["one", "two", "three"]
    assert failed_check(path)["name"] == "three"
    again = Findings(out, path, fresh=False)
    assert len(again.checks) == 3
    Findings(out, path)
    assert not path.exists()
