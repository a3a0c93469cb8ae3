"""One training in a process of its own, for ``train_throughput.py``: ours or TRL's ``SFTTrainer``.

    python benchmarks/train_peers.py WAY MODEL DATA OUT      # ours | documented | best | best-small
    python benchmarks/train_peers.py score MODEL DATA ADAPTER

Prints one line of JSON: seconds of training, its peak memory (MiB), losses of the steps; or the
mean loss of an adapter on the answers of all examples.

The peer is used as Unsloth's notebooks for conversations have it
(https://github.com/unslothai/notebooks, Qwen2.5 Coder): batches of 2, 4 of them to a step, padded,
in random order, gradient checkpointing "unsloth", loss on the assistant's answers only. Its own
best takes all 8 examples of a step at once (or 4), grouped by length, and packing is asked for,
which Unsloth turns off on a CPU. Rate, schedule, rank, clipping and steps are the same for all, so
that losses can be compared; they do not decide the speed.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from localdistill.jsonl import read_rows
from localdistill.trainers.base import TrainSettings
from localdistill.trainers.environment import for_unsloth
from localdistill.types import TrainingExample

STEP = 8  # examples to a step of the optimiser
BATCHES = {"documented": 2, "best": 8, "best-small": 4}


def main() -> None:
    """Train in one way, or score."""
    way, model, data, place = sys.argv[1], *map(Path, sys.argv[2:5])
    settings = TrainSettings(model=model, seed=1, batch_size=STEP, held_out=0)
    examples = read_rows(data, TrainingExample)
    if way == "ours":
        result = _ours(settings, examples, place)
    else:
        with tempfile.TemporaryDirectory() as folder, for_unsloth(Path(folder) / "code"):
            if way == "score":
                result = _score(settings, examples, place)
            else:
                result = _peer(settings, examples, place, BATCHES[way], grouped=way != "documented")
    print(json.dumps(result))


def _ours(settings: TrainSettings, examples: list[TrainingExample], out: Path) -> dict[str, Any]:
    from localdistill.events import StageProgress
    from localdistill.trainers.unsloth_qlora import train

    losses: list[float] = []

    def callback(event: object) -> None:
        if isinstance(event, StageProgress):
            losses.append(float(event.info["loss"] or 0))

    out.mkdir(parents=True)
    result = train(settings, examples, out, callback)
    tokens = _tokens(settings, examples)
    return _result(tokens / result.tokens_per_second, result.peak_memory_mb, losses)


def _peer(
    settings: TrainSettings,
    examples: list[TrainingExample],
    out: Path,
    batch: int,
    *,
    grouped: bool,
) -> dict[str, Any]:
    from unsloth import FastLanguageModel  # isort: skip
    from unsloth.chat_templates import train_on_responses_only  # isort: skip
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=str(settings.model), max_seq_length=settings.max_length, load_in_4bit=True
    )
    model = FastLanguageModel.get_peft_model(
        model,
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=[
            "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
        ],
        lora_dropout=0,
        bias="none",
        use_gradient_checkpointing="unsloth",
        random_state=settings.seed,
    )  # fmt: skip
    rows = [[message.model_dump() for message in example.messages] for example in examples]
    texts = [tokenizer.apply_chat_template(row, tokenize=False) for row in rows]
    trainer = SFTTrainer(
        model=model,
        tokenizer=tokenizer,
        train_dataset=Dataset.from_dict({"text": texts}),
        args=SFTConfig(
            output_dir=str(out / "trainer"),
            dataset_text_field="text",
            max_length=settings.max_length,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=STEP // batch,
            train_sampling_strategy="group_by_length" if grouped else "random",
            packing=grouped,
            num_train_epochs=1,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=math.ceil(settings.warmup_ratio * math.ceil(len(rows) / STEP)),
            weight_decay=settings.weight_decay,
            max_grad_norm=1.0,
            optim="adamw_8bit",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            seed=settings.seed,
        ),
    )
    trainer = train_on_responses_only(
        trainer,
        instruction_part="<|im_start|>user\n",
        response_part="<|im_start|>assistant\n",
    )
    started = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    model.save_pretrained(str(out))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return _result(seconds, peak, losses)


def _score(
    settings: TrainSettings, examples: list[TrainingExample], adapter: Path
) -> dict[str, Any]:
    # First of all: it patches the libraries that the others import.
    import unsloth  # noqa: F401  # isort: skip
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    from localdistill.trainers.chat_tokens import ChatTokenizer
    from localdistill.trainers.dev_loss import mean_loss
    from localdistill.trainers.unsloth_qlora import load_model

    tokenizer = ChatTokenizer(settings.model)
    model = load_model(settings)
    rows = [tokenizer.example(example) for example in examples]

    def loss() -> float:
        return round(mean_loss(model, rows, None, tokenizer.pad_token, 1024), 5)

    before = loss()
    set_peft_model_state_dict(model, load_file(adapter / "adapter_model.safetensors"))
    return {"before": before, "after": loss()}


def _tokens(settings: TrainSettings, examples: list[TrainingExample]) -> int:
    from localdistill.trainers.chat_tokens import ChatTokenizer

    tokenizer = ChatTokenizer(settings.model)
    return sum(len(tokenizer.example(example).tokens) for example in examples)


def _result(seconds: float, peak: float, losses: list[float]) -> dict[str, Any]:
    return {"seconds": round(seconds, 2), "peak_mb": round(peak), "losses": losses}


if __name__ == "__main__":
    main()
