"""A GGUF file alone becomes a folder that transformers loads as the same model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from localdistill.errors import ModelError
from localdistill.markers import is_done
from localdistill.quantization import names
from localdistill.quantization.ggml import slabs
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.gguf_import import dequantise
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.quantise import quantise
from localdistill.quantization.safetensors_file import decode, read_bytes
from localdistill.quantization.safetensors_file import read_header as safetensors_header
from tests.quantization.tiny import Tiny, quantised, write_gguf

SEED = Path(__file__).parents[2] / "models" / "seed"
TEXTS = [
    "def f(x):\n    return x + 1\n",
    "<|im_start|>user\nhé, ça va?<|im_end|>\n",
    "Cafe\u0301 日本語 🚀 ½",
    "a  \n\n\t b\r\n  it's IT'S",
    "<|im_end",
    "",
]


def test_an_unquantised_file_gives_back_its_weights(tiny, tmp_path):
    folder = dequantise(tiny.gguf, tmp_path / "master")
    found, expected = load_file(folder / "model.safetensors"), tiny.weights()
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert np.array_equal(values.astype(np.float16), expected[name])
        assert values.dtype == (np.float32 if values.ndim == 1 else np.float16)


def test_quantised_values_are_what_llama_cpp_computes_with(q4, tmp_path):
    found = load_file(dequantise(q4.gguf, tmp_path / "master") / "model.safetensors")
    gguf = read_header(q4.gguf)
    for name, tensor in gguf.tensors.items():
        expected = np.concatenate([piece for _, piece in slabs(gguf, tensor)]).reshape(tensor.shape)
        values = found[names.to_hf(name)]
        assert np.array_equal(values, expected.astype(values.dtype))


@pytest.mark.parametrize(
    "quant",
    [
        "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_0", "Q4_1", "Q4_K_S", "Q4_K_M", "Q5_0", "Q5_1",
        "Q5_K_S", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS", "IQ4_NL", "F16", "BF16",
    ],
)  # fmt: skip
def test_every_common_type_gives_the_values_that_the_format_defines(tmp_path, quant):
    """The seed model in that type, against gguf-py's decoding, which shares no code with ours."""
    import gguf

    template, weights = read_header(SEED / "seed-q8_0.gguf"), read_folder(SEED)
    made = tmp_path / "made.gguf"
    quantise(template, weights, [], quant, made)
    found = load_weights(dequantise(made, tmp_path / "master") / "model.safetensors")
    kinds = set()
    for tensor in gguf.GGUFReader(made).tensors:
        kinds.add(tensor.tensor_type.name)
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        values = found[names.to_hf(tensor.name)]
        expected = expected.reshape(values.shape)
        if values.dtype == np.float32:
            assert np.array_equal(values, expected), tensor.name
        else:
            # The multiplications of a block in another order: the last bit of float32, so now and
            # then the next half.
            spacing = np.spacing(np.abs(expected).astype(np.float16)).astype(np.float32)
            assert (np.abs(values.astype(np.float32) - expected) <= spacing).all(), tensor.name
    # Mixtures keep the output matrix in a better type, and each has the one that it is called by.
    assert any(quant.startswith(kind) for kind in kinds), kinds


def load_weights(path):
    """The tensors of a file; those in bfloat16, which numpy has not, as float32."""
    return {
        name: decode(read_bytes(tensor), tensor.dtype)
        .reshape(tensor.shape)
        .astype(np.float16 if tensor.dtype == "F16" else np.float32)
        for name, tensor in safetensors_header(path).items()
    }


@pytest.mark.parametrize("tied", [False, True])
def test_the_configuration_comes_from_the_metadata(tmp_path, tied):
    model = Tiny.write(tmp_path / "tiny", "qwen3", tied=tied)
    folder = dequantise(model.gguf, tmp_path / "master")
    config = json.loads((folder / "config.json").read_text())
    expected = json.loads((model.master / "config.json").read_text())
    for key in set(expected) - {"dtype"}:
        assert config[key] == expected[key], key
    assert config["eos_token_id"] == 264
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    assert (tokenizer["eos_token"], tokenizer["pad_token"]) == ("<|im_end|>", "<|endoftext|>")
    assert "<|im_start|>" in tokenizer["chat_template"]
    ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
    assert ends == [264, 262]


