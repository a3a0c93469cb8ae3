"""Writes a finished model where people use it, each form with its model card."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.digests import file_digest, text_digest
from localdistill.durable import to_disk, write_atomically
from localdistill.errors import ConfigError, ModelError
from localdistill.events import Callback, Notice, StageFinished, StageProgress, StageStarted
from localdistill.markers import done_facts, is_done, refuse_foreign
from localdistill.markers import publish as publish_file
from localdistill.publishing.card import Card, card_text
from localdistill.publishing.folders import link_or_copy, new_folder, refuse_foreign_folder
from localdistill.publishing.modelfile import chat_form, modelfile
from localdistill.publishing.source import Source
from localdistill.publishing.stamps import CARD, MARKED, card_beside, refuse_edited, stamp
from localdistill.quantization.adapter import read_adapter
from localdistill.quantization.adapter_gguf import write_adapter_gguf
from localdistill.quantization.file_type import file_type_of
from localdistill.quantization.fingerprint import file_fingerprint, refuse_replaced
from localdistill.quantization.folder_write import NOTE, partial
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder

STAGE = "publish"
_PUBLISHER = "localdistill"  # LM Studio's folder above the model's
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Targets:
    """What is to be written, and where; None: not."""

    gguf: Path | None = None  # a file
    ollama: Path | None = None  # a folder
    lm_studio: Path | None = None  # LM Studio's folder of models, in which one more will stand
    hf: Path | None = None  # a folder
    adapter: Path | None = None  # a file

    def __bool__(self) -> bool:
        return any((self.gguf, self.ollama, self.lm_studio, self.hf, self.adapter))

    def lm_studio_folder(self, name: str) -> Path | None:
        """The model's own folder in LM Studio's."""
        return self.lm_studio / _PUBLISHER / name if self.lm_studio else None


def check_name(name: str | None) -> None:
    """Refuse a name that could not be one of a file and of a model in Ollama.

    Raises:
        ConfigError: it is none.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise ConfigError(f"--name {name}: take letters, digits, dots, dashes and underscores.")


def check_targets(targets: Targets, name: str) -> None:
    """Refuse to replace what is not ours, or one target by another; before any work.

    Raises:
        ConfigError: something is there already, or two targets are in each other's way.
    """
    files = [file for file in (targets.gguf, targets.adapter) if file is not None]
    folders = [
        folder
        for folder in (targets.ollama, targets.lm_studio_folder(name), targets.hf)
        if folder is not None
    ]
    for file in files:
        refuse_foreign(file)
        refuse_replaced(file)
        refuse_edited(file)
    for folder in folders:
        refuse_foreign_folder(folder)
    _refuse_overlaps([*files, *folders])


def _refuse_overlaps(places: Sequence[Path]) -> None:
    """A folder is replaced as a whole, with all that was written into it."""
    for one, other in itertools.permutations([place.resolve() for place in places], 2):
        if other.is_relative_to(one):
            raise ConfigError(f"{other}: two outputs are to be there. Name another place for one.")


def _refuse_other_stages(targets: Targets) -> None:
    """What a run has made has a marker too, which says of what: it stays as it is."""
    for file in (targets.gguf, targets.adapter):
        if file is not None and is_done(file) and not _is_published(done_facts(file)):
            message = f"{file}: is there already, and not made by this command"
            raise ConfigError(f"{message}. Name another file, or move it away.")


def _is_published(facts: dict[str, Any]) -> bool:
    return "file" in facts and MARKED.issuperset(facts)


def run(source: Source, targets: Targets, callback: Callback) -> None:
    """Write ``source`` to all ``targets``.

    Raises:
        ConfigError: something that is not ours is there already.
        ModelError: a part of the model is missing or damaged.
    """
    name = source.card.name
    _refuse_other_stages(targets)
    check_targets(targets, name)
    steps = _steps(source, targets)
    callback(StageStarted(stage=STAGE, title="export", total=len(steps) + 1, unit="steps"))
    digest = file_digest(source.gguf)
    card = source.card.model_copy(update={"files": {**source.card.files, "model.gguf": digest}})
    callback(StageProgress(stage=STAGE, done=1))
    told = []
    for done, step in enumerate(steps, start=2):
        told += step(source, card, targets)
        callback(StageProgress(stage=STAGE, done=done))
    callback(StageFinished(stage=STAGE, summary={"model": name}))
    if card.evaluation is not None and card.evaluation.verdict in ("worse", "no evidence"):
        text = f"There is no evidence that {name} is better than what it was made from"
        if card.evaluation.verdict == "worse":
            text = f"{name} is worse than what it was made from"
        callback(Notice(level="warning", message=f"{text}; its card says so."))
    for notice in told:
        callback(notice)


_Step = Callable[[Source, Card, Targets], list[Notice]]


