"""What every generator takes, gives and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from localdistill.types import Completion, Message


@dataclass(frozen=True)
class GenerationRequest:
    """One completion to draw: sample number ``sample`` of a problem, from its own random stream."""

    problem_id: str
    sample: int
    messages: list[Message]
    seed: int  # 0 .. 2**32 - 2
    entry_point: str | None = None  # what its program must define, to end with the first that does

    @property
    def key(self) -> tuple[str, int]:
        """The key of the completion that it will become."""
        return self.problem_id, self.sample


@dataclass
class GenerationStats:
    """Running totals of one generator. Times are wall-clock seconds.

    A forward pass may hold prompt tokens beside sampled ones: its time is divided by their numbers.
    """

    prefill_tokens: int = 0  # prompt tokens computed; a prefix shared by samples counts once
    decoded_tokens: int = 0  # tokens sampled, end tokens included
    discarded_tokens: int = 0  # of those: of samples that had to begin again for lack of room
    prefill_s: float = 0.0
    decode_s: float = 0.0  # forward passes, sampling and bookkeeping
    model_s: float = 0.0  # the part of both that was spent inside the model's forward passes
    sample_s: float = (
        0.0  # the part of decode_s in which tokens and log-probabilities were computed
    )
    in_flight: int = 0  # sequences being decoded now
    slots: int = 0  # sequences decoded together at most; 0 where it is not told
    cells: int = 0  # tokens that the cache holds; 0 where there is none of ours
    gpu_layers: int = 0  # -1: all
    weights: str = ""  # stored or f16: the form that is computed with; empty: by a server

    @property
    def tokens_per_second(self) -> float:
        """Sampled tokens a second of generation that were not thrown away, prefill in the time."""
        seconds = self.prefill_s + self.decode_s
        return (self.decoded_tokens - self.discarded_tokens) / seconds if seconds > 0 else 0.0

    @property
    def prefill_share(self) -> float:
        """Share of the time that went into prompts."""
        seconds = self.prefill_s + self.decode_s
        return self.prefill_s / seconds if seconds > 0 else 0.0


Tick = Callable[[GenerationStats], None]


class RequestSource(Protocol):
    """Hands out requests one at a time, so that what comes next may depend on what came out."""

    def take(self, *, wait: bool) -> GenerationRequest | None:
        """The next request.

        With ``wait`` it may block until one is there, and None means that there will be none any
        more. Without, None means only that there is none now.
        """


class ListSource:
    """A source that is known from the start."""

    def __init__(self, requests: Iterable[GenerationRequest]) -> None:
        self._requests = iter(requests)

    def take(self, *, wait: bool) -> GenerationRequest | None:
        """See ``RequestSource``; it never blocks."""
        return next(self._requests, None)


class Generator(Protocol):
    """Draws completions from one model with one ``Sampling``.

    Raises everywhere:
        ModelError: the model cannot be used, or its output is not numbers.
        UserError: a prompt does not fit into the context.
    """

    slots: int
    threads: int
    stats: GenerationStats

    def prepare(self, requests: Sequence[GenerationRequest]) -> None:
        """Check that all ``requests`` fit, and size the context for them."""

    def generate(
        self, requests: Sequence[GenerationRequest] | RequestSource, tick: Tick | None = None
    ) -> Iterator[Completion]:
        """Yield one completion a request, in the order in which they finish.

        Requests of one problem stand side by side, so that they can share its prompt. A source may
        hand out only what ``prepare`` has seen. A call begins from an empty cache: what it yields
        does not depend on earlier calls. Up to ``slots`` requests make one fixed batch: nothing is
        refilled while it runs. ``tick`` is called once a decoding step.
        """

    def close(self) -> None:
        """Give the model's memory back. Calling it twice does no harm."""
