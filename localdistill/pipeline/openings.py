"""How often a run has looked at eval.

What has been tuned on is no test any more. A run looks once, at its end; where it is continued with
more rounds it looks again, and that is written down and said.
"""

from __future__ import annotations

import time

from localdistill.jsonl import JsonlWriter, read_rows
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.stages.generate_resume import model_digest
from localdistill.types import Opening


def open_eval(session: Session, model: Model, problems: int, samples: int) -> list[Opening]:
    """Note, before it is done, that ``model`` is sampled on eval; returns all openings so far.

    The same file a second time is the same look, as its samples are those that were drawn before.
    """
    path = session.directory.openings
    openings = read_rows(path, Opening) if path.exists() else []
    digest = model_digest(model.gguf)
    # A finished comparison outlives the model's file.
    if digest is None or any(each.candidate_hash == digest for each in openings):
        return openings
    opening = Opening(
        at=time.time(),
        candidate=model.label,
        candidate_hash=digest,
        problems=problems,
        samples=samples,
    )
    with JsonlWriter(path) as file:
        file.write(opening)
    return [*openings, opening]
