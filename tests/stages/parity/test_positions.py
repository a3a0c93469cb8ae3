"""Which texts are compared on, and which ones importance comes from."""

from __future__ import annotations

import json

import pytest

from localdistill.backends.llama_model import LlamaModel
from localdistill.errors import ModelError
from localdistill.stages.parity import positions
from localdistill.stages.parity.positions import gather
from localdistill.stages.parity.texts import own_conversations
from localdistill.types import Message, TrainingExample
from tests.quantization.tiny import Tiny

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    tiny = Tiny.write(tmp_path_factory.mktemp("tiny"), "qwen3")
    opened = LlamaModel(tiny.gguf, gpu_layers=0)
    yield opened
    opened.close()


def example(question: str, answer: str) -> TrainingExample:
    messages = [
        Message(role="user", content=question),
        Message(role="assistant", content=answer),
    ]
    return TrainingExample(messages=messages, problem_id=question, sample=0, strategy="tests")


def write_data(path, *examples):
    path.write_text("".join(one.model_dump_json() + "\n" for one in examples))
    return path


def write_held_out(folder, *rows):
    lines = [json.dumps({"tokens": tokens, "prompt_length": length}) for tokens, length in rows]
    (folder / "held_out.jsonl").write_text("\n".join(lines) + "\n")


def test_what_was_held_out_comes_first_and_whole(model, tmp_path):
    write_held_out(tmp_path, ([1, 2, 3, 4, 5], 2), ([9] * 8, 3))
    texts = gather(model, tmp_path, None, wanted=4)
    assert [row.tokens for row in texts.rows] == [[1, 2, 3, 4, 5], [9] * 8]
    # Of the first row the answer is 3, 4, 5: predicted after the tokens at 1, 2 and 3.
    assert [(row.first, row.positions) for row in texts.held_out] == [(1, 3), (2, 5)]
    assert (texts.others, texts.importance) == ([], [])


def test_what_is_lacking_is_taken_from_training_and_then_from_this_package(model, tmp_path):
    data = write_data(tmp_path / "selected.jsonl", example("a", "x" * 30), example("b", "y" * 20))
    texts = gather(model, tmp_path, data, wanted=40)
    assert [row.source for row in texts.rows] == ["trained on", "trained on"]
    assert sum(row.positions for row in texts.rows) == 50
    texts = gather(model, tmp_path, data, wanted=60)
    assert [row.source for row in texts.rows] == ["trained on", "trained on", "own"]
    assert [len(tokens) for tokens in texts.importance] == [len(r.tokens) for r in texts.rows[:2]]


def test_importance_is_never_taken_from_what_was_held_out(model, tmp_path):
    kept, held = example("kept", "x" * 30), example("held", "y" * 30)
    prompt = model.prompt_tokens(held.messages[:1])
    write_held_out(tmp_path, (prompt + model.tokenize("y" * 30), len(prompt)))
    data = write_data(tmp_path / "selected.jsonl", kept, held)
    texts = gather(model, tmp_path, data, wanted=10)
    assert len(texts.importance) == 1
    assert texts.importance[0] == model.prompt_tokens(kept.messages[:1]) + model.tokenize("x" * 30)


def test_thinking_follows_a_prompt_that_opens_it_as_in_training(model, tmp_path, monkeypatch):
    render = model.template.render
    monkeypatch.setattr(model.template, "render", lambda turns: render(turns) + "<think>\n")
    drawn, usual = example("a", "hm</think>x"), example("b", "<think>\nhm\n</think>\n\nx")
    drawn = drawn.model_copy(update={"thinking_as_drawn": True})
    data = write_data(tmp_path / "selected.jsonl", drawn, usual)
    first, second = gather(model, tmp_path, data, wanted=20).rows
    assert model.text(first.tokens).endswith("<think>\nhm</think>x")
    assert model.text(second.tokens).endswith("assistant\n<think>\nhm\n</think>\n\nx")


def test_importance_has_a_limit(model, tmp_path, monkeypatch):
    monkeypatch.setattr(positions, "IMPORTANCE_TOKENS", 100)
    examples = [example(str(number), "x" * 30) for number in range(50)]
    texts = gather(model, tmp_path, write_data(tmp_path / "d.jsonl", *examples), wanted=10)
    assert 100 <= sum(map(len, texts.importance)) < 100 + max(map(len, texts.importance))


def test_rows_end_where_the_models_context_does(model, tmp_path):
    write_held_out(tmp_path, ([1] * 600, 2), ([1] * 600, 550))
    texts = gather(model, tmp_path, None, wanted=1)
    assert [len(row.tokens) for row in texts.rows] == [512]  # the second row's answer is beyond


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "line 1"),
        ('{"tokens": [1, 2]}', "prompt_length"),
        ('{"tokens": [1, 2], "prompt_length": 2}', "no answer"),
        ('{"tokens": [1, -2], "prompt_length": 1}', "no answer"),
        ('{"tokens": [1, 999], "prompt_length": 1}', "token 999 is not in the vocabulary"),
    ],
)
def test_damaged_rows_are_refused(model, tmp_path, line, why):
    (tmp_path / "held_out.jsonl").write_text(line + "\n")
    with pytest.raises(ModelError, match=why):
        gather(model, tmp_path, None)


def test_this_packages_own_texts_are_enough_for_any_tokenizer():
    examples = list(own_conversations())
    assert len({example.problem_id for example in examples}) == len(examples) > 20
    # The best tokenizers need a token for some four characters of code.
    assert sum(len(example.messages[-1].content) for example in examples) > 4 * 2000
    assert examples == list(own_conversations())
