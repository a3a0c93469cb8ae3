"""Requests to one OpenAI-compatible server, tried again where a failure may pass."""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import httpx2

from localdistill.backends import openai_errors as errors
from localdistill.backends.openai_address import Address
from localdistill.errors import ServerError

_LOG = logging.getLogger(__name__)
_CONNECT_S = 10.0
Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Retry:
    """How long a failing request is tried again: exponential backoff with jitter.

    A request is given up when its next try would begin more than ``patience_s`` seconds after its
    first failure: long enough for a server to be restarted with its model, and bounded.
    """

    patience_s: float = 300.0
    first_s: float = 0.5  # about the first pause; each is twice the one before
    longest_s: float = 30.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random  # 0 <= x < 1

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures: half of it fixed, half by chance.

        The chance keeps requests that failed together from coming back together.
        """
        whole = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 32))
        return whole * (0.5 + self.jitter() / 2)


class Client:
    """One server. All its coroutines belong to one event loop.

    Raises everywhere:
        ServerError: it is not there, refuses, or failed for longer than ``retry`` has patience.
    """

    def __init__(
        self,
        address: Address,
        key: str | None,
        *,
        connections: int,
        timeout_s: float,
        retry: Retry,
    ) -> None:
        self.url = address.url  # as the user knows it
        self.base = address.bases[0]
        self._address = address
        self._key = key
        self._timeout_s = timeout_s
        self._retry = retry
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_S),
            limits=httpx2.Limits(
                max_connections=connections, max_keepalive_connections=connections
            ),
            # A proxy of the environment cannot reach what listens on this machine.
            trust_env=not address.is_this_machine,
        )

    async def find(self) -> list[Json]:
        """The models that the server offers, as it lists them; settles where its API begins."""
        refusal: ServerError | None = None
        for base in self._address.bases:
            self.base = base
            try:
                listed = await self._patiently("GET", "/models", None, "the list of models", dict)
            except _NotHere as error:
                refusal = refusal or errors.no_api(self.url, str(error))
                continue
            models = listed.get("data") or listed.get("models") or []
            if isinstance(models, list) and ("data" in listed or "models" in listed):
                return [model for model in models if isinstance(model, dict)]
            refusal = refusal or errors.no_api(self.url, "its answer lists no models")
        raise refusal or errors.no_api(self.url, "no answer")

    async def chat(self, body: Json, about: str, read: Callable[[Json], T]) -> T:
        """What ``read`` makes of the answer to one chat completion.

        ``about`` names the request in messages. ``read`` may raise ``Trouble`` over an answer that
        is none; the request is then tried again, like any other that failed.
        """
        return await self._patiently("POST", "/chat/completions", body, about, read)

    async def try_chat(self, body: Json) -> Json | None:
        """The same once only; None where it failed, however it did."""
        try:
            return await self._once("POST", "/chat/completions", body, "a trial")
        except (errors.Trouble, ServerError):
            return None

    async def _patiently(
        self,
        method: str,
        path: str,
        body: Json | None,
        about: str,
        read: Callable[[Json], T],
    ) -> T:
        failures, since = 0, 0.0
        while True:
            try:
                return read(await self._once(method, path, body, about))
            except errors.Trouble as trouble:
                if trouble.absent and method == "GET":  # at the start: it is not there at all
                    raise errors.unreachable(self.url, str(trouble)) from trouble
                now = self._retry.clock()
                since = now if failures == 0 else since
                failures += 1
                pause = max(self._retry.pause(failures), trouble.wait_s)
                # A timeout alone may take longer than all patience: it still gets its second try.
                late = now + pause - since > self._retry.patience_s
                if late and (failures > 1 or trouble.wait_s > self._retry.patience_s):
                    raise errors.given_up(self.base, trouble, failures, now - since) from trouble
                _LOG.warning("%s: %s; trying again in %.1f s", about, trouble, pause)
            await self._retry.sleep(pause)

    async def _once(self, method: str, path: str, body: Json | None, about: str) -> Json:
        url = self.base + path
        try:
            answer = await self._http.request(method, url, json=body)
        except httpx2.ConnectTimeout as error:
            text = f"no connection within {_CONNECT_S:.0f} s"
            raise errors.Trouble(text, absent=True) from error
        except httpx2.TimeoutException as error:
            text = f"no answer within {self._timeout_s:.0f} s (fewer --slots make each faster)"
            raise errors.Trouble(text) from error
        except (httpx2.ConnectError, httpx2.ProxyError) as error:
            raise errors.Trouble(_first_line(error), absent=True) from error
        except httpx2.RequestError as error:
            raise errors.Trouble(f"the connection broke: {_first_line(error)}") from error
        return self._read(answer, about, listing=method == "GET")

    def _read(self, answer: httpx2.Response, about: str, *, listing: bool) -> Json:
        content, status = answer.content, answer.status_code
        if status != 200 and self._key:
            # Some servers repeat it in their complaints, and messages end up in logs.
            content = content.replace(self._key.encode(), b"***")
        if status in errors.PASSING:
            words = errors.server_words(content)
            text = f"status {status}" + (f" ({words})" if words else "")
            raise errors.Trouble(text, wait_s=_asked_to_wait(answer))
        if listing and status in (404, 405):
            raise _NotHere(f"status {status} for its list of models")
        if status != 200:
            raise errors.refused(self.base, status, content, about)
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        if listing:
            raise _NotHere("its answer is not JSON")
        raise errors.Trouble("an answer that is not JSON")

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class _NotHere(Exception):
    """Something answers at this base, but the API does not begin there."""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _asked_to_wait(answer: httpx2.Response) -> float:
    """Seconds of a Retry-After header, which gives them or a date; 0 without one."""
    told = answer.headers.get("Retry-After", "")
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        date = email.utils.parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    return max(0.0, date.timestamp() - time.time())
