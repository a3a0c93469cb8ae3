"""Whether a GGUF file and a Hugging Face folder are the same model.

A fine-tune of a model has its shapes and its vocabulary, so those alone do not tell. The norms do:
GGUF keeps them unquantised, and no LoRA changes them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from localdistill.errors import ModelError
from localdistill.quantization import ggml, names
from localdistill.quantization.gguf_file import GgufFile
from localdistill.quantization.hf_folder import HfFolder, read_json
from localdistill.quantization.safetensors_file import chunks, decode

# Norms may be stored in bfloat16, which keeps 8 bits.
_NORM_TOLERANCE = 2.0**-7
# Relative root mean square error of a matrix: types down to 2 bits stay below 0.4, a matrix of
# another training run has about 1.4; merged LoRA updates are far below both.
_MATRIX_TOLERANCE = 0.6
_FIX = "Give the GGUF file alone, or a folder with the weights that it was made from."


def check_pair(gguf: GgufFile, master: HfFolder) -> None:
    """Check that ``gguf`` holds the model whose 16-bit weights ``master`` holds.

    Raises:
        ModelError: it does not; the message names the first difference.
    """
    names.check_architecture(gguf.architecture, gguf.path)
    if gguf.architecture != master.architecture:
        raise _mismatch(gguf, master, f"{gguf.architecture} and {master.architecture}")
    for tensor in gguf.tensors.values():
        stored = master.source_of(tensor.name)
        if stored is None:
            raise _mismatch(gguf, master, f"only the first has {tensor.name!r}")
        if stored.shape != tensor.shape:
            shapes = f"{tensor.name!r} has shape {tensor.shape} and {stored.shape}"
            raise _mismatch(gguf, master, shapes)
    for name in master.tensors:
        # Some folders hold the embedding a second time under the output matrix's name.
        if names.to_gguf(name) not in gguf.tensors and name != "lm_head.weight":
            raise _mismatch(gguf, master, f"only the second has {name!r}")
    _check_vocabulary(gguf, master)
    _check_values(gguf, master)


def _mismatch(gguf: GgufFile, master: HfFolder, what: str) -> ModelError:
    return ModelError(f"{gguf.path} and {master.path} are not the same model: {what}. {_FIX}")


def _check_vocabulary(gguf: GgufFile, master: HfFolder) -> None:
    path = master.path / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{master.path}: has no tokenizer.json. Fetch the folder again.")
    content = read_json(path)
    tokens = gguf.need("tokenizer.ggml.tokens")
    try:
        added = {entry["content"]: entry["id"] for entry in content.get("added_tokens", [])}
        for token, number in {**content.get("model", {}).get("vocab", {}), **added}.items():
            if number >= len(tokens) or tokens[number] != token:
                raise _mismatch(gguf, master, f"token {number} is {token!r} in the second only")
    except (AttributeError, LookupError, TypeError) as error:
        message = f"{path}: not a byte-level BPE tokenizer. Take a Qwen2 or Qwen3 model."
        raise ModelError(message) from error


def _check_values(gguf: GgufFile, master: HfFolder) -> None:
    for name in ("output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"):
        ours, theirs = _start_of(gguf, master, name)
        if not np.allclose(ours, theirs, rtol=_NORM_TOLERANCE, atol=1e-6):
            raise _mismatch(gguf, master, f"the values of {name!r} differ")
    # An output matrix of its own need not be the embedding, though the folder says so.
    apart = names.OUTPUT in gguf.tensors and names.to_hf(names.OUTPUT) not in master.tensors
    for name in ("blk.0.attn_q.weight", *([names.OUTPUT] if apart else [])):
        ours, theirs = _start_of(gguf, master, name)
        error = float(np.sqrt(np.mean((ours - theirs) ** 2) / (np.mean(theirs**2) + 1e-30)))
        if not error <= _MATRIX_TOLERANCE:
            raise _mismatch(gguf, master, f"{name!r} differs by {error:.0%}")


def _start_of(
    gguf: GgufFile, master: HfFolder, name: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The first values of one tensor in both."""
    _, ours = next(ggml.slabs(gguf, gguf.tensors[name]))
    stored = master.source_of(name)
    if stored is None:
        raise _mismatch(gguf, master, f"only the first has {name!r}")
    theirs = decode(next(chunks(stored)), stored.dtype)
    length = min(ours.size, theirs.size)
    return ours[:length], theirs[:length]