def _steps(source: Source, targets: Targets) -> list[_Step]:
    wanted: list[tuple[Path | None, _Step]] = [
        (targets.gguf, _gguf),
        (targets.ollama, _ollama),
        (targets.lm_studio, _lm_studio),
        (targets.hf, _hf),
        (targets.adapter, _adapter),
    ]
    return [step for path, step in wanted if path is not None]


def _gguf(source: Source, card: Card, targets: Targets) -> list[Notice]:
    out = _given(targets.gguf)
    text = card_text(card, "The model, for llama.cpp and others.")
    _write_file(out, lambda path: link_or_copy(source.gguf, path), lambda path: text)
    return [Notice(message=f"{out}: the model, for llama.cpp and all that is built on it.")]


def _ollama(source: Source, card: Card, targets: Targets) -> list[Notice]:
    folder = _given(targets.ollama)
    gguf = read_header(source.gguf)
    use = (
        f"In this folder, `ollama create {card.name} -f Modelfile`, then `ollama run {card.name}`."
    )
    with new_folder(folder, "ollama") as new:
        link_or_copy(source.gguf, new / "model.gguf")
        text = modelfile(gguf, card.name, card.decoding)
        (new / "Modelfile").write_text(text, encoding="utf-8")
        _write_card(new / CARD, card, use)
    told = [Notice(message=f"ollama create {card.name} -f {folder / 'Modelfile'}")]
    if chat_form(gguf) is None:
        text = f"{folder / 'Modelfile'} has no TEMPLATE: the model's chat template is not ChatML."
        text += " Ollama looks for one of its own that is like it; compare before you rely on it."
        told.append(Notice(level="warning", message=text))
    return told


def _lm_studio(source: Source, card: Card, targets: Targets) -> list[Notice]:
    folder = _given(targets.lm_studio_folder(card.name))
    kind = file_type_of(read_header(source.gguf))
    use = f"LM Studio shows it as `{_PUBLISHER}/{card.name}` in My Models, `lms ls`."
    if card.decoding is not None:
        use += " It takes its chat template from the file; set its sampling by hand (see below)."
    with new_folder(folder, "lmstudio") as new:
        link_or_copy(source.gguf, new / f"{card.name}-{kind}.gguf")
        _write_card(new / CARD, card, use)
    return [Notice(message=f"{folder}: LM Studio lists it if {targets.lm_studio} is its folder.")]


def _hf(source: Source, card: Card, targets: Targets) -> list[Notice]:
    folder = _given(targets.hf)
    merged = read_folder(source.merged)
    use = "The merged weights in 16 bits, for transformers, vLLM and others that read safetensors."
    if {"BF16", "F16"} <= {tensor.dtype for tensor in merged.tensors.values()}:
        use += " Matrices that training changed are in float16, which holds more of it than the"
        use += " bfloat16 of the others; what loads them in bfloat16 rounds it off again."
    with new_folder(folder, "hf") as new:
        for file in sorted(source.merged.iterdir()):
            if file.is_file() and file.name not in (NOTE, CARD):
                link_or_copy(file, new / file.name)
        _write_card(new / CARD, card, use)
    return [Notice(message=f"{folder}: the merged weights in 16 bits.")]


def _adapter(source: Source, card: Card, targets: Targets) -> list[Notice]:
    out = _given(targets.adapter)
    master = read_folder(source.merged)  # of the base's names and shapes
    adapters = [read_adapter(path, master) for path in source.adapters]
    architecture = read_header(source.gguf).architecture
    use = f"The adapter alone: `llama-server --model BASE.gguf --lora {out.name}`."

    def describe(made: Path) -> str:
        files = {**card.files, out.name: file_digest(made)}
        return card_text(card.model_copy(update={"files": files}), use)

    def write(path: Path) -> None:
        write_adapter_gguf(path, architecture, adapters, card.name)

    _write_file(out, write, describe)
    return [Notice(message=f"{out}: for `llama-server --lora` with the base model's file.")]


def _write_card(path: Path, card: Card, use: str) -> None:
    path.write_text(card_text(card, use), encoding="utf-8")


def _write_file(out: Path, write: Callable[[Path], None], describe: Callable[[Path], str]) -> None:
    """Let ``write`` make a file that becomes ``out`` when it is whole, with a card beside it."""
    unfinished = partial(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished.unlink(missing_ok=True)
    try:
        write(unfinished)
        to_disk(unfinished)
        text, card = describe(unfinished), card_beside(out)
        # The card that is there is ours; should a kill come before the new one, it stays so.
        cards = [file_digest(card)] if card.is_file() else []
        cards.append(text_digest(text))
        publish_file(
            unfinished,
            out,
            file=file_fingerprint(unfinished),
            stamp=stamp(unfinished),
            cards=cards,
        )
        write_atomically(card, text)
    finally:
        unfinished.unlink(missing_ok=True)


def _given(path: Path | None) -> Path:
    if path is None:
        raise ModelError("nothing is to be written there")  # a step runs for a target that is given
    return path
