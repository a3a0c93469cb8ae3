"""Stage ``prepare``: both forms of the model that a run starts from."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from localdistill.events import Callback, Scalar, StageFinished, StageProgress, StageStarted
from localdistill.quantization.convert import DEFAULT_QUANT
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.start import find_gguf, resolve_start
from localdistill.stages.long_prompts import too_long
from localdistill.stages.parity.tokens import refuse_differing

STAGE = "prepare"


class PrepareRequest(BaseModel):
    """A GGUF file, a Hugging Face folder, or a folder with both."""

    model_config = ConfigDict(frozen=True)

    model: Path
    work_dir: Path
    quant: str = DEFAULT_QUANT  # of the GGUF file, where only a folder is given
    # Template, tokens and end token of both forms, which the parity gate compares after training
    compare_tokens: bool = False
    problem_sets: tuple[Path, ...] = ()  # whose prompts are held against the model's context


class PrepareSummary(BaseModel):
    """Where the two forms stand."""

    model_config = ConfigDict(frozen=True)

    gguf: Path
    master: Path
    architecture: str
    tensors: int
    too_long: dict[str, list[str]] = {}  # by the set's name: problems that it cannot be asked


def run(request: PrepareRequest, callback: Callback) -> PrepareSummary:
    """Find or make both forms; what has been made before is used again.

    Raises:
        ModelError: the model is missing, damaged, of an unsupported kind, or two different models;
            or its two forms make other tokens of a conversation.
        ProblemSetError: it can be asked none of a set's problems.
        MissingDependency: llama.cpp's converter is needed and not installed.
    """
    given = find_gguf(request.model)
    total = len(read_header(given).tensors) if given is not None else 0
    callback(StageStarted(stage=STAGE, title="prepare", total=total, unit="tensors"))
    done = 0

    def on_tensor(name: str) -> None:
        nonlocal done
        done += 1
        callback(StageProgress(stage=STAGE, done=done))

    start = resolve_start(request.model, request.work_dir, request.quant, on_tensor)
    gguf = read_header(start.gguf)
    long = too_long(gguf, request.problem_sets)
    if request.compare_tokens:
        # Also where one form was made of the other: what the gate will refuse, it will refuse.
        refuse_differing(start.gguf, start.master)
    summary = PrepareSummary(
        gguf=start.gguf,
        master=start.master,
        architecture=gguf.architecture,
        tensors=len(gguf.tensors),
        too_long=long,
    )
    facts: dict[str, Scalar] = {"architecture": summary.architecture, "tensors": summary.tensors}
    callback(StageFinished(stage=STAGE, summary=facts, skipped=done == 0))
    return summary
