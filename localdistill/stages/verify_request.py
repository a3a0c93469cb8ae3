"""What the stage *verify* is asked."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from localdistill.config import MAX_WORKERS


class VerifyRequest(BaseModel):
    """What to test, where, and where the verdicts go."""

    model_config = ConfigDict(frozen=True)

    problems: str  # a specification, see localdistill.problems
    limit: int | None = Field(default=None, ge=1)
    completions: Path
    out: Path
    sandbox: str = "auto"
    workers: int | None = Field(default=None, ge=1, le=MAX_WORKERS)  # None: chosen by the sandbox
    confirm: bool = True  # run passes again with another hash seed
    inseparable: bool = False  # also grade where tests reach into the candidate, who can then lie
    follow: bool = False  # go on until whoever writes the completions is done
    expected: int | None = Field(default=None, ge=0)  # completions in the end, if that is known
