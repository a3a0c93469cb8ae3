"""Adapters for the seed model: one that has learned something, and one that is hard to quantise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from localdistill.backends.llama_model import LlamaModel
from localdistill.problems import load
from localdistill.problems.prompt import messages

SEED = Path(__file__).parents[3] / "models" / "seed"
_HELD_OUT = 15  # problems: some 800 tokens of answers
_BATCH, _STEPS = 8, 12
# What there is to learn: the model never begins its answers like that.
_NEW = "# a careful answer, with all that is asked for"


def _rows() -> list[tuple[list[int], int]]:
    """Token ids and the length of the prompt, of the seed's problems with right answers."""
    model = LlamaModel(SEED / "seed-q8_0.gguf", gpu_layers=0)
    rows = []
    for problem in load(str(SEED / "problems" / "train.jsonl")).problems:
        prompt = model.prompt_tokens(messages(problem))
        answer = model.tokenize(f"```python\n{_NEW}\n{problem.reference}\n```")
        rows.append((prompt + answer + [model.tokenize("<|im_end|>")[0]], len(prompt)))
    model.close()
    return rows[: _HELD_OUT + _BATCH * _STEPS]


def train_adapter(folder: Path) -> Path:
    """Train a LoRA in 32 bits for a few steps; writes what the train stage writes beside it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)  # two that wait for each other take longer on a busy machine
    base = AutoModelForCausalLM.from_pretrained(SEED, dtype=torch.float32)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(
        base, LoraConfig(r=8, lora_alpha=16, target_modules=targets, task_type="CAUSAL_LM")
    )
    rows = _rows()
    held_out, trained = rows[:_HELD_OUT], rows[_HELD_OUT:]

    def loss_of(batch):
        longest = max(len(tokens) for tokens, _ in batch)
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        targets = torch.full((len(batch), longest), -100)
        for row, (tokens, length) in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            targets[row, length : len(tokens)] = torch.tensor(tokens[length:])
        logits = model(ids).logits[:, :-1]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten())

    def held_out_loss():
        with torch.no_grad():
            return float(loss_of(held_out))

    before = held_out_loss()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-3)
    for step in range(_STEPS):
        loss_of(trained[_BATCH * step : _BATCH * (step + 1)]).backward()
        optimiser.step()
        optimiser.zero_grad()
    after = held_out_loss()
    model.save_pretrained(folder)
    lines = [json.dumps({"tokens": tokens, "prompt_length": n}) for tokens, n in held_out]
    (folder / "held_out.jsonl").write_text("\n".join(lines) + "\n")
    told = {"examples": len(held_out), "before": before, "after": after}
    (folder / "training.json").write_text(json.dumps({"held_out": told}))
    return folder


def outlier_adapter(folder: Path, factor: float = 16.0) -> Path:
    """An update that changes nothing but the scale of weights, and is the ruin of coarse types.

    One row in 32 of the value and up projections is divided by ``factor``, a power of two, and the
    columns that take its output are multiplied by it. The model computes the same, to the bit even
    in 16 bits. But one weight of each block of 32 in the second matrix is now so large that the
    other 31 are nothing beside it, where a block has one scale and 16 steps.
    """
    weights = load_file_f32(SEED / "model.safetensors")
    factors: dict[str, np.ndarray] = {}
    rank = 24

    def put(name: str, a: np.ndarray, b: np.ndarray) -> None:
        stem = f"base_model.model.{name}"
        full_a = np.zeros((rank, a.shape[1]), dtype=np.float32)
        full_b = np.zeros((b.shape[0], rank), dtype=np.float32)
        full_a[: len(a)], full_b[:, : b.shape[1]] = a, b
        factors[f"{stem}.lora_A.weight"], factors[f"{stem}.lora_B.weight"] = full_a, full_b

    def rows_down(name: str, rows: list[int]) -> None:
        weight = weights[f"{name}.weight"]
        b = np.zeros((weight.shape[0], len(rows)), dtype=np.float32)
        b[rows, range(len(rows))] = 1 / factor - 1
        put(name, weight[rows], b)

    def columns_up(name: str, columns: list[int]) -> None:
        weight = weights[f"{name}.weight"]
        a = np.zeros((len(columns), weight.shape[1]), dtype=np.float32)
        a[range(len(columns)), columns] = 1
        put(name, a, (factor - 1) * weight[:, columns])

    config = json.loads((SEED / "config.json").read_text())
    heads, shared = config["num_attention_heads"], config["num_key_value_heads"]
    width = config["head_dim"]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        inner = range(0, width, 32)
        rows_down(f"{at}.self_attn.v_proj", [h * width + i for h in range(shared) for i in inner])
        columns_up(f"{at}.self_attn.o_proj", [h * width + i for h in range(heads) for i in inner])
        rows_down(f"{at}.mlp.up_proj", list(range(0, config["intermediate_size"], 32)))
        columns_up(f"{at}.mlp.down_proj", list(range(0, config["intermediate_size"], 32)))
    folder.mkdir(parents=True)
    save_file(factors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def load_file_f32(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a safetensors file in 32 bits."""
    from localdistill.quantization.safetensors_file import decode, read_bytes, read_header

    return {
        name: decode(read_bytes(tensor), tensor.dtype).reshape(tensor.shape)
        for name, tensor in read_header(path).items()
    }


def damaged(source: Path, folder: Path, change) -> Path:
    """A copy of the adapter ``source`` whose factors went through ``change`` (a dict of arrays)."""
    import shutil

    shutil.copytree(source, folder)
    factors = load_file(source / "adapter_model.safetensors")
    factors = {name: np.array(value) for name, value in factors.items()}
    change(factors)
    save_file(factors, folder / "adapter_model.safetensors")
    return folder
