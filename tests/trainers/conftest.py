"""What tests of training share: models to train, examples, and a conversation."""

from __future__ import annotations

from pathlib import Path

import pytest

from localdistill.types import Message, TrainingExample
from tests.quantization.tiny import TEMPLATE, Tiny

SEED = Path(__file__).parents[2] / "models" / "seed"


def example(answer: str, *, question: str = "Double x.", complete: bool = True) -> TrainingExample:
    messages = [
        Message(role="user", content=question),
        Message(role="assistant", content=answer),
    ]
    return TrainingExample(
        messages=messages, problem_id="1", sample=0, strategy="tests", complete=complete
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A random model of two layers with a ChatML tokenizer of 265 tokens."""
    folder = Tiny.write(tmp_path_factory.mktemp("tiny"), "qwen3").master
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


@pytest.fixture(scope="session", params=["tiny", "seed"])
def folder(request, tiny) -> Path:
    """A model folder: the tiny one, then the bundled one."""
    if request.param == "tiny":
        return tiny
    if not (SEED / "tokenizer.json").exists():
        pytest.skip("the seed model is not in this checkout")
    return SEED