def test_it_is_done_once_and_again_for_another_file(q4, tmp_path):
    tensors = []
    folder = dequantise(q4.gguf, tmp_path / "master", tensors.append)
    assert is_done(folder)
    assert len(tensors) == len(read_header(q4.gguf).tensors)
    dequantise(q4.gguf, tmp_path / "master", tensors.append)
    assert len(tensors) == len(read_header(q4.gguf).tensors)
    other = Tiny.write(tmp_path / "other", "qwen3", seed=5)
    dequantise(other.gguf, tmp_path / "master")
    assert np.array_equal(
        load_file(folder / "model.safetensors")["lm_head.weight"], other.weights()["lm_head.weight"]
    )


def test_what_an_interrupted_import_left_is_replaced(q4, tmp_path):
    rest = tmp_path / "master.partial"
    rest.mkdir()
    (rest / "rubbish").write_text("x")
    folder = dequantise(q4.gguf, tmp_path / "master")
    assert not rest.exists()
    assert not (folder / "rubbish").exists()


def test_a_folder_of_the_users_own_is_not_replaced(q4, tmp_path):
    (tmp_path / "master").mkdir()
    (tmp_path / "master" / "thesis.txt").write_text("x")
    with pytest.raises(ModelError, match="not ours"):
        dequantise(q4.gguf, tmp_path / "master")
    assert (tmp_path / "master" / "thesis.txt").exists()


def test_values_that_are_not_finite_are_refused(tiny, tmp_path):
    weights = tiny.weights()
    weights["model.layers.1.mlp.up_proj.weight"][3, 4] = np.nan
    tiny.gguf.unlink()
    write_gguf(tiny.gguf, tiny.architecture, weights)
    with pytest.raises(ModelError, match=r"blk\.1\.ffn_up\.weight"):
        dequantise(tiny.gguf, tmp_path / "master")
    assert not (tmp_path / "master").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"blk.1.ffn_up.weight", b"blk.7.ffn_up.weight", r"blk\.1\.ffn_up"),
        (b"token_embd.weight", b"output_nrom.weigh", "token_embd"),
        (b"qwen3.block_count", b"qwen3.block_xxxxx", "qwen3.block_count"),
        (b"tokenizer.ggml.merges", b"tokenizer.ggml.xxxxxx", "merges"),
        (b"general.name", b"general.nxme", None),
    ],
)
def test_a_file_that_lacks_something_is_refused(q4, tmp_path, old, new, said):
    raw = q4.gguf.read_bytes()
    assert old in raw
    q4.gguf.write_bytes(raw.replace(old, new))
    if said is None:
        dequantise(q4.gguf, tmp_path / "master")
    else:
        with pytest.raises(ModelError, match=said):
            dequantise(q4.gguf, tmp_path / "master")


def test_a_tokenizer_of_another_kind_is_refused(tiny, tmp_path):
    write_gguf(tmp_path / "other.gguf", tiny.architecture, tiny.weights(), pre="llama-bpe")
    with pytest.raises(ModelError, match="llama-bpe"):
        dequantise(tmp_path / "other.gguf", tmp_path / "master")


def test_tokens_are_those_of_llama_cpp(tiny, tmp_path):
    from llama_cpp import Llama
    from tokenizers import Tokenizer

    folder = dequantise(tiny.gguf, tmp_path / "master")
    ours = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs = Llama(str(tiny.gguf), vocab_only=True, verbose=False)
    for text in TEXTS:
        expected = theirs.tokenize(text.encode(), add_bos=True, special=True)
        assert ours.encode(text).ids == expected, text
        assert ours.decode(expected, skip_special_tokens=False) == text
    theirs.close()


@pytest.mark.real
def test_transformers_computes_what_llama_cpp_computes(tiny, tmp_path):
    import torch
    from llama_cpp import Llama
    from transformers import AutoModelForCausalLM, AutoTokenizer

    small = quantised(tiny, "Q8_0")
    folder = dequantise(small.gguf, tmp_path / "master")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert chat == "<|im_start|>user\nhi<|im_end|>\n"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = tokenizer(TEXTS[0])["input_ids"]
    with torch.no_grad():
        ours = model(torch.tensor([ids])).logits[0].numpy()
    llama = Llama(str(small.gguf), n_ctx=128, logits_all=True, verbose=False)
    llama.eval(ids)
    theirs = np.array(llama.scores[: len(ids)])
    llama.close()
    # llama.cpp rounds activations to 8 bits on the way.
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999
    assert np.abs(ours - theirs).max() < 0.05 * np.abs(theirs).max()
