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

from localdistill import control_arms, lab, preflight, rejection
from localdistill.comparison import Comparison, Omitted, read_comparison
from localdistill.config import Config
from localdistill.deadline import Deadline, OutOfTime, worked_seconds
from localdistill.events import Callback, CallStarted, Event, Notice, Recorded, RoundStarted
from localdistill.jsonl import JsonlWriter, done_facts, is_done, write_whole
from localdistill.manifest import manifest, record_sandbox, sandboxes
from localdistill.run_dir import RoundDir, RunDir
from localdistill.stages import evaluate, export, generate, prepare, select, split, train, verify
from localdistill.stages.accumulate import accumulate
from localdistill.stages.budget import BudgetSummary
from localdistill.stages.process import run_stage
from localdistill.stages.side_by_side import generate_and_verify
from localdistill.stages.this_machine import settled
from localdistill.stages.train_here import settled as settled_training
from localdistill.timekeeper import Timekeeper
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
    comparison: Comparison | None = None  # of strategies, where that was asked for
    omitted: Omitted | None = None  # what there was no time for


def run(config: Config, path: Path, callback: Callback) -> RunResult:
    """Run, or continue, the configured rounds in directory ``path``.

    Raises:
        LocaldistillError: of the class that says which boundary was crossed.
    """
    with contextlib.ExitStack() as stack:
        started = time.monotonic()
        journal = _Journal(callback)
        journal.begin()
        ready = preflight.check(config, RunDir(path), journal)
        directory = stack.enter_context(RunDir(path))
        config = directory.adopt(config)
        stack.callback(journal.close)
        worked = worked_seconds(directory.events) + time.monotonic() - started
        return _Run(config, directory, journal, worked).all_rounds(ready)


