"""Stage ``export``: adapter + master weights -> merged folder -> GGUF file.

The merged folder is what the next round trains from, the GGUF file what is run. Both are written
under another name, renamed when they are whole, and marked; the file only after the parity gate has
found it to be the model that was trained. Its findings stay beside the file, in ``parity.json``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from localdistill.digests import file_digest
from localdistill.durable import to_disk
from localdistill.errors import ConfigError, ExportRejected, ModelError
from localdistill.events import Callback, Scalar, StageFinished, StageProgress, StageStarted
from localdistill.markers import done_facts, is_done, marker, publish, refuse_foreign
from localdistill.quantization import names
from localdistill.quantization.adapter import FILES, adapter_digest, read_adapter
from localdistill.quantization.fingerprint import (
    file_fingerprint,
    folder_fingerprint,
    refuse_replaced,
)
from localdistill.quantization.folder_write import is_made_from, partial
from localdistill.quantization.gguf_file import GgufFile, read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.llama_quantize import file_type
from localdistill.quantization.load_check import check_loads
from localdistill.quantization.merge import changed_since_start, merge
from localdistill.quantization.pairing import check_pair
from localdistill.quantization.quantise import check_types, keeps_types, quantise
from localdistill.stages.parity.checks import (
    Findings,
    has_passed,
    parity_file,
    refuse_foreign_findings,
)
from localdistill.stages.parity.gate import Gate, Subject

STAGE = "export"
_FINITE = "all values are finite numbers in the master's type"
_LOADS = "llama.cpp loads the file and answers, and all values are finite numbers"


class ExportRequest(BaseModel):
    """What to make of which model."""

    model_config = ConfigDict(frozen=True)

    template: Path  # GGUF file whose metadata and types are taken over
    master: Path  # Hugging Face folder of the 16-bit weights that training started from
    adapter: Path  # PEFT folder
    merged: Path  # folder to write
    out: Path  # GGUF file to write
    quant: str = "same"  # or a file type by name, as in Q4_K_M
    # The examples that were selected for training: what counts in quantising is taken from them.
    data: Path | None = None
    threads: int | None = None
    # False: what is made is only loaded, not compared. For measuring the rest of the work, and no
    # setting of a user's.
    gate: bool = True


class ExportSummary(BaseModel):
    """What was written."""

    model_config = ConfigDict(frozen=True)

    out: Path
    merged: Path
    quant: str
    tensors: int
    changed: int  # tensors that differ from the model that the run started from
    size_bytes: int
    parity: Path  # what the gate found


def run(request: ExportRequest, callback: Callback) -> ExportSummary:
    """Export one round's model; what has been finished for the same inputs is not done again.

    Raises:
        ConfigError: an output is an input too, or somebody else's file.
        ModelError: an input cannot be used, or they do not belong together.
        ExportRejected: the result is not the model that was trained; nothing is published.
    """
    _check_paths(request)
    template = read_header(request.template)
    facts = _facts(request)
    # Each is merged, run in 32 bits, quantised, looked at and compared.
    total = 5 * len(template.tensors)
    done = is_made_from(request.merged, facts) and _is_made(request.out, facts)
    # Of an export to the same place that was rejected since, the findings are another's.
    done = done and (not request.gate or has_passed(parity_file(request.out)))
    title = "export"
    callback(
        StageStarted(
            stage=STAGE, title=title, total=total, done=total if done else 0, unit="tensors"
        )
    )
    if not done:
        _check_inputs(request, template)
    findings = Findings(request.out, parity_file(request.out), fresh=not done)
    if not done:
        _write(request, template, facts, findings, _Progress(callback, len(template.tensors)))
    summary = ExportSummary(
        out=request.out,
        merged=request.merged,
        quant=request.quant,
        tensors=len(template.tensors),
        changed=len(changed_since_start(request.merged)),
        size_bytes=request.out.stat().st_size,
        parity=parity_file(request.out),
    )
    shown: dict[str, Scalar] = {
        "tensors changed": summary.changed,
        "in all": summary.tensors,
        "size": f"{summary.size_bytes / 1e6:,.0f} MB",
        **findings.summary(),
    }
    callback(StageFinished(stage=STAGE, summary=shown, skipped=done))
    return summary


def check_early(out: Path, adapter: Path, quant: str, data: Path | None = None) -> None:
    """Refuse what is plain to see before the model has been prepared, which takes its time.

    Raises:
        UserError: ``out`` is a file of somebody else's, no such type, or no adapter.
    """
    refuse_foreign(out)
    refuse_foreign_findings(parity_file(out))
    refuse_replaced(out)
    if quant != "same":
        file_type(quant, with_importance=data is not None)
    if data is not None and not data.is_file():
        raise ConfigError(f"{data} does not exist; `localdistill select` writes such a file.")
    for name in FILES:
        if not (adapter / name).is_file() and not (adapter / "adapter_model.bin").is_file():
            message = f"{adapter}: not an adapter folder ({name} is missing)"
            raise ModelError(f"{message}; `localdistill train` makes one.")


def _write(
    request: ExportRequest,
    template: GgufFile,
    facts: dict[str, Any],
    findings: Findings,
    progress: _Progress,
) -> None:
    subject = Subject(
        start=request.template,
        master=request.master,
        adapter=request.adapter,
        digest=facts["adapter"],
        merged=request.merged,
        quant=request.quant,
        data=request.data,
        threads=request.threads,
    )
    gate = Gate(subject, findings, progress.share)
    unfinished = partial(request.out)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    try:
        if request.gate:
            gate.before()
        with gate.step("merge", _FINITE):
            changed = merge(request.master, request.adapter, request.merged, facts, progress.merged)
        progress.begin(1)
        importance = gate.measure() if request.gate or request.data is not None else None
        progress.begin(2)
        with gate.step("file", _LOADS):
            weights = read_folder(request.merged)
            args = (template, weights, changed, request.quant, unfinished)
            quantise(*args, progress.step, importance)
            progress.begin(3)
            check_loads(unfinished, progress.step)
        progress.begin(4)
        if request.gate:
            gate.check(unfinished)
        to_disk(unfinished)
        publish(unfinished, request.out, **facts, file=file_fingerprint(unfinished))
    except ExportRejected:
        if is_made_from(request.merged, facts):  # takes much room, and is made again in no time
            marker(request.merged).unlink(missing_ok=True)
            shutil.rmtree(request.merged)
        raise
    except Exception:  # an unfinished gate has found nothing
        findings.discard()
        raise
    finally:
        unfinished.unlink(missing_ok=True)


class _Progress:
    """Counts tensors in five passes over the model."""

    def __init__(self, callback: Callback, tensors: int) -> None:
        self.callback, self.done, self.changed = callback, 0, 0
        self.tensors, self.start = tensors, 0

    def begin(self, number: int) -> None:
        """A pass ends and the next begins, whether or not all tensors were counted."""
        self.done = self.start = number * self.tensors

    def step(self, name: str) -> None:
        """One tensor is finished."""
        self.done += 1
        self._tell()

    def share(self, share: float) -> None:
        """So much (0 to 1) of the pass is finished."""
        done = self.start + round(share * self.tensors)
        if done > self.done:
            self.done = done
            self._tell()

    def _tell(self) -> None:
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
        targets = [names.to_gguf(name) for name in adapter.pairs]
        check_types(template, targets, with_importance=request.data is not None)


def _facts(request: ExportRequest) -> dict[str, Any]:
    """What the outputs are made from, to know them again."""
    if not all((request.adapter / name).is_file() for name in FILES):
        read_adapter(request.adapter, read_folder(request.master))  # says what is wrong
    return {
        "adapter": adapter_digest(request.adapter),
        "master": folder_fingerprint(request.master),
        "template": file_fingerprint(request.template),
        "quant": request.quant,
        "data": file_digest(request.data) if request.data is not None else None,
    }
