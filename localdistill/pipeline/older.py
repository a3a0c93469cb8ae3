"""Results of a model that a run has ended with before, and does not end with now."""

from __future__ import annotations

import json

from localdistill.markers import is_done, marker
from localdistill.pipeline.session import Session


def set_aside(session: Session, label: str) -> None:
    """Rename ``evaluation.json`` and ``regression.json`` unless they are of model ``label``.

    They would be taken for its own. They stay beside their places, as ``evaluation-round-01.json``.
    """
    evaluation = session.directory.evaluation
    if not is_done(evaluation):
        return
    old = json.loads(evaluation.read_bytes())["candidate"]["model"]
    if old == label:
        return
    for path in (evaluation, session.directory.regression):
        if path.exists():
            # In this order: a file without a marker would be taken for somebody else's.
            path.replace(path.with_name(f"{path.stem}-{old}{path.suffix}"))
            marker(path).unlink(missing_ok=True)