class _Journal:
    """Passes events on; keeps them in ``events.jsonl`` from when the run has really begun.

    Until then they are held back: a call that is refused leaves the directory as it was.
    """

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.said: set[str] = set()
        self.waiting: list[Recorded] = []
        self.file: JsonlWriter | None = None

    def begin(self) -> None:
        """Note that a call begins, for those who reckon with its time."""
        self.waiting.append(Recorded(at=time.time(), event=CallStarted()))

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
    def __init__(self, config: Config, directory: RunDir, journal: _Journal, worked: float) -> None:
        self.config = config
        deadline = Deadline(config.hours, worked)
        self.time = Timekeeper(deadline, directory.omitted, journal)
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
        self.time.know(base.gguf)
        models = [base]
        for number in range(1, config.rounds + 1):
            paths = directory.round(number)
            made = is_done(paths.model) or paths.rejected.exists()
            if not made and not self.time.begins(number, config.rounds):
                break
            self.callback(RoundStarted(round=number, rounds=config.rounds))
            models += self.try_round(number, models[-1], base)
            self.time.ends()
        if len(models) == 1:  # the eval set stays closed: there is nothing to compare
            return self.result(None, base)
        best = self.best_on_dev(models[1:], base)
        try:
            result = self.compare("eval", best, base, directory.evaluation)
        except OutOfTime as error:
            self.time.omit("evaluate", f"The comparison of the models on eval, as {error}.")
            return self.result(None, best)
        if config.controls:
            result = self.with_controls(result, best, base)
        return self.result(result, best)

    def result(self, evaluation: EvalResult | None, model: Model) -> RunResult:
        """What the run comes to, with all that goes with it."""
        return RunResult(
            evaluation,
            model,
            sandboxes(self.directory),
            tuple(self.rejections),
            read_comparison(self.directory.comparison),
            self.time.omitted,
        )

    def try_round(self, number: int, model: Model, base: Model) -> list[Model]:
        """The round's model; none where it is not one to go on with, which is then noted."""
        paths = self.directory.round(number)
        found = rejection.earlier(paths)
        if found is None:
            try:
                return [self.one_round(number, model, base)]
            except OutOfTime as error:
                self.time.omit("round", f"What was left of round {number}, as {error}.")
                return []
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
                until=self.time.generate_until(),
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
        made = is_done(paths.adapter)
        trained = self.stage(
            "train",
            train.TrainRequest(
                model=start.master,
                data=data,
                out=paths.adapter,
                seed=config.seed + number,
                threads=config.generate.threads,
                until=None if made else self.time.train_until(),
                deterministic=config.deterministic,
                **config.train.model_dump(exclude={"start"}),
            ),
        )
        if trained.get("out_of_time"):
            text = f"Round {number}: training ended after step {trained['steps']}"
            self.time.omit("train", f"{text} of {trained['planned_steps']}.")
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

    def with_controls(self, result: EvalResult, best: Model, base: Model) -> EvalResult:
        """``result`` with what the base comes to when it is trained on something else."""
        config, directory = self.config, self.directory
        rounds = [directory.round(each) for each in range(1, best.round + 1)]
        data = [each.trained if config.compare else each.selected for each in rounds]
        selected = directory.controls / "selected.jsonl"
        accumulate([path for path in data if path.exists()], selected)
        setting = control_arms.Setting(
            folder=directory.controls,
            selected=selected,
            problems=directory.problems("train"),
            tokenizer=base.master,
            max_length=config.train.max_length,
            seed=config.seed,
        )

        def trained(paths: RoundDir, data: Path, name: str) -> Model:
            self.train_and_export(paths, data, base, base, best.round)
            return Model(f"control-{name}", paths.model, paths.merged, best.round)

        def scored(model: Model) -> EvalResult:
            return self.compare("eval", model, base, model.gguf.with_name("evaluation.json"))

        hands = control_arms.Hands(
            budget=lambda request: self.stage("budget", request), train=trained, score=scored
        )
        found = control_arms.run(setting, config.controls, hands, self.callback)
        result = result.model_copy(update={"controls": found})
        write_whole(directory.evaluation, result.model_dump_json(indent=2) + "\n")
        return result

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
            began, made = time.monotonic(), is_done(generate_.out)
            drawn = self.stage("generate", generate_)
            tested = time.monotonic()
            self.stage("verify", verify_)
            if self.time.limited and not made:
                drawing = drawn["tokens"] / max(1e-6, drawn["tokens_per_second"])
                seconds = drawing + time.monotonic() - tested
                self.time.sampled(drawn["completions"], seconds, tested - began - drawing)
        self.record_sandbox(verify_.out)
        if self.time.limited:
            self.note_sampled(generate_)

    def note_sampled(self, request: generate.GenerateRequest) -> None:
        """Tell the keeper of time what a generation has done and left out."""
        facts = done_facts(request.out) if is_done(request.out) else {}
        if facts.get("left_out"):
            text = f"Round {request.round}: {facts['left_out']} problems of train were not sampled."
            self.time.omit("generate", text)
        if facts.get("completions"):
            self.time.speed_of(facts["completions"], facts["tokens"], facts["tokens_per_second"])

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
            try:
                out = self.directory.round(model.round).evaluation
                result = self.compare("dev", model, base, out, models=len(models) + 1)
            except OutOfTime as error:
                text = f"The choice between rounds on dev, as {error}: the last one is taken."
                self.time.omit("evaluate", text)
                return models[-1]
            scored.append((result.candidate.pass_at[0].value, -model.round, model))
        return max(scored, key=lambda entry: entry[:2])[2]

    def compare(
        self, name: str, model: Model, base: Model, out: Path, models: int = 2
    ) -> EvalResult:
        """Compare ``model`` with ``base`` on split ``name``, as one of ``models``.

        Raises:
            OutOfTime: there is no time for that.
        """
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
                problems=str(self.problems(name, models)),
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

    def problems(self, name: str, models: int) -> Path:
        """Those of split ``name`` that models are compared on: as many as there is time for."""
        whole = self.directory.problems(name)
        begun = self.directory.scores(name, "base").exists()
        part = self.directory.problems(f"{name}-part")
        if begun and not part.exists():
            return whole
        share = 0.5 if name == "dev" else 1.0
        return self.time.problems(whole, part, self.config.evaluate.samples, models, share)

    def record_sandbox(self, verdicts: Path) -> None:
        """Note where verdicts came about: a stage opens a sandbox of its own, maybe another."""
        facts = done_facts(verdicts) if is_done(verdicts) else {}
        if facts.get("tier") is not None:
            record_sandbox(self.directory, SandboxUse.model_validate(facts))

    def stage(self, name: str, request: BaseModel) -> dict[str, Any]:
        inherit = (self.directory.stage_lock,)
        with self.time.watched() as started:
            if started is None:
                return run_stage(name, request, self.callback, self.directory.log, inherit)
            return run_stage(
                name, request, self.callback, self.directory.log, inherit, started=started
            )
