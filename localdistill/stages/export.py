"""Stage ``export``: adapter + master weights -> merged folder -> GGUF file.

The merged folder is what the next round trains from, the GGUF file what is run. Both are written
under another name, renamed when they are whole, and marked; the file only after it has been loaded
and has answered.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from localdistill.errors import ConfigError, ModelError
from localdistill.events import Callback, Scalar, StageFinished, StageProgress, StageStarted
from localdistill.jsonl import done_facts, is_done, publish, refuse_foreign
from localdistill.quantization import names
from localdistill.quantization.adapter import read_adapter
from localdistill.quantization.fingerprint import (
    file_fingerprint,
    folder_fingerprint,
    refuse_replaced,
)
from localdistill.quantization.folder_write import is_made_from, partial, to_disk
from localdistill.quantization.gguf_file import GgufFile, read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.llama_quantize import file_type
from localdistill.quantization.load_check import check_loads
from localdistill.quantization.merge import changed_since_start, merge
from localdistill.quantization.pairing import check_pair
from localdistill.quantization.quantise import check_types, keeps_types, quantise

STAGE = "export"
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


class ExportRequest(BaseModel):
    """What to make of which model."""

    model_config = ConfigDict(frozen=True)

    template: Path  # GGUF file whose metadata and types are taken over
    master: Path  # Hugging Face folder of the 16-bit weights that training started from
    adapter: Path  # PEFT folder
    merged: Path  # folder to write
    out: Path  # GGUF file to write
    quant: str = "same"  # or a file type by name, as in Q4_K_M


class ExportSummary(BaseModel):
    """What was written."""

    model_config = ConfigDict(frozen=True)

    out: Path
    merged: Path
    quant: str
    tensors: int
    changed: int  # tensors that differ from the model that the run started from
    size_bytes: int


def run(request: ExportRequest, callback: Callback) -> ExportSummary:
    """Export one round's model; what has been finished for the same inputs is not done again.

    Raises:
        ModelError: an input cannot be used, or they do not belong together.
        ExportRejected: the result is not a model that can be run.
    """
    _check_paths(request)
    template = read_header(request.template)
    facts = _facts(request)
    total = 3 * len(template.tensors)  # merged, quantised, looked at
    done = is_made_from(request.merged, facts) and _is_made(request.out, facts)
    title = "export"
    callback(
        StageStarted(
            stage=STAGE, title=title, total=total, done=total if done else 0, unit="tensors"
        )
    )
    if not done:
        _check_inputs(request, template)
        _write(request, template, facts, _Progress(callback))
    summary = ExportSummary(
        out=request.out,
        merged=request.merged,
        quant=request.quant,
        tensors=len(template.tensors),
        changed=len(changed_since_start(request.merged)),
        size_bytes=request.out.stat().st_size,
    )
    shown: dict[str, Scalar] = {
        "tensors changed": summary.changed,
        "in all": summary.tensors,
        "size": f"{summary.size_bytes / 1e6:,.0f} MB",
    }
    callback(StageFinished(stage=STAGE, summary=shown, skipped=done))
    return summary


def check_early(out: Path, adapter: Path, quant: str) -> None:
    """Refuse what is plain to see before the model has been prepared, which takes its time.

    Raises:
        UserError: ``out`` is a file of somebody else's, no such type, or no adapter.
    """
    refuse_foreign(out)
    refuse_replaced(out)
    if quant != "same":
        file_type(quant)
    for name in _ADAPTER_FILES:
        if not (adapter / name).is_file() and not (adapter / "adapter_model.bin").is_file():
            message = f"{adapter}: not an adapter folder ({name} is missing)"
            raise ModelError(f"{message}; `localdistill train` makes one.")


def _write(
    request: ExportRequest, template: GgufFile, facts: dict[str, Any], progress: _Progress
) -> None:
    changed = merge(request.master, request.adapter, request.merged, facts, progress.merged)
    progress.begin(len(template.tensors))
    unfinished = partial(request.out)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        weights = read_folder(request.merged)
        quantise(template, weights, changed, request.quant, unfinished, progress.step)
        progress.begin(2 * len(template.tensors))
        check_loads(unfinished, progress.step)
        to_disk(unfinished)
        publish(unfinished, request.out, **facts, file=file_fingerprint(unfinished))
    finally:
        unfinished.unlink(missing_ok=True)


class _Progress:
    """Counts the tensors of three passes over the model."""

    def __init__(self, callback: Callback) -> None:
        self.callback, self.done, self.changed = callback, 0, 0

    def begin(self, done: int) -> None:
        """A pass ends and the next begins, whether or not all tensors were counted."""
        self.done = done

    def step(self, name: str) -> None:
        """One tensor is finished."""
        self.done += 1
        self.callback(StageProgress(stage=STAGE, done=self.done, info={"changed": self.changed}))

    def merged(self, name: str, changed: bool) -> None:
        """One tensor is merged."""
        self.changed += changed
        self.step(name)


def _check_paths(request: ExportRequest) -> None:
    """An output must not be an input, nor a file of somebody else's."""
    inputs = {path.resolve() for path in (request.template, request.master, request.adapter)}
    for path in (request.out, request.merged):
        if path.resolve() in inputs:
            raise ConfigError(f"{path}: is an input of this export too. Name another output.")
    refuse_foreign(request.out)
    refuse_replaced(request.out)


def _is_made(out: Path, facts: dict[str, Any]) -> bool:
    """Whether ``out`` was made from ``facts``; that it is that file was checked before."""
    made = done_facts(out) if is_done(out) else {}
    return {name: value for name, value in made.items() if name != "file"} == facts


def _check_inputs(request: ExportRequest, template: GgufFile) -> None:
    """Refuse what does not fit before anything is written."""
    master = read_folder(request.master)
    check_pair(template, master)
    adapter = read_adapter(request.adapter, master)
    if keeps_types(template, request.quant):
        check_types(template, [names.to_gguf(name) for name in adapter.pairs])


def _facts(request: ExportRequest) -> dict[str, Any]:
    """What the outputs are made from, to know them again."""
    digest = hashlib.sha256()
    for name in _ADAPTER_FILES:
        path = request.adapter / name
        if not path.is_file():
            read_adapter(request.adapter, read_folder(request.master))  # says what is wrong
        digest.update(path.read_bytes())
    return {
        "adapter": digest.hexdigest(),
        "master": folder_fingerprint(request.master),
        "template": file_fingerprint(request.template),
        "quant": request.quant,
    }
