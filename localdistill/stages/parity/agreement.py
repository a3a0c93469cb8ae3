"""How far the distributions of two models are apart, position by position."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Agreement:
    """Two models on the same positions: the first is the one that the second stands in for."""

    kl: list[NDArray[np.float64]] = field(default_factory=list)
    same: int = 0

    def add(self, first: Any, second: Any) -> None:
        """Compare log-probabilities (tensors of shape (positions, vocabulary), natural logs).

        KL(first || second) = sum of p (log p - log q): the nats lost to who codes the first by
        the second (Kullback and Leibler, 1951).
        """
        import torch

        kl = torch.sum(first.exp() * (first - second), dim=-1, dtype=torch.float64)
        self.kl.append(kl.numpy())
        self.same += int((first.argmax(-1) == second.argmax(-1)).sum())

    @property
    def positions(self) -> int:
        """How many positions were compared."""
        return sum(map(len, self.kl))

    @property
    def mean_kl(self) -> float:
        """Nats; not a number where a logit was none."""
        return float(np.concatenate(self.kl).mean())

    @property
    def high_kl(self) -> float:
        """The 99th percentile over positions, nats."""
        return float(np.quantile(np.concatenate(self.kl), 0.99))

    @property
    def top1(self) -> float:
        """Share of the positions at which both have the same most probable token."""
        return self.same / max(1, self.positions)


@dataclass
class Losses:
    """Cross entropy of one model at each position, nats."""

    parts: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, log_probabilities: Any, targets: Any) -> None:
        """Take the log-probabilities of the tokens that really came (index tensor (positions,))."""
        found = log_probabilities.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        self.parts.append(-found.double().numpy())

    @property
    def values(self) -> NDArray[np.float64]:
        """All of them in order."""
        return np.concatenate(self.parts) if self.parts else np.empty(0)

    @property
    def mean(self) -> float:
        """Nats a token."""
        return float(self.values.mean())

    @property
    def perplexity(self) -> float:
        """exp of the mean."""
        return exp(min(self.mean, 700.0))


def log_probabilities(logits: Any) -> Any:
    """Natural logs of a softmax over the last axis, float32; takes numpy arrays and tensors."""
    import torch

    return torch.log_softmax(torch.as_tensor(logits), dim=-1)


def spread(before: Losses, after: Losses) -> float:
    """Twice the standard error of the mean difference of two models' losses, position by position.

    An upper bound of what chance makes of it, as long as both are sound models.
    """
    differences = before.values - after.values
    return float(2 * differences.std() / sqrt(max(1, len(differences))))


def noise(kl: float, positions: int) -> float:
    """How far two models' mean losses may differ by chance, where they are ``kl`` nats apart.

    The log ratio of two distributions that are close has a variance of about 2 KL, and over so many
    positions twice the standard error of its mean is this.
    """
    return 2 * sqrt(2 * max(kl, 0.0) / max(1, positions))
