"""The held-out loss against transformers' own."""

from __future__ import annotations

import pytest

from localdistill.trainers import dev_loss
from localdistill.trainers.chat_tokens import TokenizedExample
from localdistill.trainers.dev_loss import mean_loss

torch = pytest.importorskip("torch")
EXAMPLES = [
    TokenizedExample([7 * n % 260 for n in range(length)], prompt)
    for length, prompt in ((9, 3), (40, 1), (21, 20), (5, 2))
]


@pytest.fixture(scope="module")
def model(tiny):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)


@pytest.fixture(scope="module")
def wanted(model) -> float:
    """Row by row, from the logits."""
    total = positions = 0
    with torch.no_grad():
        for example in EXAMPLES:
            logits = model(input_ids=torch.tensor([example.tokens])).logits[0]
            places = range(example.prompt_length, len(example.tokens))
            for place in places:
                total -= torch.log_softmax(logits[place - 1], -1)[example.tokens[place]].item()
            positions += len(places)
    return total / positions


@pytest.mark.parametrize("max_tokens", [1, 30, 1000])
def test_it_is_the_mean_over_all_answer_tokens(model, wanted, max_tokens):
    assert mean_loss(model, EXAMPLES, None, 0, max_tokens) == pytest.approx(wanted, rel=1e-5)


def test_in_pieces_it_is_the_same(model, wanted, monkeypatch):
    monkeypatch.setattr(dev_loss, "_LOGITS", 1)  # sixteen rows at once
    assert mean_loss(model, EXAMPLES, None, 0, 1000) == pytest.approx(wanted, rel=1e-5)


def test_an_adapter_counts_and_can_be_left_out(model, wanted):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"]))
    try:
        assert mean_loss(adapted, EXAMPLES, None, 0, 99) == pytest.approx(wanted, rel=1e-6)
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=30)  # much: attention matters little here
        assert mean_loss(adapted, EXAMPLES, None, 0, 99) != pytest.approx(wanted, rel=1e-3)
        with adapted.disable_adapter():
            assert mean_loss(adapted, EXAMPLES, None, 0, 99) == pytest.approx(wanted, rel=1e-6)
    finally:
        adapted.unload()
