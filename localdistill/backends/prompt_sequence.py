"""The prompt that samples are begun from: one sequence of the decoder, filled chunk by chunk."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.sample import Sample


@dataclass(frozen=True, eq=False)  # two problems may have equal prompts and are still two
class Prompt:
    """A problem's prompt as the model sees it."""

    tokens: array[int]
    # Its last characters open the model's thinking: the completion begins inside of it.
    opens_thinking: bool = False


class PromptSequence:
    """Sequence number ``sequence`` of ``decoder``, with all but the last token of a prompt.

    Each sample's first step appends that one, like any other token, and so gets its own row of
    logits whenever it starts.
    """

    def __init__(self, decoder: LlamaDecoder, sequence: int) -> None:
        self._decoder = decoder
        self._sequence = sequence
        self.prompt: Prompt | None = None
        self.copy = 0  # counts how often it was turned to a prompt
        self._held: Sequence[int] = ()  # tokens that the sequence has or is to have
        self._filled = 0

    @property
    def owed(self) -> int:
        """Tokens that have to be computed before samples can begin."""
        return len(self._held) - self._filled

    def turn_to(self, prompt: Prompt) -> None:
        """Make ``prompt`` the one to fill; what it has in common with the last one stays."""
        if prompt is self.prompt:
            return
        wanted = prompt.tokens[:-1]
        common = 0
        for mine, theirs in zip(self._held[: self._filled], wanted, strict=False):
            if mine != theirs:
                break
            common += 1
        self._filled = self._decoder.cut(self._sequence, common)
        self._held = wanted
        self.prompt = prompt
        self.copy += 1

    def part(self, most: int) -> tuple[int, Sequence[int], int] | None:
        """What to compute next, at most ``most`` tokens; see ``LlamaDecoder.step``."""
        if not self.owed:
            return None
        return self._sequence, self._held[self._filled : self._filled + most], self._filled

    def advance(self, count: int) -> None:
        """``count`` more tokens have been computed."""
        self._filled += count

    def begin(self, sample: Sample) -> None:
        """Let ``sample``'s sequence begin with the prompt."""
        sample.prompt_copy = self.copy
        self._decoder.share(self._sequence, sample.slot)
