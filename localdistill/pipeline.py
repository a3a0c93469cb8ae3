"""One round, then the loop over rounds.

    prepare --> [ generate --> verify --> select --> train --> export ] x rounds --> evaluate

*generate* and *verify* work side by side where a GPU draws, or ``generate.overlap`` or ``adaptive``
is on. Every step is a stage on files; a finished one is recognised by its marker and not done
again, so the same call on the same directory goes on where an earlier one was stopped. A round
whose training diverges or whose export is rejected gives no model: the next one goes on from the
model before it.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from localdistill import lab, preflight, rejection
from localdistill.config import Config
from localdistill.events import Callback, Event, Notice, Recorded, RoundStarted
from localdistill.jsonl import JsonlWriter, done_facts, is_done
from localdistill.manifest import manifest, record_sandbox, sandboxes
from localdistill.run_dir import RoundDir, RunDir
from localdistill.stages import evaluate, export, generate, prepare, select, split, train, verify
from localdistill.stages.accumulate import accumulate
from localdistill.stages.budget import BudgetSummary
from localdistill.stages.process import run_stage
from localdistill.stages.side_by_side import generate_and_verify
from localdistill.stages.this_machine import settled
from localdistill.stages.train_here import settled as settled_training
from localdistill.types import EvalResult, Rejection, SandboxUse


@dataclass(frozen=True)
class Model:
    """A model of the run: the file that is sampled, and the 16-bit weights to train from."""

    label: str
    gguf: Path
    master: Path
    round: int = 0  # that it came of; 0: the starting model


@dataclass(frozen=True)
class RunResult:
    """What a run comes to."""

    evaluation: EvalResult | None  # None: no round gave a new model
    model: Model
    sandboxes: list[SandboxUse]  # that its programs ran in, the first one first
    rejections: tuple[Rejection, ...] = ()  # the rounds without a model


def run(config: Config, path: Path, callback: Callback) -> RunResult:
    """Run, or continue, the configured rounds in directory ``path``.

    Raises:
        LocaldistillError: of the class that says which boundary was crossed.
    """
    with contextlib.ExitStack() as stack:
        journal = _Journal(callback)
        ready = preflight.check(config, RunDir(path), journal)
        directory = stack.enter_context(RunDir(path))
        config = directory.adopt(config)
        stack.callback(journal.close)
        return _Run(config, directory, journal).all_rounds(ready)


class _Journal:
    """Passes events on; keeps them in ``events.jsonl`` from when the run has really begun.

    Until then they are held back: a call that is refused leaves the directory as it was.
    """

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.said: set[str] = set()
        self.waiting: list[Recorded] = []
        self.file: JsonlWriter | None = None

    def __call__(self, event: Event, /) -> None:
        recorded = Recorded(at=time.time(), event=event)
        if self.file is not None:
            self.file.write(recorded)
        else:
            self.waiting.append(recorded)
        if isinstance(event, Notice):
            if event.message in self.said:  # each use of the sandbox says what it covers
                return
            self.said.add(event.message)
        self.callback(event)

    def open(self, path: Path) -> None:
        self.file = JsonlWriter(path)
        self.file.write(*self.waiting)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


class _Run:
    def __init__(self, config: Config, directory: RunDir, journal: _Journal) -> None:
        self.config = config
        self.directory = directory
        self.callback: Callback = journal
        self.journal = journal
        self.rejections: list[Rejection] = []

    def all_rounds(self, ready: preflight.Ready) -> RunResult:
        directory = self.directory
        if ready.splits is not None:
            split.write(preflight.split_request(self.config, directory), ready.splits)
        base = self.prepare()
        if not ready.pinned:
            # What was chosen when the run was begun stands, however much memory is free today.
            cells = 0 if directory.manifest.exists() else self.settle(base)
            directory.write_manifest(manifest(self.config, directory, base.gguf, cells))
        config = self.config
        if ready.sandbox is not None:
            record_sandbox(directory, ready.sandbox)
        self.journal.open(directory.events)
        models = [base]
        for number in range(1, config.rounds + 1):
            self.callback(RoundStarted(round=number, rounds=config.rounds))
            models += self.try_round(number, models[-1], base)
        rejections = tuple(self.rejections)
        if len(models) == 1:  # the eval set stays closed: there is nothing to compare
            return RunResult(None, base, sandboxes(directory), rejections)
        best = self.best_on_dev(models[1:], base)
        result = self.compare("eval", best, base, directory.evaluation)
        return RunResult(result, best, sandboxes(directory), rejections)

    def try_round(self, number: int, model: Model, base: Model) -> list[Model]:
        """The round's model; none where it is not one to go on with, which is then noted."""
        paths = self.directory.round(number)
        found = rejection.earlier(paths)
        if found is None:
            try:
                return [self.one_round(number, model, base)]
            except rejection.CAUSES as error:
                found = rejection.note(paths, number, error, model.label)
        self.rejections.append(found)
        self.callback(Notice(level="warning", message=rejection.told(found, paths)))
        return []

    def one_round(self, number: int, model: Model, base: Model) -> Model:
        """Sample ``model``, and train it or ``base``, as ``train.start`` says."""
        config, paths = self.config, self.directory.round(number)
        problems = str(self.directory.problems("train"))
        self.sample(
            generate.GenerateRequest(
                model=model.gguf,
                problems=problems,
                samples=config.generate.samples,
                sampling=config.generate.sampling(),
                seed=config.seed,
                round=number,
                out=paths.completions,
                slots=config.generate.slots,
                threads=config.generate.threads,
                gpu_layers=config.generate.gpu_layers,
                deterministic=config.deterministic,
                adaptive=config.generate.adaptive,
                keep=config.select.max_per_problem,
                cap=config.generate.cap,
                verdicts=paths.verdicts,
            ),
            verify.VerifyRequest(
                problems=problems,
                completions=paths.completions,
                out=paths.verdicts,
                **config.verify.model_dump(),
            ),
        )
        made = Model(f"round-{number:02d}", paths.model, paths.merged, number)
        if config.compare:
            self.compare_strategies(paths, base)
            return made
        self.select(paths, config.select.strategy, paths.selected)
        start = base if config.train.start == "base" else model
        self.train_and_export(paths, self.examples(number), start, base, number)
        return made

    def select(self, paths: RoundDir, strategy: str, out: Path) -> int:
        """Choose by ``strategy`` from the round's completions; returns how many are kept."""
        config = self.config
        found = self.stage(
            "select",
            select.SelectRequest(
                problems=str(self.directory.problems("train")),
                completions=paths.completions,
                verdicts=paths.verdicts,
                out=out,
                seed=config.seed,
                sandbox=config.verify.sandbox,
                workers=config.verify.workers,
                **{**config.select.model_dump(), "strategy": strategy},
            ),
        )
        return int(found.get("kept", 0))

    def train_and_export(
        self, paths: RoundDir, data: Path, start: Model, base: Model, number: int
    ) -> None:
        """Make, in the folder ``paths``, a model of ``start`` that is trained on ``data``."""
        config = self.config
        self.stage(
            "train",
            train.TrainRequest(
                model=start.master,
                data=data,
                out=paths.adapter,
                seed=config.seed + number,
                threads=config.generate.threads,
                deterministic=config.deterministic,
                **config.train.model_dump(exclude={"start"}),
            ),
        )
        self.stage(
            "export",
            export.ExportRequest(
                template=start.gguf,
                master=start.master,
                adapter=paths.adapter,
                merged=paths.merged,
                out=paths.model,
                # A round's own file has the wanted types already.
                quant=config.export.quant if start is base else "same",
                data=data,
                threads=config.generate.threads,
            ),
        )

    def compare_strategies(self, paths: RoundDir, base: Model) -> None:
        """Train by each strategy; the best one's model is the round's. See ``lab``."""
        config = self.config

        def trained(arm: RoundDir, data: Path, name: str) -> Model:
            self.train_and_export(arm, data, base, base, 1)
            return Model(f"arm-{name}", arm.model, arm.merged, 1)

        def scored(model: Model) -> EvalResult:
            return self.compare("dev", model, base, model.gguf.with_name("evaluation.json"))

        work = lab.Lab(
            round=paths,
            out=self.directory.comparison,
            tokenizer=base.master,
            max_length=config.train.max_length,
            tokens=config.compare_tokens,
            seed=config.seed,
        )
        hands = lab.Hands(
            select=lambda name, out: self.select(paths, name, out),
            budget=lambda request: BudgetSummary.model_validate(self.stage("budget", request)),
            train=trained,
            score=scored,
        )
        lab.run(work, config.compare, hands, self.callback)

    def examples(self, number: int) -> Path:
        """What round ``number`` trains on."""
        paths = self.directory.round(number)
        if self.config.train.start == "previous":
            return paths.selected
        rounds = [self.directory.round(each) for each in range(1, number + 1)]
        accumulate([each.selected for each in rounds], paths.accumulated)
        return paths.accumulated

    def overlaps(self) -> bool:
        """Whether completions are tested while others are drawn.

        On a CPU both want the same cores, and a forward pass waits for its slowest thread: a
        default round of the seed model took 1.4 times as long side by side
        (``benchmarks/overlap.py``).
        """
        generate_ = self.config.generate
        if generate_.adaptive or generate_.overlap is not None:
            return generate_.adaptive or bool(generate_.overlap)
        return bool(generate_.gpu_layers)  # -1: all

    def sample(self, generate_: generate.GenerateRequest, verify_: verify.VerifyRequest) -> None:
        if self.overlaps() and not is_done(generate_.out):
            follow = verify_.model_copy(update={"follow": True})
            log, inherit = self.directory.log, (self.directory.stage_lock,)
            generate_and_verify(generate_, follow, self.callback, log, inherit)
        else:
            self.stage("generate", generate_)
            self.stage("verify", verify_)
        self.record_sandbox(verify_.out)

    def settle(self, base: Model) -> int:
        """Choose what is open of generation's and training's size; gives the tokens of a cache."""
        sets = (self.directory.problems(name) for name in ("train", "eval"))
        config, cells = settled(self.config, sets, base.gguf)
        config = settled_training(config, base.master)
        if config != self.config:
            self.directory.settle(config)
        self.config = config
        return cells

    def prepare(self) -> Model:
        start = self.stage(
            "prepare",
            prepare.PrepareRequest(model=Path(self.config.model), work_dir=self.directory.start),
        )
        return Model("base", Path(start["gguf"]), Path(start["master"]))

    def best_on_dev(self, models: list[Model], base: Model) -> Model:
        """The round's model with the highest pass@1 on dev; no choice is made of one."""
        if len(models) == 1:
            return models[0]
        scored = []
        for model in models:
            result = self.compare("dev", model, base, self.directory.round(model.round).evaluation)
            scored.append((result.candidate.pass_at[0].value, -model.round, model))
        return max(scored, key=lambda entry: entry[:2])[2]

    def compare(self, name: str, model: Model, base: Model, out: Path) -> EvalResult:
        config, scores = self.config, self.directory.scores
        found = self.stage(
            "evaluate",
            evaluate.EvaluateRequest(
                candidate=evaluate.ModelUnderTest(
                    label=model.label, gguf=model.gguf, work_dir=scores(name, model.label)
                ),
                baseline=evaluate.ModelUnderTest(
                    label=base.label, gguf=base.gguf, work_dir=scores(name, base.label)
                ),
                problems=str(self.directory.problems(name)),
                name=name,
                samples=config.evaluate.samples,
                ks=config.evaluate.ks,
                sampling=config.evaluate.sampling(),
                seed=config.seed,
                slots=config.generate.slots,
                threads=config.generate.threads,
                gpu_layers=config.generate.gpu_layers,
                deterministic=config.deterministic,
                sandbox=config.verify.sandbox,
                workers=config.verify.workers,
                out=out,
            ),
        )
        for label in (model.label, base.label):
            self.record_sandbox(scores(name, label) / evaluate.VERDICTS)
        return EvalResult.model_validate(found)

    def record_sandbox(self, verdicts: Path) -> None:
        """Note where verdicts came about: a stage opens a sandbox of its own, maybe another."""
        facts = done_facts(verdicts) if is_done(verdicts) else {}
        if facts.get("tier") is not None:
            record_sandbox(self.directory, SandboxUse.model_validate(facts))

    def stage(self, name: str, request: BaseModel) -> dict[str, Any]:
        inherit = (self.directory.stage_lock,)
        return run_stage(name, request, self.callback, self.directory.log, inherit)
