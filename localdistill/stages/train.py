"""Stage *train*: an adapter from selected examples.

The adapter appears whole or not at all. A training that was interrupted is done again from its
start, so that an adapter depends on its model, data and settings and not on what was killed when.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from localdistill import trainers
from localdistill.errors import ConfigError
from localdistill.events import Callback, Scalar, StageFinished, StageStarted
from localdistill.jsonl import done_facts, is_done, mark_done, read_rows
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.trainers.base import STAGE, TrainResult, TrainSettings
from localdistill.types import TrainingExample

_PLACES = {"model", "data", "out"}  # may change without the adapter being another one
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
        ConfigError: there is nothing to train on, no such trainer, or ``out`` holds something else.
        ModelError: the model cannot be used.
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
    work = _empty_work_folder(request.out)
    total = len(examples) * request.epochs
    callback(StageStarted(stage=STAGE, title="train", total=total, unit="examples"))
    result = trainer.train(request, examples, work, callback)
    summary = TrainSummary.model_validate(result.model_dump())
    _put_in_place(work, request.out)
    mark_done(request.out, summary=summary.model_dump(), made_with=_made_with(request))
    callback(StageFinished(stage=STAGE, summary=summarise(summary)))
    return summary


def summarise(summary: TrainSummary) -> dict[str, Scalar]:
    """What is shown of a finished training."""
    return {
        "examples": summary.examples,
        "trained tokens": summary.trained_tokens,
        "first loss": round(summary.first_loss, 4),
        "last loss": round(summary.last_loss, 4),
        "tokens/s": round(summary.tokens_per_second),
        "peak memory MB": round(summary.peak_memory_mb),
    }


def _read(data: Path) -> list[TrainingExample]:
    if not data.exists():
        raise ConfigError(f"{data} does not exist; `localdistill select` writes such a file.")
    examples = read_rows(data, TrainingExample)
    if not examples:
        raise ConfigError(f"{data} is empty. {_NO_EXAMPLES}")
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
    made = {**settings, "data": hashlib.sha256(request.data.read_bytes()).hexdigest()}
    if request.model.is_dir():  # the adapter may outlive its base
        made["model"] = folder_fingerprint(request.model)
    return made


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
    """A fresh folder beside ``out``, and ``out`` itself out of the way.

    Raises:
        ConfigError: ``out`` is something that no training of ours has left.
    """
    work = out.with_name(out.name + ".partial")
    shutil.rmtree(work, ignore_errors=True)
    if out.exists() and not _is_leftover(out):
        raise ConfigError(f"{out} exists and is not an adapter of ours. Name another folder.")
    shutil.rmtree(out, ignore_errors=True)  # killed after its rename and before its marker
    work.mkdir(parents=True)
    return work


def _is_leftover(out: Path) -> bool:
    if not out.is_dir():
        return False
    files = list(out.iterdir())
    ours = (out / "adapter_config.json").exists() and all(file.is_file() for file in files)
    return ours or not files


def _put_in_place(work: Path, out: Path) -> None:
    """Rename ``work`` to ``out`` once its files are on the disk."""
    for path in [*work.iterdir(), work]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    work.replace(out)
