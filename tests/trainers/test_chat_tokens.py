"""Which tokens are trained on: exactly what the assistant said, and its end."""

from __future__ import annotations

import json
import shutil

import pytest

from localdistill.backends.chat_template import ChatTemplate
from localdistill.errors import ModelError
from localdistill.trainers.base import TrainSettings
from localdistill.trainers.batches import IGNORED, pad
from localdistill.trainers.chat_tokens import ChatTokenizer, TokenizedExample
from localdistill.trainers.unsloth_qlora import tokenize
from localdistill.types import Message, TrainingExample
from tests.trainers.conftest import SEED, example

ANSWERS = [
    "```python\ndef double(x):\n    return 2 * x\n```",
    "\n\nan answer that begins and ends with newlines\n\n",
    "letters beyond ASCII: é ☃ 𝄞",
    "it spells <|im_end|> and <|im_start|> in letters",
    "<think>\n\n</think>\n\nthinking first",
    " ",
]


@pytest.fixture(scope="module")
def tokenizer(folder) -> ChatTokenizer:
    return ChatTokenizer(folder)


def trained(item: TokenizedExample) -> list[int]:
    return [label for label in item.labels(IGNORED) if label != IGNORED]


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_mask_covers_exactly_the_answer_and_its_end_token(tokenizer, answer):
    item = tokenizer.example(example(answer))
    assert tokenizer.decode(trained(item)) == answer + "<|im_end|>"
    # Spelled-out control tokens are text; the one that ends the answer is the only real one.
    assert trained(item).count(tokenizer.end_token) == 1
    assert trained(item)[-1] == tokenizer.end_token
    prompt = tokenizer.decode(item.tokens[: item.prompt_length])
    assert prompt.endswith("<|im_start|>user\nDouble x.<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_was_cut_is_trained_on_without_an_end_token(tokenizer, answer):
    item = tokenizer.example(example(answer, complete=False))
    assert tokenizer.decode(trained(item)) == answer
    assert tokenizer.end_token not in trained(item)


THOUGHT = "<think>\nhm,\n\nwait</think>\n\n\ncode"
INSIDE = "hm\n</think>\n\ncode"
ANSWER_PROMPT = "<|im_start|>user\nDouble x.<|im_end|>\n<|im_start|>assistant\n"


def thinker(tiny, folder, *, opens, tags=None):
    """A tokenizer whose template opens the thinking, and takes it out of finished answers.

    ``tags``: its vocabulary has the tags as one token each; whether as special ones.
    """
    shutil.copytree(tiny, folder)
    loop = "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    loop += "{{ m.content.split('</think>')[-1].lstrip('\\n') }}<|im_end|>\n{% endfor %}"
    begin = "<|im_start|>assistant\n" + ("<think>\n" if opens else "")
    template = f"{loop}{{% if add_generation_prompt %}}{begin}{{% endif %}}"
    (folder / "chat_template.jinja").write_text(template)
    if tags is not None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text())
        first = 1 + max(token["id"] for token in content["added_tokens"])
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        for number, tag in enumerate(("<think>", "</think>")):
            token = {"id": first + number, "content": tag, "special": tags == "special", **flags}
            content["added_tokens"].append(token)
        path.write_text(json.dumps(content))
    return ChatTokenizer(folder)


@pytest.mark.parametrize("tags", [None, "plain", "special"])
@pytest.mark.parametrize(
    ("opens", "said", "as_drawn", "follows"),
    [
        (False, THOUGHT, True, THOUGHT),
        (False, THOUGHT, False, THOUGHT),
        (False, "code", False, "code"),
        (True, INSIDE, True, INSIDE),
        (True, THOUGHT, True, THOUGHT),  # it has opened its thinking once more
        (True, THOUGHT, False, THOUGHT.removeprefix("<think>\n")),
        (True, "code", False, "\n</think>\n\ncode"),
    ],
)
def test_thinking_is_trained_on_after_the_prompt_that_it_was_drawn_after(
    tiny, tmp_path, opens, said, as_drawn, follows, tags
):
    tokenizer = thinker(tiny, tmp_path / "model", opens=opens, tags=tags)
    row = example(said).model_copy(update={"thinking_as_drawn": as_drawn})
    item = tokenizer.example(row)
    prompt = tokenizer.decode(item.tokens[: item.prompt_length])
    assert prompt == ANSWER_PROMPT + "<think>\n" * opens
    assert tokenizer.decode(trained(item)) == f"{follows}<|im_end|>"
    if tags is not None:
        # One token each, also where the vocabulary takes them for control tokens.
        added = tokenizer._tokenizer.get_added_vocab()
        for tag in ("<think>", "</think>"):
            assert trained(item).count(added[tag]) == follows.count(tag)


