"""The loop on a small stand-in for a language model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from localdistill.errors import StageFailed
from localdistill.trainers.base import TrainSettings
from localdistill.trainers.batches import IGNORED, plan_epoch
from localdistill.trainers.chat_tokens import TokenizedExample
from localdistill.trainers.loop import Precision, fit

torch = pytest.importorskip("torch")
VOCABULARY = 11
EXAMPLES = [
    TokenizedExample([1, 2, 3, 4], 2),
    TokenizedExample([5, 6, 7, 8, 9, 10, 1, 2, 3], 3),
    TokenizedExample([2, 4, 6, 8, 10], 1),
]


class Bigram(torch.nn.Module):
    """Guesses a token from the one before, with the interface of a transformers model."""

    device = torch.device("cpu")

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = torch.nn.Embedding(VOCABULARY, VOCABULARY)
        self.scale, self.calls = scale, 0

    def forward(self, input_ids, attention_mask, labels, num_items_in_batch, use_cache):
        self.calls += 1
        logits = self.table(input_ids)[:, :-1]
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, VOCABULARY),
            labels[:, 1:].reshape(-1),
            ignore_index=IGNORED,
            reduction="sum",
        )
        return SimpleNamespace(loss=self.scale * loss / num_items_in_batch)


def settings(**other) -> TrainSettings:
    return TrainSettings(**{"model": "m", "seed": 1, "learning_rate": 0.1, **other})


def train(model, callback=lambda event: None, *, max_rows=3, examples=EXAMPLES, **other):
    steps = plan_epoch(
        examples, step_size=3, max_rows=max_rows, max_tokens=99, seed=1, epoch=0
    ) * other.pop("repeat", 1)
    return fit(model, steps, settings(**other), Precision(None), 0, callback)


def test_the_loss_is_the_mean_over_all_response_tokens_of_the_step():
    model = Bigram()
    terms = []
    for item in EXAMPLES:
        for place in range(item.prompt_length, len(item.tokens)):
            logits = model.table.weight[item.tokens[place - 1]]
            terms.append(-torch.log_softmax(logits, -1)[item.tokens[place]].item())
    assert train(model).losses == [pytest.approx(sum(terms) / len(terms), rel=1e-5)]


def test_a_step_is_the_same_however_it_is_cut_into_micro_batches():
    whole, cut = Bigram(), Bigram()
    assert train(whole, repeat=5).losses == pytest.approx(
        train(cut, max_rows=1, repeat=5).losses, rel=1e-5
    )
    assert (whole.calls, cut.calls) == (5, 15)
    assert torch.allclose(whole.table.weight, cut.table.weight, atol=1e-5)


def test_training_lowers_the_loss_and_reports_each_step():
    events = []
    losses = train(Bigram(), events.append, repeat=20).losses
    assert losses[-1] < 0.6 * losses[0]
    assert [event.done for event in events] == list(range(3, 61, 3))
    assert events[0].info["loss"] == pytest.approx(losses[0], abs=1e-4)


def test_a_learning_rate_of_zero_changes_nothing():
    model = Bigram()
    before = model.table.weight.detach().clone()
    train(model, repeat=3, learning_rate=0.0)
    assert torch.equal(model.table.weight, before)


def test_gradients_are_clipped(monkeypatch):
    model = Bigram(scale=1000)
    norms = []

    def step(self, *args):
        norms.append(model.table.weight.grad.norm().item())

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    train(model)
    assert norms == [pytest.approx(1.0, rel=1e-3)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_training(value):
    model = Bigram()
    model.table.weight.data[2] = value
    with pytest.raises(StageFailed, match=r"step 1 is (nan|inf)"):
        train(model)
