"""Training from scratch, on the answers only, in float32 weights.

The arithmetic is bfloat16 where the processor has it, else float32.
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass

import torch
from corpus.generate import Example
from tokenizers import Tokenizer
from transformers import Qwen3Config, Qwen3ForCausalLM

from training import tokenizer as tok

IGNORED = -100
WIDTHS = 16  # batches are padded to a multiple: the fewer shapes, the fewer kernels are built


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters; a batch is a number of examples of about the same length."""

    batch: int = 32
    learning_rate: float = 3e-3
    final_share: float = 0.05  # of the learning rate, at the end of the cosine
    warmup_steps: int = 100
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    seed: int = 99


def configuration(tokenizer: Tokenizer) -> Qwen3Config:
    """A Qwen3 architecture whose rows are all multiples of 256, so that K-quants fit."""
    return Qwen3Config(
        vocab_size=tok.VOCABULARY,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        attn_implementation="eager",  # faster than the fused kernel at these lengths
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        initializer_range=0.03,
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id(tok.END),
        pad_token_id=tokenizer.token_to_id(tok.END_OF_TEXT),
    )


def train(examples: list[Example], tokenizer: Tokenizer, recipe: Recipe) -> Qwen3ForCausalLM:
    """One pass over the examples."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(2)
    model = Qwen3ForCausalLM(configuration(tokenizer))
    rows = [_encode(example, tokenizer) for example in examples]
    batches = _batches(rows, recipe)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": recipe.weight_decay},
         {"params": rest, "weight_decay": 0.0}],
        lr=recipe.learning_rate, betas=recipe.betas, fused=True,
    )  # fmt: skip
    started, seen, recent = time.monotonic(), 0, 0.0
    model.train()
    for step, batch in enumerate(batches, 1):
        for group in optimizer.param_groups:
            group["lr"] = _rate(step, len(batches), recipe)
        inputs, labels = _tensors([rows[i] for i in batch], model.config.pad_token_id)
        loss = _loss(model, inputs, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen += sum(len(rows[i][0]) for i in batch)
        recent = loss.item() if step == 1 else 0.98 * recent + 0.02 * loss.item()
        elapsed = time.monotonic() - started
        if step % 50 == 0 or step == len(batches):
            left = elapsed / step * (len(batches) - step)
            print(f"step {step}/{len(batches)}  loss {recent:.3f}  {seen / elapsed:,.0f} tokens/s"
                  f"  {elapsed / 60:.1f} min, {left / 60:.1f} left", flush=True)  # fmt: skip
    return model.eval()


def _encode(example: Example, tokenizer: Tokenizer) -> tuple[list[int], int]:
    """Tokens of the conversation, and how many of them are the prompt."""
    prompt = tokenizer.encode(tok.chat_prompt(example.prompt)).ids
    answer = tokenizer.encode(f"{example.answer}{tok.END}").ids
    return prompt + answer, len(prompt)


def _batches(rows: list[tuple[list[int], int]], recipe: Recipe) -> list[list[int]]:
    """Indices, similar lengths together within windows of a random order: little padding."""
    rng = random.Random(recipe.seed)
    order = list(range(len(rows)))
    rng.shuffle(order)
    window = recipe.batch * 50
    batches = []
    for start in range(0, len(order), window):
        part = sorted(order[start : start + window], key=lambda i: len(rows[i][0]))
        cut = [part[i : i + recipe.batch] for i in range(0, len(part), recipe.batch)]
        rng.shuffle(cut)
        batches += cut
    return batches


def _tensors(rows: list[tuple[list[int], int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = -(-max(len(ids) for ids, _ in rows) // WIDTHS) * WIDTHS
    inputs = torch.full((len(rows), width), pad)
    labels = torch.full((len(rows), width), IGNORED)
    for i, (ids, prompt) in enumerate(rows):
        inputs[i, : len(ids)] = torch.tensor(ids)
        labels[i, prompt : len(ids)] = torch.tensor(ids[prompt:])
    return inputs, labels


def _loss(model: Qwen3ForCausalLM, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the answers.

    Padding is on the right, and attention is causal, so no mask is needed.
    """
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bfloat16()):
        logits = model(input_ids=inputs, use_cache=False).logits
    predicted, targets = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    return torch.nn.functional.cross_entropy(predicted.float(), targets, ignore_index=IGNORED)


def has_bfloat16() -> bool:
    """Whether bfloat16 is the faster arithmetic here: with AVX2 alone it takes 16 times as long."""
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def _rate(step: int, steps: int, recipe: Recipe) -> float:
    if step < recipe.warmup_steps:
        return recipe.learning_rate * step / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, steps - recipe.warmup_steps)
    low = recipe.learning_rate * recipe.final_share
    return low + (recipe.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * done))
