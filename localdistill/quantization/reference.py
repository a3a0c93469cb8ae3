"""The forward pass of a model folder in 32 bits, one decoder layer at a time.

What merged weights compute before llama.cpp has touched them. Only one layer's weights are in
memory, in float32, beside the hidden states of all rows: a 7B model takes 1 GB and not 30. The
layers are transformers' own, so the arithmetic is that which the model was trained by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from localdistill.errors import ModelError
from localdistill.quantization.hf_folder import HfFolder
from localdistill.quantization.importance import Importance
from localdistill.quantization.safetensors_file import (
    WIDTHS,
    StoredTensor,
    chunks,
    decode,
    read_bytes,
)

# Values of the output matrix that are in 32 bits at a time: 128 MiB.
_OUTPUT_SLAB = 1 << 25


class Reference:
    """A dense Qwen2 or Qwen3 folder, run from its files.

    Raises:
        ModelError: its configuration is not one that transformers takes.
    """

    def __init__(self, folder: HfFolder) -> None:
        from transformers import AutoConfig

        self._folder = folder
        try:
            self._config: Any = AutoConfig.from_pretrained(
                str(folder.path), trust_remote_code=False, local_files_only=True
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder.path}: config.json is not usable ({error}).") from error
        self._config._attn_implementation = "sdpa"
        self._parts = _parts(folder.architecture)
        tied = "lm_head.weight" not in folder.tensors
        self._output = folder.tensors["model.embed_tokens.weight" if tied else "lm_head.weight"]

    @property
    def layers(self) -> int:
        """How many decoder layers it has."""
        return int(self._config.num_hidden_layers)

    @property
    def vocabulary(self) -> int:
        """How many tokens it knows."""
        return self._output.shape[0]

    def hidden(
        self,
        rows: Sequence[Sequence[int]],
        importance: Importance | None = None,
        counted: int = 0,
        on_layer: Callable[[int], None] = lambda layer: None,
    ) -> list[Any]:
        """The normed hidden states from which logits are made.

        Args:
            rows: token ids, each row a sequence of its own.
            importance: hears of the inputs of all linear layers for the first ``counted`` rows.
            counted: how many rows that are.
            on_layer: hears of each layer that is finished, from 1.

        Returns:
            A float32 tensor of shape (tokens, width) for each row.
        """
        import torch

        with torch.inference_mode():
            states = [self._embedded(row) for row in rows]
            rotary = self._parts["rotary"](config=self._config)
            for number in range(self.layers):
                self._through(number, states, rotary, importance, counted)
                on_layer(number + 1)
            norm = self._parts["norm"](self._config.hidden_size, eps=self._config.rms_norm_eps)
            norm.weight.data = self._tensor("model.norm.weight")
            return [norm(state)[0] for state in states]

    def _through(
        self, number: int, states: list[Any], rotary: Any, importance: Importance | None, count: int
    ) -> None:
        """Replace ``states`` by what layer ``number`` makes of them; it is gone afterwards."""
        import torch

        layer = self._layer(number)
        for index, state in enumerate(states):
            watching = importance if index < count else None
            if watching is not None:
                watching.watch(layer, number)
            places = torch.arange(state.shape[1]).unsqueeze(0)
            states[index] = layer(state, position_embeddings=rotary(state, places))
            if watching is not None:
                watching.unwatch()

    def logits(self, hidden: Any) -> Any:
        """Logits in float32, of shape (positions, vocabulary), of some rows of hidden states."""
        import torch

        rows, width = self._output.shape
        step = max(1, _OUTPUT_SLAB // width)
        found = torch.empty((hidden.shape[0], rows), dtype=torch.float32)
        blocks = chunks(self._output, limit=step * width * WIDTHS[self._output.dtype])
        with torch.inference_mode():
            for start, block in zip(range(0, rows, step), blocks, strict=True):
                matrix = torch.from_numpy(_writable(block, self._output)).reshape(-1, width)
                torch.matmul(hidden, matrix.T, out=found[:, start : start + len(matrix)])
        return found

    def _embedded(self, row: Sequence[int]) -> Any:
        """(1, tokens, width): the embeddings of one row, of which only those rows are read."""
        import torch

        table = self._folder.tensors["model.embed_tokens.weight"]
        _, width = table.shape
        size = width * WIDTHS[table.dtype]
        with table.file.open("rb") as file:
            parts = []
            for token in row:
                file.seek(table.start + token * size)
                parts.append(file.read(size))
        values = _writable(b"".join(parts), table)
        return torch.from_numpy(values).reshape(1, len(row), width)

    def _layer(self, number: int) -> Any:
        import torch

        with torch.device("meta"):
            layer = self._parts["layer"](self._config, number)
        start = f"model.layers.{number}."
        weights = {
            name.removeprefix(start): self._tensor(name)
            for name in self._folder.tensors
            if name.startswith(start)
        }
        try:
            layer.load_state_dict(weights, strict=True, assign=True)
        except RuntimeError as error:
            text = " ".join(str(error).split())
            raise ModelError(f"{self._folder.path}: layer {number}: {text}") from error
        return layer.eval()

    def _tensor(self, name: str) -> Any:
        import torch

        stored = self._folder.tensors[name]
        return torch.from_numpy(_writable(read_bytes(stored), stored)).reshape(stored.shape)


def _writable(block: bytes, stored: StoredTensor) -> Any:
    values = decode(block, stored.dtype)
    return values if values.flags.writeable else np.array(values)


def _parts(architecture: str) -> dict[str, Any]:
    if architecture == "qwen2":
        from transformers.models.qwen2 import modeling_qwen2 as qwen2

        return {
            "layer": qwen2.Qwen2DecoderLayer,
            "norm": qwen2.Qwen2RMSNorm,
            "rotary": qwen2.Qwen2RotaryEmbedding,
        }
    from transformers.models.qwen3 import modeling_qwen3 as qwen3

    return {
        "layer": qwen3.Qwen3DecoderLayer,
        "norm": qwen3.Qwen3RMSNorm,
        "rotary": qwen3.Qwen3RotaryEmbedding,
    }
