"""The loop on a small stand-in for a language model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from localdistill import control
from localdistill.errors import MemoryShortage, Stopped, TrainingDiverged
from localdistill.events import Notice, StageProgress
from localdistill.trainers.base import Saved, TrainSettings
from localdistill.trainers.batches import IGNORED, plan_epoch
from localdistill.trainers.chat_tokens import TokenizedExample
from localdistill.trainers.checkpoint import Checkpoints
from localdistill.trainers.loop import Precision, Work, fit

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

    def __init__(self, scale: float = 1.0, room: float = float("inf"), words: str = "") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = torch.nn.Embedding(VOCABULARY, VOCABULARY)
        self.scale, self.calls = scale, 0
        self.room, self.words = room, words  # tokens above which it says that memory ran out
        self.seen = []  # tokens of each micro-batch

    def forward(self, input_ids, labels, num_items_in_batch, use_cache):
        self.calls += 1
        self.seen.append(input_ids.numel())
        if input_ids.numel() > self.room:
            raise RuntimeError(self.words)
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


def train(model, callback=lambda event: None, *, tokens=99, checkpoints=None, **other):
    """Fit ``model`` to steps of all examples, ``repeat`` of them."""
    steps = plan_epoch(EXAMPLES, step_size=3, seed=1, epoch=0) * other.pop("repeat", 1)
    held_out = other.pop("held_out_losses", None)
    held_out_loss = other.pop("held_out_loss", None)
    precision = other.pop("precision", Precision(None))
    work = Work(
        steps,
        pad_token=0,
        micro_batch_tokens=tokens,
        held_out_tokens=1,
        held_out_loss=held_out_loss if held_out is None else lambda max_tokens: held_out(model),
    )
    return fit(model, work, settings(**other), precision, callback, checkpoints).state


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
        train(cut, tokens=1, repeat=5).losses, rel=1e-5
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
    with pytest.raises(TrainingDiverged, match=r"step 1 is (nan|inf).*train\.learning_rate"):
        train(model)


def test_an_exploding_loss_stops_the_training():
    with pytest.raises(TrainingDiverged, match=r"the loss of the last 4 steps.*below 1000"):
        train(Bigram(), repeat=40, learning_rate=1000.0)


def test_the_held_out_loss_exploding_stops_the_training():
    losses = iter([2.0, 9.0])
    with pytest.raises(TrainingDiverged, match=r"after step 10 the held-out loss is 9\.00"):
        train(Bigram(), repeat=40, held_out_losses=lambda model: next(losses))


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
    ],
)
def test_out_of_memory_halves_the_micro_batch_and_goes_on(words):
    events = []
    ample, short = Bigram(), Bigram(room=20, words=words)
    whole = train(ample, repeat=5)
    cut = train(short, events.append, repeat=5)
    # 27 tokens were tried; 13 hold a row of 9, and two rows of 4 and 5.
    assert cut.micro_batch_tokens == 13
    assert short.seen == [27] + [9, 10] * 5
    assert cut.losses == pytest.approx(whole.losses, rel=1e-5)
    assert torch.allclose(ample.table.weight, short.table.weight, atol=1e-5)
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert "13 tokens at once" in notice.message


def test_gradients_of_a_pass_that_failed_do_not_count():
    class Late(Bigram):
        """Has room for the first micro-batch of a step and not for the second."""

        def forward(self, **inputs):
            self.room = 0 if self.calls == 1 else 99
            return super().forward(**inputs)

    ample, late = Bigram(), Late(words="out of memory")
    whole = train(ample, tokens=18, learning_rate=0.1)
    assert train(late, tokens=18, learning_rate=0.1).losses == pytest.approx(whole.losses, rel=1e-5)
    assert torch.allclose(ample.table.weight, late.table.weight, atol=1e-5)


def test_no_room_for_a_single_row_is_an_error_that_names_what_to_lower():
    with pytest.raises(MemoryShortage, match=r"example of 9 tokens. Lower train\.max_length"):
        train(Bigram(room=8, words="out of memory"))


def test_memory_that_runs_out_in_a_held_out_loss_is_halved_as_well():
    tried, events = [], []

    def held_out_loss(tokens):
        tried.append(tokens)
        if tokens > 20:
            raise RuntimeError("out of memory")
        return 1.0

    fit = train(Bigram(), events.append, held_out_loss=held_out_loss)
    assert tried[:4] == [99, 49, 24, 12]
    assert set(tried[4:]) <= {12}
    assert fit.micro_batch_tokens == 12
    assert sum(isinstance(event, Notice) for event in events) == 3


def test_a_held_out_loss_that_never_has_room_is_an_error():
    def held_out_loss(tokens):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        train(Bigram(), held_out_loss=held_out_loss)


def test_another_error_is_not_taken_for_a_lack_of_memory():
    with pytest.raises(RuntimeError, match="shape mismatch"):
        train(Bigram(room=8, words="shape mismatch"))


def test_the_weights_of_the_lowest_held_out_loss_are_kept():
    losses, seen = iter([1.0, 0.9, 0.5, 0.6, 0.8]), []

    def measure(model):
        seen.append(model.table.weight.detach().clone())
        return next(losses)

    model = Bigram()
    state = train(model, repeat=8, patience=9, held_out_losses=measure)
    assert [(entry.step, entry.loss) for entry in state.held_out] == [
        (0, 1.0), (2, 0.9), (4, 0.5), (6, 0.6), (8, 0.8),
    ]  # fmt: skip
    assert (state.step, state.kept.step, state.stopped) == (8, 4, False)
    assert torch.equal(model.table.weight, seen[2])
    assert not torch.equal(model.table.weight, seen[-1])


def test_training_stops_when_the_held_out_loss_rises_again_and_again():
    events, losses = [], iter([1.0, 0.5, 0.6, 0.7, 0.8])
    state = train(
        Bigram(), events.append, repeat=40, epochs=2, patience=2,
        held_out_losses=lambda model: next(losses),
    )  # fmt: skip
    assert (state.step, state.kept.step, state.stopped) == (15, 5, True)
    assert events[-1].message.startswith("Stopped after step 15 of 40: the held-out loss rises.")


def test_without_patience_training_goes_to_its_end_and_that_is_kept():
    losses, seen = iter([1.0, 0.5, 0.6, 0.7, 0.8]), []

    def measure(model):
        seen.append(model.table.weight.detach().clone())
        return next(losses)

    model = Bigram()
    state = train(model, repeat=8, held_out_losses=measure)
    assert (state.step, state.kept.step, state.kept.loss, state.stopped) == (8, 8, 0.8, False)
    assert torch.equal(model.table.weight, seen[-1])


def test_the_base_itself_is_never_what_is_kept():
    losses = iter([2.1, 2.5, 2.5, 2.6, 2.7])
    state = train(Bigram(), repeat=8, patience=9, held_out_losses=lambda model: next(losses))
    assert state.kept.step == 4  # of equal losses the later one


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.mark.parametrize("killed_at", [1, 4, 5, 7])
@pytest.mark.parametrize(("held_out", "patience"), [(False, 0), (True, 0), (True, 9)])
def test_an_interrupted_training_comes_to_the_same_to_the_bit(
    tmp_path, killed_at, held_out, patience
):
    def measure(model):
        return 5 + model.table.weight.square().mean().item()

    how = {"repeat": 9, "checkpoint_every": 2, "weight_decay": 0.01, "patience": patience}
    if held_out:
        how["held_out_losses"] = measure
    whole = Bigram()
    wanted = train(whole, **how)

    def kill(event):
        if isinstance(event, StageProgress) and event.done == 3 * killed_at:
            raise Killed

    place = Saved(tmp_path / "checkpoints", "same")
    with pytest.raises(Killed):
        train(Bigram(), kill, checkpoints=Checkpoints(place), **how)
    events, resumed = [], Bigram()
    found = train(resumed, events.append, checkpoints=Checkpoints(place), **how)
    assert found == wanted
    assert torch.equal(resumed.table.weight, whole.table.weight)
    # Killed before its checkpoint was written: from the one before it.
    first = (killed_at - 1) // 2 * 2
    progress = [event.done for event in events if isinstance(event, StageProgress)]
    assert progress == [3 * step for step in range(first + 1, 10)]
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert notices == ([f"Training resumed at step {first + 1} of 9."] if first else [])


def test_a_checkpoint_that_cannot_be_written_stops_nothing(tmp_path):
    class Full(Checkpoints):
        def save(self, state, tensors):
            raise OSError("No space left on device")

    events = []
    full = Full(Saved(tmp_path / "checkpoints", "same"))
    state = train(Bigram(), events.append, repeat=3, checkpoint_every=1, checkpoints=full)
    assert state.step == 3
    warnings = [event.message for event in events if isinstance(event, Notice)]
    assert warnings
    assert all("No space left on device" in text for text in warnings)


def test_progress_tells_what_there_is_to_tell():
    events = []
    train(Bigram(), events.append, repeat=4, held_out_losses=lambda model: 2.0)
    assert list(events[0].info) == [
        "loss", "held-out loss", "learning rate", "tokens/s", "memory GB",
    ]  # fmt: skip
    assert events[0].info["learning rate"] == pytest.approx(0.1)
    left = [event.seconds_left for event in events if isinstance(event, StageProgress)]
    assert left[-1] == 0
    assert all(seconds > 0 for seconds in left[:-1])


def test_a_stop_comes_after_a_step_and_its_checkpoint(tmp_path, monkeypatch):
    whole = Bigram()
    train(whole, repeat=5)
    asked = iter([True, True, False])
    saved = Saved(tmp_path, "this training")
    with pytest.raises(Stopped), monkeypatch.context() as patched:
        patched.setattr(control, "goes_on", lambda: next(asked))
        train(Bigram(), repeat=5, checkpoints=Checkpoints(saved))
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["step-000000003.safetensors"]
    resumed = Bigram()
    state = train(resumed, repeat=5, checkpoints=Checkpoints(saved))
    assert state.step == 5
    assert torch.equal(resumed.table.weight, whole.table.weight)


def test_training_whose_time_is_over_does_one_step_and_measures_what_it_keeps():
    looks = []

    def held_out(model):
        looks.append(model.calls)
        return 1.0

    said = []
    state = train(Bigram(), said.append, repeat=8, until=0.0, held_out_losses=held_out)
    assert (state.step, state.out_of_time, state.stopped) == (1, True, False)
    assert looks == [0, 1]
    assert (state.kept.step, state.held_out[-1].step) == (1, 1)
    (notice,) = [event.message for event in said if isinstance(event, Notice)]
    assert notice == "Training ended after step 1 of 8: its time was over."


def test_training_that_has_time_is_the_same_as_without_a_limit():
    assert train(Bigram(), repeat=5, until=1e12).losses == train(Bigram(), repeat=5).losses
