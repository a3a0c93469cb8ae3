"""The parity gate around one export: from before the merge until the file may be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from localdistill.backends.llama_model import LlamaModel, bindings
from localdistill.errors import ExportRejected
from localdistill.quantization import ggml_types
from localdistill.quantization.gguf_file import GgufFile, read_header
from localdistill.quantization.gguf_write import FILE_TYPE
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.importance import Importance, Means
from localdistill.quantization.merge import changed_since_start
from localdistill.quantization.quantise import keeps_types, quantise, write_f16
from localdistill.quantization.reference import Reference
from localdistill.stages.parity import bounds, verdicts
from localdistill.stages.parity.agreement import Losses
from localdistill.stages.parity.answers import answers_check
from localdistill.stages.parity.checks import Check, Findings
from localdistill.stages.parity.identity import adapter_check
from localdistill.stages.parity.passes import Compared, compare
from localdistill.stages.parity.positions import Texts, gather
from localdistill.stages.parity.tokens import (
    FolderTokens,
    conversation_check,
    end_check,
    metadata_check,
)


@dataclass(frozen=True)
class Subject:
    """What is checked: the files of one export, and what it is made from."""

    start: Path  # GGUF file that the new one is made after
    master: Path  # weights that training started from
    adapter: Path
    digest: str  # of the adapter's files
    merged: Path
    quant: str
    data: Path | None  # the examples that were selected for training
    threads: int | None = None


class Gate:
    """Checks one export; each method raises ``ExportRejected`` naming the check that failed.

    ``on_share`` hears which share (0 to 1) of ``measure`` or ``check`` is done.
    """

    def __init__(
        self,
        subject: Subject,
        findings: Findings,
        on_share: Callable[[float], None] = lambda share: None,
    ) -> None:
        bindings()  # before llama.cpp is loaded by anything else: sets how its threads wait
        self.subject = subject
        self.findings = findings
        self._on_share = on_share
        self._reference: Reference | None = None
        self._hidden: list[Any] = []
        self._means: Means | None = None

    @contextmanager
    def step(self, name: str, bound: str) -> Iterator[None]:
        """Keep a rejection by what is done inside as the failed check ``name``."""
        try:
            yield
        except ExportRejected as error:
            self.findings.add(Check(name=name, passed=False, bound=bound, reason=str(error)))
        else:
            self.findings.add(Check(name=name, passed=True, bound=bound))

    def before(self) -> None:
        """What can be known before the merge."""
        subject = self.subject
        self.findings.add(adapter_check(subject.adapter, subject.digest, subject.master))

    @cached_property
    def texts(self) -> Texts:
        """What is compared on."""
        model = LlamaModel(self.subject.start, gpu_layers=0)
        try:
            return gather(model, self.subject.adapter, self.subject.data)
        finally:
            model.close()

    def measure(self) -> Means | None:
        """Run the merged weights in 32 bits; gives the importance of their columns, if any."""
        import torch

        if self.subject.threads:
            torch.set_num_threads(self.subject.threads)
        texts, importance = self.texts, Importance()
        reference = Reference(read_folder(self.subject.merged))
        rows = [*texts.importance, *(row.tokens[:-1] for row in texts.rows)]
        counted = len(texts.importance)
        hidden = reference.hidden(
            rows, importance, counted, lambda layer: self._on_share(layer / reference.layers)
        )
        self._reference, self._hidden = reference, hidden[counted:]
        self._means = importance.means() if counted else None
        return self._means

    def check(self, new: Path) -> None:
        """All checks of the finished file ``new``. Files beside it are used and removed."""
        subject = self.subject
        start, made = read_header(subject.start), read_header(new)
        model, folder = LlamaModel(new, gpu_layers=0), FolderTokens(subject.merged)
        try:
            self.findings.add(
                metadata_check(start, made),
                end_check(made, model, folder),
                conversation_check(made, model, folder),
            )
        finally:
            model.close()
        after = self._after(new, made)
        self.findings.add(verdicts.merge_check(after.agreements[0]))
        before = self._before(new, start)
        kind = bounds.type_name_of(made.get(FILE_TYPE))
        agreement, losses = after.agreements[-1], after.losses[-1]
        self.findings.add(
            verdicts.quantised_check(kind, agreement, losses, before.agreements[0]),
        )
        trained = verdicts.read_trained(subject.adapter)
        held = verdicts.HeldOut(
            weights_before=self._held(before.losses[0]),
            weights_after=self._held(after.losses[1]),
            file_before=self._held(before.losses[-1]),
            file_after=self._held(after.losses[-1]),
        )
        # One by one: on another base nothing that follows means anything.
        self.findings.add(verdicts.base_check(trained, held.weights_before))
        start_kl = before.agreements[0].mean_kl
        self.findings.add(verdicts.survival_check(trained, held, start_kl))
        rows = self.texts.rows
        self.findings.add(answers_check(new, subject.start, rows, subject.threads))
        self._on_share(1.0)

    def _after(self, new: Path, made: GgufFile) -> Compared:
        """The merged weights, their F16 file, and the new file."""
        if self._reference is None:
            self.measure()
        assert self._reference is not None  # noqa: S101 - measure has made it
        rows, told = self.texts.rows, self._counter(0.0, 0.4)
        matrices = {tensor.type for tensor in made.tensors.values() if len(tensor.dims) > 1}
        if matrices == {ggml_types.F16}:  # it is its own F16 file
            files = [new, new]
            return compare(self._reference, self._hidden, files, rows, self.subject.threads, told)
        merged = self.subject.merged
        halves = new.with_name(new.name + ".f16")
        try:
            changed = changed_since_start(merged)
            write_f16(read_header(self.subject.start), read_folder(merged), changed, halves)
            files = [halves, new]
            return compare(self._reference, self._hidden, files, rows, self.subject.threads, told)
        finally:
            halves.unlink(missing_ok=True)
            self._reference, self._hidden = None, []

    def _before(self, new: Path, start: GgufFile) -> Compared:
        """The weights before training, and the starting file in the type of the new one."""
        subject, rows = self.subject, self.texts.rows
        master = read_folder(subject.master)
        reference = Reference(master)
        hidden = reference.hidden([row.tokens[:-1] for row in rows])
        told = self._counter(0.5, 0.4)
        if keeps_types(start, subject.quant):
            files = [subject.start]
            return compare(reference, hidden, files, rows, subject.threads, told)
        same = new.with_name(new.name + ".start")
        try:
            changed = changed_since_start(subject.master)
            quantise(start, master, changed, subject.quant, same, importance=self._means)
            return compare(reference, hidden, [same], rows, subject.threads, told)
        finally:
            same.unlink(missing_ok=True)

    def _held(self, losses: Losses) -> Losses:
        """The part of ``losses`` that is on held-out rows, which come first."""
        count = sum(row.positions for row in self.texts.held_out)
        return Losses([losses.values[:count]] if count else [])

    def _counter(self, start: float, share: float) -> Callable[[], None]:
        done = 0

        def told() -> None:
            nonlocal done
            done += 1
            self._on_share(start + share * done / len(self.texts.rows))

        return told
