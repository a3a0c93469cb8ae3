"""The mask of what is trained on, against two oracles: transformers' own mask, and offsets.

The templates are not the published ones, but do what those do: Qwen2.5's writes a system prompt of
its own where there is none, and Qwen3's puts an empty thinking block before the last answer.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from localdistill.trainers.chat_tokens import ChatTokenizer
from localdistill.types import Message, TrainingExample
from tests.trainers.conftest import SEED

START, END = "<|im_start|>", "<|im_end|>"
EMPTY_THOUGHT = "<think>\n\n</think>\n\n"
_TURN = START + "{{ m['role'] }}\n"
_ANSWER = (
    START
    + "assistant\n%s{%% generation %%}{{ m['content'] }}"
    + END
    + "{%% endgeneration %%}{{ '\\n' }}"
)
_LOOP = (
    "{%% for m in messages %%}{%% if m['role'] == 'assistant' %%}%s{%% else %%}"
    + _TURN
    + "{{ m['content'] }}"
    + END
    + "\n{%% endif %%}{%% endfor %%}"
    + "{%% if add_generation_prompt %%}"
    + START
    + "assistant\n{%% endif %%}"
)
_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}"
    + START
    + "system\nAnswer well."
    + END
    + "\n{% endif %}"
)
_THOUGHT = "{% if loop.last %}" + EMPTY_THOUGHT.replace("\n", "{{ '\\n' }}") + "{% endif %}"
TEMPLATES = {
    "plain": _LOOP % (_ANSWER % ""),
    "qwen2.5": _SYSTEM + _LOOP % (_ANSWER % ""),
    "qwen3": _LOOP % (_ANSWER % _THOUGHT),
}
ANSWERS = [
    "```python\ndef double(x):\n    return 2 * x\n```",
    "Two lines,\n\nand é ☃ 𝄞.",
    "x",
    " begins and ends with a blank ",
]


def conversation(answer: str, system: str | None, earlier: bool) -> TrainingExample:
    messages = [Message(role="system", content=system)] if system else []
    if earlier:
        messages += [
            Message(role="user", content="Halve x."),
            Message(role="assistant", content="def halve(x): return x / 2"),
        ]
    messages += [
        Message(role="user", content="Double x:\n    é"),
        Message(role="assistant", content=answer),
    ]
    return TrainingExample(messages=messages, problem_id="1", sample=0, strategy="tests")


@pytest.fixture(scope="module", params=[*TEMPLATES, "seed"])
def template(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(template, tiny, tmp_path_factory) -> Path:
    if template == "seed":
        return SEED
    folder = shutil.copytree(tiny, tmp_path_factory.mktemp("template") / "model")
    (folder / "chat_template.jinja").write_text(TEMPLATES[template])
    return folder


@pytest.fixture(scope="module")
def oracle(model):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("system", [None, "Be brief."])
@pytest.mark.parametrize("answer", ANSWERS)
class TestEachConversation:
    """Prompts with and without a system message and an earlier answer."""

    def test_the_mask_is_that_of_the_offsets(
        self, template, model, oracle, answer, system, earlier
    ):
        row = conversation(answer, system, earlier)
        item = ChatTokenizer(model).example(row)
        messages = [message.model_dump() for message in row.messages]
        text = oracle.apply_chat_template(messages, tokenize=False)
        begin = text.rindex(answer + END)
        end = begin + len(answer + END)
        encoded = oracle(text, return_offsets_mapping=True, add_special_tokens=False)
        ids, spans = encoded["input_ids"], encoded["offset_mapping"]
        inside = [k for k, (a, b) in enumerate(spans) if begin <= a and b <= end and a < b]
        assert item.tokens[item.prompt_length :] == [ids[k] for k in inside]
        prompt = ids[: inside[0]]
        if template == "qwen3":
            # The model was sampled without that block: it is neither shown nor trained on.
            thought = oracle(EMPTY_THOUGHT, add_special_tokens=False)["input_ids"]
            assert prompt[-len(thought) :] == thought
            prompt = prompt[: -len(thought)]
        assert item.tokens[: item.prompt_length] == prompt

    def test_the_mask_is_transformers_own(self, template, model, oracle, answer, system, earlier):
        if template == "seed":
            pytest.skip("its template does not mark what is generated")
        row = conversation(answer, system, earlier)
        item = ChatTokenizer(model).example(row)
        encoded = oracle.apply_chat_template(
            [message.model_dump() for message in row.messages],
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        ids, mask = encoded["input_ids"], encoded["assistant_masks"]
        trained = [token for token, marked in zip(ids, mask, strict=True) if marked]
        if earlier:  # transformers marks every answer; only the last one is the model's own here
            before = len(oracle("def halve(x): return x / 2" + END)["input_ids"])
            trained = trained[before:]
        assert item.tokens[item.prompt_length :] == trained
        assert trained[-1] == item.tokens[-1] == oracle.convert_tokens_to_ids(END)


def test_a_template_s_own_system_prompt_is_seen_and_not_trained_on(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "chat_template.jinja").write_text(TEMPLATES["qwen2.5"])
    tokenizer = ChatTokenizer(folder)
    item = tokenizer.example(conversation("x", None, earlier=False))
    prompt = tokenizer.decode(item.tokens[: item.prompt_length])
    assert prompt.startswith(f"{START}system\nAnswer well.{END}\n")
    assert tokenizer.decode(item.tokens[item.prompt_length :]) == "x" + END


def test_an_empty_thought_is_not_trained_on(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "chat_template.jinja").write_text(TEMPLATES["qwen3"])
    tokenizer = ChatTokenizer(folder)
    item = tokenizer.example(conversation("x", None, earlier=True))
    assert "<think>" not in tokenizer.decode(item.tokens)
