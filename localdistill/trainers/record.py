"""What is left beside an adapter about its training, for the gate after it and for people.

``held_out.jsonl``
    One row for each example that was held out: ``{"tokens": [...], "prompt_length": n}``. Its loss
    is taken on the tokens from ``prompt_length`` on. Not there where nothing was held out.

``training.json``
    ``held_out``
        ``{"examples", "problems", "positions", "before", "after"}``: the mean loss over those
        ``positions`` tokens (nats) of the base in 4 bits without and with the adapter; or null.
    ``curve``
        For each step of the optimiser ``{"step", "loss", "learning_rate"}``, step counting from 1,
        with ``held_out_loss`` where it was measured after that step.
    ``kept_step``, ``stopped_early``, ``steps``
        After which step the adapter that is kept stood, and whether training was stopped before the
        last of its ``steps``, as the held-out loss rose; ``out_of_time``: as its time was over.

Neither says how often a training was interrupted: the same files come out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localdistill.trainers.chat_tokens import TokenizedExample
from localdistill.trainers.held_out import Division
from localdistill.trainers.state import TrainState

HELD_OUT = "held_out.jsonl"
TRAINING = "training.json"


def write(folder: Path, division: Division, state: TrainState, steps: int) -> None:
    """Write both files into ``folder``; ``steps`` is how many were planned."""
    if division.held_out:
        (folder / HELD_OUT).write_text(_rows(division.held_out), encoding="utf-8")
    facts = {
        "held_out": _held_out(division, state),
        "curve": _curve(state),
        "steps": steps,
        "kept_step": state.kept.step if state.kept else state.step,
        "stopped_early": state.stopped,
        "out_of_time": state.out_of_time,
    }
    (folder / TRAINING).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _rows(examples: Sequence[TokenizedExample]) -> str:
    rows = ({"tokens": row.tokens, "prompt_length": row.prompt_length} for row in examples)
    return "".join(json.dumps(row) + "\n" for row in rows)


def _held_out(division: Division, state: TrainState) -> dict[str, Any] | None:
    if not state.held_out or state.kept is None:
        return None
    return {
        "examples": len(division.held_out),
        "problems": division.problems,
        "positions": division.positions,
        "before": state.held_out[0].loss,
        "after": state.kept.loss,
    }


def _curve(state: TrainState) -> list[dict[str, float]]:
    measured = {entry.step: entry.loss for entry in state.held_out}
    curve: list[dict[str, float]] = []
    for step, (loss, rate) in enumerate(zip(state.losses, state.rates, strict=True), start=1):
        point: dict[str, float] = {"step": step, "loss": loss, "learning_rate": rate}
        if step in measured:
            point["held_out_loss"] = measured[step]
        curve.append(point)
    return curve
