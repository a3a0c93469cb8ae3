"""What is found out of a model's two forms before anything is drawn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from localdistill.backends.llama_model import LlamaModel
from localdistill.errors import ModelError
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.tokenizer_import import write_tokenizer
from localdistill.stages.prepare import PrepareRequest, run
from localdistill.types import Message, Problem
from tests.quantization.tiny import Tiny
from tests.stages.parity.test_tokens import with_eos, with_template

pytestmark = pytest.mark.real


@pytest.fixture
def tiny(tmp_path) -> Tiny:
    model = Tiny.write(tmp_path / "tiny", "qwen3")
    write_tokenizer(read_header(model.gguf), model.master)
    return model


def prepared(model: Path, tmp_path: Path, *, compare: bool = True):
    request = PrepareRequest(model=model, work_dir=tmp_path / "work", compare_tokens=compare)
    return run(request, lambda event: None)


def pair(tiny: Tiny, gguf: Path) -> Path:
    """The folder of the model with the file ``gguf`` in it."""
    shutil.copyfile(gguf, tiny.master / "model.gguf")
    return tiny.master


def test_a_file_and_a_folder_of_one_release_are_taken(tiny, tmp_path):
    folder = pair(tiny, tiny.gguf)
    summary = prepared(folder, tmp_path)
    assert (summary.gguf, summary.master) == (folder / "model.gguf", folder)
    assert not (tmp_path / "work").exists()


def test_a_file_alone_agrees_with_the_folder_that_is_made_of_it(tiny, tmp_path):
    assert prepared(tiny.gguf, tmp_path).master == tmp_path / "work" / "master"


def test_a_file_whose_template_was_edited_is_refused_with_the_place(tiny, tmp_path):
    edited = with_template(tiny, "<|im_start|>assistant", "<|im_start|>assistent")
    with pytest.raises(ModelError, match=r"conversations.*'plain'.*ent.*of one release"):
        prepared(pair(tiny, edited), tmp_path)


def test_a_file_that_ends_elsewhere_than_its_folder_is_refused(tiny, tmp_path):
    edited = with_eos(tiny, "<|endoftext|>")
    with pytest.raises(ModelError, match=r"end token.*<\|endoftext\|>.*<\|im_end\|>"):
        prepared(pair(tiny, edited), tmp_path)


def test_a_folder_that_cannot_be_trained_for_want_of_a_template_is_refused(tiny, tmp_path):
    path = tiny.master / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["chat_template"]
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="no chat template"):
        prepared(pair(tiny, tiny.gguf), tmp_path)


def test_what_was_compared_when_a_run_began_is_not_compared_again(tiny, tmp_path):
    edited = with_template(tiny, "<|im_start|>assistant", "<|im_start|>assistent")
    assert prepared(pair(tiny, edited), tmp_path, compare=False).tensors > 0


def test_a_vocabulary_alone_makes_the_same_tokens(tiny):
    whole = LlamaModel(tiny.gguf, gpu_layers=0)
    alone = LlamaModel(tiny.gguf, gpu_layers=0, vocabulary_only=True)
    try:
        messages = [Message(role="user", content="def f(x):\n    return x")]
        assert alone.prompt_tokens(messages) == whole.prompt_tokens(messages)
        assert alone.end_tokens == whole.end_tokens
        assert alone.vocab_size == whole.vocab_size
    finally:
        whole.close()
        alone.close()


def test_prompts_that_leave_no_room_for_an_answer_are_found(tiny, tmp_path):
    context = read_header(tiny.gguf).get("qwen3.context_length")
    short, long = Problem(id="short", prompt="word " * 3), Problem(id="long", prompt="x " * context)
    for name, problems in (("train", [short]), ("eval", [short, long])):
        rows = "".join(each.model_dump_json() + "\n" for each in problems)
        (tmp_path / f"{name}.jsonl").write_text(rows)
    sets = (tmp_path / "train.jsonl", tmp_path / "eval.jsonl")
    request = PrepareRequest(model=tiny.gguf, work_dir=tmp_path / "work", problem_sets=sets)
    assert run(request, lambda event: None).too_long == {"eval": ["long"]}
