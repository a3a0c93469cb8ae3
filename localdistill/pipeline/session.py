"""What all steps of a run share: configuration, directory, events, and the way to a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from localdistill.config import Config
from localdistill.deadline import Deadline
from localdistill.disk_use import Watch
from localdistill.events import Callback, Event, StageStarted
from localdistill.manifest import record_sandbox
from localdistill.markers import done_facts, is_done
from localdistill.pipeline.timekeeper import Timekeeper
from localdistill.run_dir import RunDir
from localdistill.stages import stage_room
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.process import run_stage
from localdistill.stages.side_by_side import generate_and_verify
from localdistill.stages.this_machine import offloads
from localdistill.stages.verify import VerifyRequest
from localdistill.types import SandboxUse


class Session:
    """One call of ``run`` on one directory. No stage is started but by ``stage`` and ``sample``."""

    def __init__(
        self, config: Config, directory: RunDir, callback: Callback, worked: float = 0.0
    ) -> None:
        self.config = config
        self.directory = directory
        self.callback = callback
        # ``worked``: seconds of the run's time that are gone
        self.time = Timekeeper(Deadline(config.hours, worked), directory.omitted, callback)
        self.disk = Watch(directory.path)

    def stage(self, name: str, request: BaseModel, of: str = "") -> dict[str, Any]:
        """Run stage ``name`` in a process of its own; returns its summary.

        ``of`` stands in its title, where a round has several of that name.

        Raises:
            LocaldistillError: see ``run_stage``.
            OutOfTime: it was ended some time after the run's end.
        """
        inherit = (self.directory.stage_lock,)
        callback = _titled(self.callback, of) if of else self.callback
        self._see_room(name, request)
        with self.time.watched() as started:
            return run_stage(name, request, callback, self.directory.log, inherit, started=started)

    def sample(self, generate: GenerateRequest, verify: VerifyRequest) -> None:
        """Draw completions and test them, one after the other or side by side.

        Raises:
            LocaldistillError: see ``run_stage``.
        """
        if self.overlaps() and not is_done(generate.out):
            follow = verify.model_copy(update={"follow": True})
            need = stage_room.together(generate, follow, self._drawn())
            self.disk.begin("generate", need)
            log, inherit = self.directory.log, (self.directory.stage_lock,)
            with self.time.watched() as started:
                generate_and_verify(generate, follow, self.callback, log, inherit, started)
        else:
            with self.time.measured(generate.out) as tested:
                self.stage("generate", generate)
                tested()
                self.stage("verify", verify)
        self.time.note_sampled(generate.round, generate.out)
        self.record_sandbox(verify.out)

    def _see_room(self, name: str, request: BaseModel) -> None:
        """Make sure that a stage's files will fit, before it is begun.

        Raises:
            StorageError: they will not.
        """
        out = getattr(request, "out", None)
        if out is None or not is_done(out):
            self.disk.begin(name, stage_room.need(request, self._drawn()))

    def _drawn(self) -> list[Path]:
        """What was drawn of the train problems, the last round's first."""
        return sorted(self.directory.path.glob("rounds/*/completions.jsonl"), reverse=True)

    def overlaps(self) -> bool:
        """Whether completions are tested while others are drawn.

        On a CPU both want the same cores, and a forward pass waits for its slowest thread: a
        default round of the seed model took 1.4 times as long side by side
        (``benchmarks/overlap.py``).
        """
        generate = self.config.generate
        if generate.adaptive or generate.overlap is not None:
            return generate.adaptive or bool(generate.overlap)
        return bool(generate.gpu_layers) and offloads()  # -1: all; a build may have no use for it

    def record_sandbox(self, verdicts: Path) -> None:
        """Note where verdicts came about: a stage opens a sandbox of its own, maybe another."""
        facts = done_facts(verdicts) if is_done(verdicts) else {}
        if facts.get("tier") is not None:
            record_sandbox(self.directory, SandboxUse.model_validate(facts))


def _titled(callback: Callback, of: str) -> Callback:
    """``callback`` with ``of`` in the titles of the stages that it is told of."""

    def take(event: Event, /) -> None:
        if isinstance(event, StageStarted):
            event = event.model_copy(update={"title": f"{event.title} ({of})"})
        callback(event)

    return take
