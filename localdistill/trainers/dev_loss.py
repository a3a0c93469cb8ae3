"""The mean loss of a model on examples, without gradients and without the logits of a whole batch.

The loss of Unsloth's CPU backend works in pieces only where gradients are wanted; asked without, it
makes all logits at once, which for a vocabulary of 150,000 is a gigabyte. So the last hidden states
are taken here, and the model's head is applied to those before an answer's tokens only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localdistill.trainers.batches import IGNORED, pad, split
from localdistill.trainers.chat_tokens import TokenizedExample

_LOGITS = 2**24  # held at once: 64 MiB in 32 bits


def mean_loss(
    model: Any,
    examples: Sequence[TokenizedExample],
    autocast: Any,
    pad_token: int,
    max_tokens: int,
) -> float:
    """Nats a token, over all answer tokens of ``examples`` alike.

    ``model`` is a causal language model of transformers, bare or with an adapter; ``autocast`` the
    torch.dtype of its matrix products (None: as they are); at most ``max_tokens`` tokens, padding
    included, go through at once (one example always does).
    """
    import torch

    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    inner = getattr(bare, bare.base_model_prefix)
    head = bare.get_output_embeddings()
    device = head.weight.device
    total = 0.0
    ascending = sorted(examples, key=lambda example: len(example.tokens))
    with torch.no_grad(), torch.autocast(device.type, autocast, enabled=autocast is not None):
        for part in split(ascending, len(ascending), max_tokens):
            batch = pad(part, pad_token)
            # Padding stands on the right and attention is causal: no mask is needed.
            output = inner(input_ids=torch.tensor(batch.tokens, device=device), use_cache=False)
            labels = torch.tensor(batch.labels, device=device)[:, 1:]
            wanted = labels != IGNORED
            hidden, targets = output[0][:, :-1][wanted], labels[wanted]
            total += _sum(head, hidden, targets)
    return total / sum(example.response_length for example in examples)


def _sum(head: Any, hidden: Any, targets: Any) -> float:
    import torch

    rows = max(16, _LOGITS // head.weight.shape[0])
    total = 0.0
    for start in range(0, len(targets), rows):
        logits = head(hidden[start : start + rows].to(head.weight.dtype)).float()
        loss = torch.nn.functional.cross_entropy(
            logits, targets[start : start + rows], reduction="sum"
        )
        total += float(loss)
    return total
