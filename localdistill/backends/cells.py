"""How many tokens of a decoder's cache are taken, and whether there is room for more samples.

The cache need not hold every sample at its greatest length: most end long before. It is filled by
what samples are expected to need, and if they need more, one of them makes room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from localdistill.backends.prompt_sequence import PromptSequence
from localdistill.backends.sample import Sample


class Cells:
    """The account of a cache of ``total`` tokens.

    A copy of a prompt counts once, however many samples share it. What prompts have in common is
    counted for each of them: the account is never below the truth.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._ended = 0  # samples
        self._ended_tokens = 0

    def finished(self, sample: Sample) -> None:
        """Learn from the length of a completed sample."""
        self._ended += 1
        self._ended_tokens += len(sample.tokens)

    def hold(self, active: Iterable[Sample], prompts: PromptSequence, *, more: int = 0) -> bool:
        """Whether the cache has room for the samples, the prompt and ``more`` tokens."""
        return self._taken(active, prompts) + more <= self._total

    def has_room_for_another(self, active: Sequence[Sample], prompts: PromptSequence) -> bool:
        """Whether one more sample will probably get to its end beside the others.

        Each is expected to become as long as those that have ended, and no longer than it may.
        Before any has ended only the room for the next tokens counts.
        """
        if not active:
            return True
        usual = self._ended_tokens / self._ended if self._ended else 1.0
        expected = sum(max(1.0, min(each.limit, usual) - len(each.tokens)) for each in active)
        return self._taken(active, prompts) + expected + usual <= self._total

    @staticmethod
    def _taken(active: Iterable[Sample], prompts: PromptSequence) -> int:
        lengths: dict[int, int] = {}
        own = 0
        for sample in active:
            lengths[sample.prompt_copy] = len(sample.prompt.tokens)
            own += len(sample.tokens)
        if prompts.prompt is not None:
            lengths[prompts.copy] = len(prompts.prompt.tokens)
        return own + sum(lengths.values())
