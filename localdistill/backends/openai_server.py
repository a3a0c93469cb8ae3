"""Generation by a model server that speaks OpenAI's chat API, instead of a file in this process.

``slots`` requests are in flight at once; the server batches them as it can. Answers are not
streamed: a fast server would be held up by a message for each token. So what ends a completion
early in this process (a code block, a loop) is a matter of the text that came.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from localdistill.backends.base import (
    GenerationRequest,
    GenerationStats,
    ListSource,
    RequestSource,
    Tick,
)
from localdistill.backends.openai_address import Address, api_key, parse
from localdistill.backends.openai_answer import Answer
from localdistill.backends.openai_answer import read as read_answer
from localdistill.backends.openai_client import Client, Json, Retry
from localdistill.backends.openai_model import ServedModel, meet
from localdistill.backends.openai_thinking import Thoughts
from localdistill.errors import Stopped, UserError
from localdistill.sampling import Sampling
from localdistill.types import Completion

MAX_SLOTS = 1024  # connections; servers queue what they cannot decode together
TIMEOUT_S = 1800.0  # for one answer, queueing included
_TICK_S = 0.25
T = TypeVar("T")


class OpenAIServerGenerator:
    """``base.Generator`` on one model of an OpenAI-compatible server.

    ``notes`` are sentences for the user: what the server may do otherwise than asked. They are
    there after ``prepare``; what is found later is added.

    Args:
        server: the server's base URL, with or without ``/v1``.
        model: the model's name there.
        sampling: how tokens are to be drawn; see ``openai_makes`` for what a make honours.
        slots: requests in flight, from 1 to 1024 (the stage *generate* takes 255 at most).
        timeout_s: for one answer.
        retry: how long failures that may pass are borne.
        environment: where an API key may stand (``LOCALDISTILL_API_KEY``, ``OPENAI_API_KEY``).

    Raises:
        ConfigError: ``server`` is no URL.
        UserError: ``slots`` is out of range.
    """

    def __init__(
        self,
        server: str,
        model: str,
        sampling: Sampling,
        *,
        slots: int,
        timeout_s: float = TIMEOUT_S,
        retry: Retry | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        if not 1 <= slots <= MAX_SLOTS:
            raise UserError(f"--slots must be from 1 to {MAX_SLOTS}, not {slots}")
        self.sampling = sampling
        self.slots = slots
        self.threads = 0  # the server's affair
        self.stats = GenerationStats()
        self.notes: list[str] = []
        self._address = parse(server)
        self._key = api_key(environment)
        self._wanted = model
        self._timeout_s = timeout_s
        self._retry = retry or Retry()
        self._model: ServedModel | None = None  # found by prepare
        self._thoughts = Thoughts()
        # Made when first needed: a generator that is never used leaves nothing open.
        self._runner: asyncio.Runner | None = None
        self._client: Client | None = None

    def prepare(self, requests: Sequence[GenerationRequest]) -> None:
        """Check that server and model are there, and with a token or three what they can do.

        The longest prompt is tried, so that one that does not fit is refused here. Later calls
        return at once.

        Raises:
            ServerError: no server, no such model, or it refuses the request.
            ConfigError: the server is known not to do what was asked for.
        """
        if self._model is None:
            longest = max(requests, key=_length, default=None)
            self._model = self._run(self._meet(longest))
            self.notes += [*self._model.notes, *_privacy_notes(self._address, self._key)]

    async def _meet(self, longest: GenerationRequest | None) -> ServedModel:
        return await meet(self._connected(), self._wanted, self.sampling, longest)

    def generate(
        self, requests: Sequence[GenerationRequest] | RequestSource, tick: Tick | None = None
    ) -> Iterator[Completion]:
        """See ``base.Generator``. ``tick`` is called with each answer, and four times a second.

        Raises:
            ServerError: a request is refused, or the server has been gone for too long. All
                answers that came before have been yielded.
        """
        if isinstance(requests, Sequence):
            self.prepare(requests)
            requests = ListSource(requests)
        flying: set[asyncio.Task[Answer]] = set()
        since = time.perf_counter()
        try:
            while True:
                waited = not flying  # for the source, which is not time of generation
                if not self._fill(flying, requests, wait=not self._thoughts.holds):
                    if not self._thoughts.holds:
                        return
                    # Whoever decides what is drawn next may wait for these.
                    yield from self._thoughts.release()
                    continue
                since = time.perf_counter() if waited else since
                ended = self._run(_some_of(flying))
                now = time.perf_counter()
                self.stats.decode_s += now - since
                since = now
                flying -= ended
                self.stats.in_flight = len(flying)
                troubles = [task.exception() for task in ended]
                for task in ended:
                    if task.exception() is None:
                        yield from self._thoughts.take(task.result())
                if tick is not None:
                    try:
                        tick(self.stats)  # may stand still while the run is paused
                    except Stopped:
                        yield from self._thoughts.release()
                        raise
                    since += time.perf_counter() - now
                for trouble in filter(None, troubles):
                    yield from self._thoughts.release()
                    raise trouble
        finally:
            self._cancel(flying)

    def _fill(
        self, flying: set[asyncio.Task[Answer]], source: RequestSource, *, wait: bool
    ) -> bool:
        """Start requests while there are slots; false where there are none at all."""
        while len(flying) < self.slots:
            request = source.take(wait=wait and not flying)
            if request is None:
                break
            flying.add(self._loop().create_task(self._complete(request)))
        self.stats.in_flight = len(flying)
        return bool(flying)

    async def _complete(self, request: GenerationRequest) -> Answer:
        model = self._model
        assert model is not None  # noqa: S101 - prepare has found it

        def read(answer: Json) -> Answer:
            return read_answer(
                answer, request, self.sampling, record_logprobs=model.record_logprobs
            )

        about = f"problem {request.problem_id}, sample {request.sample}"
        answer = await self._connected().chat(model.body(request), about, read)
        self.stats.prefill_tokens += answer.usage.computed
        self.stats.decoded_tokens += answer.usage.completion
        self._note_oddities(answer, model.make.name)
        return answer

    def _note_oddities(self, answer: Answer, server: str) -> None:
        notes = []
        if not answer.usage.told and not answer.usage.completion:
            notes.append(f"{server} tells no token counts: they are recorded as 0.")
        if answer.unusual is not None:
            notes.append(
                f"{server} ended some completions with '{answer.unusual}': they are kept as cut "
                "off, with the text that there is."
            )
        self.notes += [note for note in notes if note not in self.notes]

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client(
                self._address,
                self._key,
                connections=self.slots,
                timeout_s=self._timeout_s,
                retry=self._retry,
            )
        return self._client

    def _loop(self) -> asyncio.AbstractEventLoop:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.get_loop()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        self._loop()
        assert self._runner is not None  # noqa: S101 - _loop has made it
        return self._runner.run(work)

    def _cancel(self, flying: set[asyncio.Task[Answer]]) -> None:
        """Close the connections of what still runs, by which a server knows to stop."""
        self.stats.in_flight = 0
        if flying and self._runner is not None:
            for task in flying:
                task.cancel()
            self._run(_all_of(flying))

    def close(self) -> None:
        """Close the connections; the model stays with its server."""
        if self._runner is not None:
            if self._client is not None:
                self._run(self._client.close())
            self._runner.close()
        self._client, self._runner = None, None

    def __enter__(self) -> OpenAIServerGenerator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


async def _some_of(
    flying: set[asyncio.Task[Answer]],
) -> set[asyncio.Task[Answer]]:
    done, _ = await asyncio.wait(flying, timeout=_TICK_S, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _all_of(flying: set[asyncio.Task[Answer]]) -> None:
    await asyncio.gather(*flying, return_exceptions=True)


def _length(request: GenerationRequest) -> int:
    return sum(len(message.content) for message in request.messages)


def _privacy_notes(address: Address, key: str | None) -> list[str]:
    notes = []
    if not address.is_at_home:
        notes.append(f"Problems and completions go to {address.host}, outside of this network.")
    if key and address.url.startswith("http:") and not address.is_this_machine:
        notes.append(f"The API key goes to {address.host} unencrypted (http).")
    return notes
