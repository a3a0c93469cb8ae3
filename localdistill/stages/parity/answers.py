"""Check: greedy answers do not run into loops where those of the starting file do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel
from localdistill.backends.repetition import Repetition
from localdistill.cores import usable_cores
from localdistill.stages.parity.checks import Check
from localdistill.stages.parity.conversations import CONVERSATIONS
from localdistill.stages.parity.positions import Row

PROMPTS = 6
TOKENS = 384  # a loop is known as one after 320 at the latest
_PASS = 256  # tokens


@dataclass
class Answer:
    """What one prompt was answered with."""

    tokens: list[int] = field(default_factory=list)
    loops: bool = False


def prompts_of(rows: Sequence[Row], model: LlamaModel) -> list[list[int]]:
    """Up to ``PROMPTS`` different prompts, from the rows first, else of the fixed ones."""
    found: dict[tuple[int, ...], None] = {}
    for row in rows:
        if row.source != "own":
            found[tuple(row.tokens[: row.first + 1])] = None
    for messages in [] if found else list(CONVERSATIONS.values())[:3]:
        found[tuple(model.prompt_tokens(messages))] = None
    step = max(1, len(found) // PROMPTS)
    return [list(prompt) for prompt in list(found)[::step][:PROMPTS]]


def greedy(
    model: LlamaModel,
    prompts: Sequence[Sequence[int]],
    threads: int | None = None,
    limit: int = TOKENS,
) -> list[Answer]:
    """The most probable answers of up to ``limit`` tokens, all prompts at once.

    An answer ends where the model's context does.
    """
    answers = [Answer() for _ in prompts]
    watches = [Repetition() for _ in prompts]
    decoder = LlamaDecoder(
        model,
        sequences=len(prompts),
        cells=sum(map(len, prompts)) + limit * len(prompts),
        threads=threads or usable_cores(),
        batch=_PASS,
    )
    try:
        for number, prompt in enumerate(prompts):
            for start in range(0, len(prompt) - 1, _PASS):
                part = prompt[start : min(start + _PASS, len(prompt) - 1)]
                decoder.step([], [], [], (number, part, start))
        last = {number: prompt[-1] for number, prompt in enumerate(prompts)}
        for turn in range(limit):
            if not last:
                break
            running = list(last)
            places = [len(prompts[number]) - 1 + turn for number in running]
            logits = decoder.step(running, [last[number] for number in running], places)
            chosen = [int(token) for token in logits.argmax(axis=-1)]
            for number, token in zip(running, chosen, strict=True):
                answer = answers[number]
                answer.loops = watches[number].feed(token, model.piece(token))
                # Beyond the context that it was made for any model may say anything.
                full = len(prompts[number]) + turn >= model.trained_context
                if token in model.end_tokens or answer.loops or full:
                    del last[number]
                else:
                    last[number] = token
                    answer.tokens.append(token)
    finally:
        decoder.close()
    return answers


def answers_check(new: Path, start: Path, rows: Sequence[Row], threads: int | None = None) -> Check:
    """Greedy answers of both files to the same prompts; the starting file only if one loops."""
    model = LlamaModel(new, gpu_layers=0)
    try:
        prompts = prompts_of(rows, model)
        ours = greedy(model, prompts, threads)
        texts = [model.text(answer.tokens) for answer in ours]
    finally:
        model.close()
    looping = [number for number, answer in enumerate(ours) if answer.loops]
    only_new: list[int] = []
    if looping:
        base = LlamaModel(start, gpu_layers=0)
        try:
            theirs = greedy(base, [prompts[number] for number in looping], threads)
        finally:
            base.close()
        only_new = [
            number for number, answer in zip(looping, theirs, strict=True) if not answer.loops
        ]
    # To questions of another kind than training's a sound model may loop now and then.
    known = any(row.source != "own" for row in rows)
    allowed = 0 if known else len(prompts) // 2
    reason = ""
    if len(only_new) > allowed:
        text = " ".join(texts[only_new[0]].split())
        reason = (
            f"{len(only_new)} of {len(prompts)} greedy answers repeat themselves for ever, to "
            f"prompts that the starting file answers without a loop; one ends in {text[-60:]!r}."
        )
    return Check(
        name="answers",
        passed=not reason,
        figures={
            "answers": len(prompts),
            "loops": len(looping),
            "loops that the starting file has too": len(looping) - len(only_new),
        },
        bound=f"no loop where the starting file has none{'' if known else ', in most answers'}",
        reason=reason,
    )
