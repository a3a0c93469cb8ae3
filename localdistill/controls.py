"""Data sets of the controls: what a gain would be without what the method is about.

``references`` are the problem set's own solutions, what plain fine-tuning trains on. ``shuffled``
has the model's own answers under prompts of other problems: whatever is gained by that is gained by
the form of answers, by a lower entropy, or by the training as such.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from localdistill.errors import ConfigError
from localdistill.types import Message, Problem, TrainingExample

NAMES = ("references", "shuffled")


def references(
    selected: Sequence[TrainingExample], problems: Mapping[str, Problem]
) -> list[TrainingExample]:
    """For each selected example its problem's reference solution, as a fenced block of Python.

    A problem so keeps the weight that it has in the selection. Those without a reference are left
    out.

    Raises:
        ConfigError: none has one.
    """
    found = [
        example.model_copy(
            update={
                "messages": [*example.messages[:-1], _answer(reference)],
                "strategy": "references",
                "complete": True,
                "mean_logprob": None,
                "thinking_as_drawn": False,
            }
        )
        for example in selected
        if (reference := _reference(problems.get(example.problem_id))) is not None
    ]
    if not found:
        raise ConfigError(without_references("the problems that were selected"))
    return found


def without_references(what: str) -> str:
    """What is said where there is nothing for the control ``references`` to train on."""
    text = f"--controls references: none of {what} has a reference solution"
    return f"{text}; name a set that has, or take --controls shuffled."


def shuffled(selected: Sequence[TrainingExample], seed: int) -> list[TrainingExample]:
    """The answers of ``selected``, each under the prompt of another problem; seeded.

    The examples stand in a circle, those of a problem together and problems in random order, and
    each prompt moves on by the size of the largest problem: so each is used as often as before, and
    none stays with its problem.

    Raises:
        ConfigError: one problem has more than half of the examples, so that there is no such order.
    """
    groups: dict[str, list[TrainingExample]] = {}
    for example in selected:
        # An equal prompt is the same problem, whatever its id.
        groups.setdefault(example.messages[-2].content, []).append(example)
    order = sorted(groups)
    random.Random(f"{seed} shuffled").shuffle(order)  # noqa: S311 - no secret
    circle = [example for prompt in order for example in groups[prompt]]
    step = max((len(group) for group in groups.values()), default=0)
    if 2 * step > len(circle):
        text = "--controls shuffled: more than half of the selected examples are of one problem"
        raise ConfigError(f"{text}; draw more samples, or leave that control out.")
    return [
        example.model_copy(
            update={
                "messages": [*other.messages[:-1], example.messages[-1]],
                # What is held out of training goes by the prompt.
                "problem_id": other.problem_id,
                "strategy": "shuffled",
            }
        )
        for place, example in enumerate(circle)
        for other in [circle[(place + step) % len(circle)]]
    ]


def _reference(problem: Problem | None) -> str | None:
    if problem is None or not (problem.reference or "").strip():
        return None
    return problem.reference


def _answer(code: str | None) -> Message:
    text = (code or "").strip("\n")
    return Message(role="assistant", content=f"```python\n{text}\n```")
