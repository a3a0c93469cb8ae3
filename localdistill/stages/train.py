"""Stage *train*: an adapter from selected examples.

The adapter appears whole or not at all, with the record of its training and what was held out
beside it (see ``trainers.record``). A training that was interrupted goes on from its last
checkpoint and comes to the same adapter, which depends on its model, data and settings and not on
what was killed when. Checkpoints stand in ``OUT.checkpoints`` until the adapter is finished; those
of another model, other data or other settings are deleted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from localdistill import __version__, memory, trainers
from localdistill.digests import file_digest, text_digest
from localdistill.durable import tree_to_disk
from localdistill.errors import ConfigError, ModelError, NothingSelected, TrainingDiverged
from localdistill.events import Callback, Scalar, StageFinished, StageStarted
from localdistill.folders import require_room
from localdistill.jsonl import read_rows
from localdistill.markers import done_facts, is_done, publish, refuse_foreign
from localdistill.quantization.adapter import adapter_digest
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.start import adapter_bytes
from localdistill.stages import train_here
from localdistill.trainers import checkpoint
from localdistill.trainers.base import STAGE, Saved, TrainResult, TrainSettings
from localdistill.types import TrainingExample

# May change without the adapter being another one, but for rounding and for how much time there is
_PLACES = {
    "model", "data", "out", "micro_batch_tokens", "keep_activations", "checkpoint_every", "until",
}  # fmt: skip
_NO_EXAMPLES = (
    "No completion was selected, so there is nothing to train on. Draw more samples for each "
    "problem (generate.samples), take easier problems, or select otherwise (select.strategy)."
)


class TrainRequest(TrainSettings):
    """What to train on (``data``: rows of TrainingExample) and where the adapter goes.

    ``out`` becomes a folder in PEFT's format: adapter_config.json and adapter_model.safetensors.
    """

    data: Path
    out: Path
    trainer: str = "unsloth_qlora"


class TrainSummary(TrainResult):
    """What came out of the stage."""


def run(request: TrainRequest, callback: Callback) -> TrainSummary:
    """Train the adapter; does nothing where it is finished.

    Raises:
        ConfigError: ``data`` cannot be used, no such trainer, or ``out`` holds something else.
        NothingSelected: ``data`` is empty.
        ModelError: the model cannot be used.
        MemoryShortage: the model, or a single example, does not fit into memory.
        StorageError: the adapter will not fit on the disk.
        TrainingDiverged: the loss exploded or is no number; nothing is left of the training.
        StageFailed: the training went wrong.
    """
    if is_done(request.out):
        _check_same(request)
        summary = TrainSummary.model_validate(done_facts(request.out)["summary"])
        callback(StageStarted(stage=STAGE, title="train", total=0))
        callback(StageFinished(stage=STAGE, summary=summarise(summary), skipped=True))
        return summary
    trainer = trainers.load(request.trainer)
    examples = _read(request.data)
    refuse_foreign(request.out)
    sized = check_model(request)
    work = _empty_work_folder(request.out)
    total = len(examples) * request.epochs
    saved = _saved(request)
    callback(StageStarted(stage=STAGE, title="train", total=total, unit="examples"))
    try:
        result = trainer.train(sized, examples, work, callback, saved=saved)
        summary = TrainSummary.model_validate(result.model_dump())
        tree_to_disk(work)
        publish(
            work,
            request.out,
            summary=summary.model_dump(),
            made_with=_made_with(request),
            sha256=adapter_digest(work),
        )
    except Exception as error:
        shutil.rmtree(work, ignore_errors=True)
        if isinstance(error, TrainingDiverged):
            checkpoint.clear(saved.folder)  # it would only diverge again
        raise
    checkpoint.clear(saved.folder)
    callback(StageFinished(stage=STAGE, summary=summarise(summary)))
    return summary


def check_model(
    request: TrainRequest, available: Callable[[], int] = memory.available_bytes
) -> TrainRequest:
    """Refuse what cannot be trained, from the model's header; choose what the request leaves open.

    Raises:
        ModelError: the folder is missing, damaged, or of an unsupported kind.
        MemoryShortage: training does not fit into memory; the message has the figures.
        StorageError: the adapter will not fit on the disk.
    """
    path = request.model
    folder = read_folder(path)
    if not (path / "tokenizer.json").is_file():
        raise ModelError(f"{path}: has no tokenizer.json. Fetch the folder again.")
    require_room(request.out, adapter_bytes(folder, request.rank))
    return train_here.sized(request, available)


def summarise(summary: TrainSummary) -> dict[str, Scalar]:
    """What is shown of a finished training."""
    shown: dict[str, Scalar] = {
        "examples": summary.examples,
        "trained tokens": summary.trained_tokens,
        "first loss": round(summary.first_loss, 4),
        "last loss": round(summary.last_loss, 4),
    }
    if summary.held_out_before is not None and summary.held_out_after is not None:
        before, after = summary.held_out_before, summary.held_out_after
        shown["held-out loss"] = f"{before:.3g} before, {after:.3g} after"
    if summary.out_of_time:
        shown["steps"] = f"{summary.steps} of {summary.planned_steps}, its time was over"
    return {
        **shown,
        "tokens/s": round(summary.tokens_per_second),
        "peak memory MiB": round(summary.peak_memory_mb),
    }


def _read(data: Path) -> list[TrainingExample]:
    if not data.is_file():
        what = "is a folder" if data.is_dir() else "does not exist"
        raise ConfigError(f"{data} {what}; `localdistill select` writes such a file.")
    examples = read_rows(data, TrainingExample)
    if not examples:
        raise NothingSelected(f"{data} is empty. {_NO_EXAMPLES}")
    for number, example in enumerate(examples, start=1):
        roles = [message.role for message in example.messages]
        if len(roles) < 2 or roles[-1] != "assistant":
            raise ConfigError(
                f"{data}, example {number} (problem {example.problem_id}) does not end with an "
                "answer of the assistant to a message of the user. Correct or delete it."
            )
    return examples


def _made_with(request: TrainRequest) -> dict[str, object]:
    settings = request.model_dump(mode="json", exclude=_PLACES)
    made = {**settings, "data": file_digest(request.data)}
    if request.model.is_dir():  # the adapter may outlive its base
        made["model"] = folder_fingerprint(request.model)
    return made


def _saved(request: TrainRequest) -> Saved:
    """Where checkpoints go, and what they belong to; another version may train otherwise."""
    made = json.dumps({**_made_with(request), "version": __version__}, sort_keys=True)
    folder = request.out.with_name(request.out.name + ".checkpoints")
    return Saved(folder, text_digest(made))


def _check_same(request: TrainRequest) -> None:
    if not request.data.exists():
        return  # the adapter is all that is left; that is enough to go on
    now, then = _made_with(request), done_facts(request.out)["made_with"]
    differing = sorted(name for name in now if name in then and now[name] != then[name])
    if differing:
        raise ConfigError(
            f"{request.out} is finished, but was trained with another {', '.join(differing)}. "
            "Name another folder, or delete it to train again."
        )


def _empty_work_folder(out: Path) -> Path:
    """A fresh folder beside ``out``."""
    work = out.with_name(out.name + ".partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work
