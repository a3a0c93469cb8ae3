"""The arithmetic of comparing two models."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from localdistill.stages.parity.agreement import Agreement, Losses, log_probabilities, noise


def logs(*rows):
    return torch.log(torch.tensor(rows, dtype=torch.float32))


def test_divergence_is_that_of_the_definition_and_has_a_direction():
    p, q = [0.5, 0.25, 0.25], [0.25, 0.5, 0.25]
    found = Agreement()
    found.add(logs(p, p), logs(p, q))
    wanted = sum(a * np.log(a / b) for a, b in zip(p, q, strict=True))
    assert found.kl[0] == pytest.approx([0, wanted], abs=1e-6)
    assert found.mean_kl == pytest.approx(wanted / 2, abs=1e-6)
    assert (found.positions, found.top1) == (2, 0.5)
    other = Agreement()
    other.add(logs([0.9, 0.05, 0.05]), logs(p))
    back = Agreement()
    back.add(logs(p), logs([0.9, 0.05, 0.05]))
    assert other.mean_kl != pytest.approx(back.mean_kl, rel=0.1)


def test_logits_are_normalised_whatever_their_offset():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((4, 50)).astype(np.float32) * 5
    first, second = log_probabilities(logits), log_probabilities(logits + np.float32(30))
    found = Agreement()
    found.add(first, second)
    assert abs(found.mean_kl) < 1e-5
    assert torch.allclose(first.exp().sum(-1), torch.ones(4), atol=1e-5)


def test_a_logit_that_is_no_number_is_never_agreement():
    logits = np.zeros((1, 5), dtype=np.float32)
    broken = logits.copy()
    broken[0, 3] = np.nan
    found = Agreement()
    found.add(log_probabilities(logits), log_probabilities(broken))
    assert not found.mean_kl <= 1e9


def test_losses_are_of_the_tokens_that_came():
    found = Losses()
    found.add(logs([0.5, 0.5], [0.2, 0.8]), torch.tensor([0, 1]))
    assert found.values == pytest.approx([-np.log(0.5), -np.log(0.8)], abs=1e-6)
    assert found.perplexity == pytest.approx(np.exp(found.mean))


def test_noise_is_what_two_close_models_differ_by():
    # Two models, each a random step away from a third: their losses on what the first one says.
    rng = np.random.default_rng(1)
    logits = torch.tensor(rng.standard_normal((4000, 40)) * 2)
    other = logits + torch.tensor(rng.standard_normal((4000, 40)) * 0.3)
    first, second = log_probabilities(logits), log_probabilities(other)
    said = torch.multinomial(first.exp(), 1, generator=torch.Generator().manual_seed(0)).squeeze(-1)
    losses = [Losses(), Losses()]
    for loss, one in zip(losses, (first, second), strict=True):
        loss.add(one, said)
    found = Agreement()
    found.add(first, second)
    spread = 2 * (losses[1].values - losses[0].values).std() / np.sqrt(4000)
    assert noise(found.mean_kl, 4000) == pytest.approx(spread, rel=0.2)