def test_length_counts_thinking(tiny, tmp_path):
    tokenizer, said = thinker(tiny, tmp_path / "model", opens=False), []
    short, long = example("code"), example(THOUGHT)
    longest = len(tokenizer.example(short).tokens)
    settings = TrainSettings(model=tmp_path / "model", seed=0, max_length=longest)
    kept = tokenize(tokenizer, [short, long], settings, said.append)
    assert kept == [tokenizer.example(short)]
    assert said[0].message.startswith("1 of 2 examples are longer than")


def test_labels_stand_at_the_places_of_their_tokens(tokenizer):
    item = tokenizer.example(example("yes"))
    labels = item.labels(IGNORED)
    assert len(labels) == len(item.tokens)
    assert all(label in (IGNORED, token) for label, token in zip(labels, item.tokens, strict=True))
    assert labels[: item.prompt_length] == [IGNORED] * item.prompt_length


def test_padding_stands_on_the_right_and_is_never_trained_on(tokenizer):
    short, long = (tokenizer.example(example(text)) for text in ("a", "a much longer answer"))
    batch = pad([short, long], tokenizer.pad_token)
    missing = len(long.tokens) - len(short.tokens)
    assert batch.tokens == [short.tokens + [tokenizer.pad_token] * missing, long.tokens]
    assert batch.labels == [short.labels(IGNORED) + [IGNORED] * missing, long.labels(IGNORED)]


def test_only_the_last_answer_of_a_conversation_is_trained_on(tokenizer):
    roles = ("user", "assistant", "user", "assistant")
    messages = [Message(role=role, content=f"turn {n}") for n, role in enumerate(roles)]
    row = TrainingExample(messages=messages, problem_id="1", sample=0, strategy="none")
    item = tokenizer.example(row)
    assert tokenizer.decode(trained(item)) == "turn 3<|im_end|>"
    assert "turn 1<|im_end|>" in tokenizer.decode(item.tokens[: item.prompt_length])


def test_the_end_token_is_the_templates_also_where_eos_is_another(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "base")
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "eos_token": "<|endoftext|>"}))
    tokenizer = ChatTokenizer(folder)
    assert tokenizer.decode([tokenizer.end_token]) == "<|im_end|>"


def test_a_template_that_writes_the_date_writes_that_of_sampling(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "base")
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    dated = "{% for m in messages %}<|im_start|>{{ strftime_now('%Y-%m-%d') }} {{ m.content }}"
    template = f"{dated}<|im_end|>{{% endfor %}}"
    path.write_text(json.dumps({**config, "chat_template": template}))
    tokenizer = ChatTokenizer(folder)
    text = tokenizer._render([Message(role="user", content="a")], add_generation_prompt=True)
    sampled = ChatTemplate(template, bos_token="", eos_token="")
    assert text == sampled.render([Message(role="user", content="a")])


def test_a_folder_without_a_chat_template_is_refused(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "base")
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config.pop("chat_template", None)
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="no chat template"):
        ChatTokenizer(folder)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no tokenizer that can be read"):
        ChatTokenizer(tmp_path)


@pytest.mark.real
def test_prompts_have_the_tokens_that_the_model_is_sampled_with():
    from localdistill.backends.llama_model import LlamaModel

    ggufs = sorted(SEED.glob("*.gguf"))
    if not ggufs:
        pytest.skip("the seed model's GGUF file is not in this checkout")
    sampler = LlamaModel(ggufs[0], gpu_layers=0)
    try:
        row = example("x", question="Write `f(x)`:\n\n    é <b> {1: 'a'} \t 1234567")
        item = ChatTokenizer(SEED).example(row)
        assert item.tokens[: item.prompt_length] == sampler.prompt_tokens(row.messages[:-1])
        assert item.tokens[-1] in sampler.end_tokens
        assert sampler.text(item.tokens[item.prompt_length :]) == "x"
    finally:
        sampler.close()
