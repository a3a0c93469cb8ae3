"""What the stage *generate* is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from localdistill.config import MAX_SLOTS, MAX_THREADS
from localdistill.sampling import Sampling, Weights
from localdistill.stages.adaptive_rule import Rule

CAP = 4  # times ``samples``: what a hard problem may get of what easy ones have left


class GenerateRequest(BaseModel):
    """What to sample, from what, and where it goes."""

    model_config = ConfigDict(frozen=True)

    model: Path  # a GGUF file, or with ``server`` the model's name there
    server: str | None = None  # the URL of an OpenAI-compatible server to draw from
    problems: str  # a specification, see localdistill.problems
    limit: int | None = Field(default=None, ge=1)
    samples: int = Field(default=1, ge=1, le=100_000)  # completions a problem
    sampling: Sampling = Sampling()
    seed: int = 0  # of the run
    round: int = 0
    purpose: str = "generate"  # a word of the seed's derivation: other purposes draw other samples
    out: Path
    slots: int | None = Field(default=None, ge=1, le=MAX_SLOTS)  # samples decoded together
    threads: int | None = Field(default=None, ge=1, le=MAX_THREADS)  # None: usable_cores()
    gpu_layers: int | None = Field(default=None, ge=-1)  # -1: all; None: as many as have room
    weights: Weights = "auto"  # with ``deterministic``, auto is stored
    deterministic: bool = False  # the same texts after a kill, for some speed
    # Draw by what passes, as `verify` with `follow` finds out while this stage is at work. Of a
    # problem so many different passes are wanted; ``samples`` a problem bound the whole set, and
    # ``cap`` one problem (None: CAP times ``samples``).
    adaptive: bool = False
    keep: int = Field(default=4, ge=1)
    cap: int | None = Field(default=None, ge=1)
    verdicts: Path | None = None
    # When no new problem is begun any more, as ``time.monotonic`` has it; not with ``adaptive``
    until: float | None = None

    def rule(self, problems: int) -> Rule:
        """The rule of adaptive sampling for a set of ``problems``."""
        cap = self.cap or CAP * self.samples
        return Rule(keep=self.keep, cap=cap, budget=self.samples * problems)

    @model_validator(mode="after")
    def _server_decides(self) -> Self:
        ours = {
            "--deterministic": self.deterministic,
            "--threads": self.threads is not None,
            "--weights": self.weights != "auto",
            "--gpu-layers": self.gpu_layers is not None,
        }
        name = next((name for name, given in ours.items() if given), None)
        if self.server is not None and name is not None:
            raise ValueError(f"{name} is the server's affair: leave it out with --server")
        return self
