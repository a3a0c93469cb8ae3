"""Thoughts that a server gives without their opening tag, and cut off before the closing one.

Where a chat template opens the thinking, and the server does not take it apart, an answer begins
inside of thoughts. One that ends by itself has the closing tag; one that was cut off by its length
has none, and looks like any other text. So what was cut off without a tag is held back until
another answer of the same model has told which of both it is; a few of them, so that few are lost
where the work is ended.
"""

from __future__ import annotations

from localdistill.backends.openai_answer import Answer
from localdistill.types import Completion

_HELD = 16  # answers, more than which are not held back


class Thoughts:
    """What is known of a model's answers, and those of which it is not known what they are."""

    def __init__(self) -> None:
        self.begins_inside: bool | None = None  # None: not known yet
        self._held: list[Answer] = []

    def take(self, answer: Answer) -> list[Completion]:
        """The completions that are ready after ``answer``: it and others, or none."""
        if answer.only_closed:  # also where one that ended in its thoughts has told otherwise
            self.begins_inside = True
        elif self.begins_inside is None and not answer.ambiguous:
            self.begins_inside = False
        self._held.append(answer)
        if self.begins_inside is not None:
            return self.release()
        return [self._read(self._held.pop(0))] if len(self._held) > _HELD else []

    def release(self) -> list[Completion]:
        """Those that were held back; as they came, where nothing has told what they are."""
        held, self._held = self._held, []
        return [self._read(answer) for answer in held]

    @property
    def holds(self) -> bool:
        """Whether there are any."""
        return bool(self._held)

    def _read(self, answer: Answer) -> Completion:
        row = answer.completion
        if not (self.begins_inside and answer.ambiguous):
            return row
        changes = {"text": "", "thinking": answer.whole.strip(), "finish_reason": "length"}
        ended = row.ended_by if row.ended_by == "repetition" else "length"
        return row.model_copy(update={**changes, "ended_by": ended})
