"""What goes wrong with a model server: what is tried again, and what a user is told."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any

from localdistill.backends.openai_address import KEY_VARIABLES
from localdistill.errors import ServerError

# Too busy, starting, or a gateway's answer for a server that is either: it may pass.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_SHOWN = 300  # characters of a server's own words
_LISTED = 6  # models named in a message
_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window)|(length|size|window).{0,20}context|max_model_len"
    r"|(prompt|input).{0,40}too (long|large)",
    re.IGNORECASE | re.DOTALL,
)


class Trouble(Exception):
    """A request that failed in a way that may pass; ``str()`` says how, for a person.

    ``wait_s`` is how long the server asked to be left alone; ``absent``: nothing answers there.
    """

    def __init__(self, text: str, *, wait_s: float = 0.0, absent: bool = False) -> None:
        super().__init__(text)
        self.wait_s = wait_s
        self.absent = absent


def unreachable(url: str, reason: str) -> ServerError:
    """No server at all, at the start."""
    text = f"--server {url}: no server answers there ({reason}). Start it, or correct the URL"
    return ServerError(f"{text}, for example http://localhost:8080/v1.")


def no_api(url: str, what: str) -> ServerError:
    """Something answers, but not with OpenAI's API."""
    text = f"--server {url}: this is no OpenAI-compatible server ({what}). Correct the URL"
    return ServerError(f"{text}: it mostly ends in /v1, as in http://localhost:8080/v1.")


def unknown_model(url: str, wanted: str, offered: Sequence[str]) -> ServerError:
    """A model that the server does not list."""
    if not offered:
        return ServerError(f"--server {url} offers no model: load one there first.")
    near = difflib.get_close_matches(wanted, offered, n=_LISTED, cutoff=0.0)
    more = f" and {len(offered) - len(near)} more" if len(offered) > len(near) else ""
    text = f"--model {wanted}: the server at {url} has no such model. It offers, the nearest first:"
    return ServerError(f"{text} {', '.join(near)}{more}.")


def given_up(url: str, trouble: Trouble, tries: int, seconds: float) -> ServerError:
    """A failure that did not pass."""
    text = f"{url}: {trouble}; no better after {tries} tries in {seconds:.0f} s"
    return ServerError(
        f"{text}. Whatever has come is written: see to the server, "
        "and the same command goes on from there."
    )


def refused(url: str, status: int, body: bytes, about: str) -> ServerError:
    """An answer that would be the same however often one asked; ``about`` names the problem."""
    words = server_words(body)
    said = f" ({words})" if words else ""
    if status in (401, 403):
        text = f"{url} wants another API key{said}. Put it into the environment variable"
        return ServerError(f"{text} {' or '.join(KEY_VARIABLES)}.")
    if 300 <= status < 400:
        return ServerError(f"{url} sends its requests elsewhere (status {status}): name that URL.")
    if status == 413 or (
        # Of the whole body: some makes say it in the error's type or code only.
        status < 500 and _TOO_LONG.search(body.decode("utf-8", errors="replace"))
    ):
        return too_long(about, words)
    if status == 404:
        text = f"{url}: not found{said}. Check with `curl {url}/models` that the model is still"
        return ServerError(f"{text} loaded and that the URL is right (it mostly ends in /v1).")
    return ServerError(f"{about}: the server refuses the request with status {status}{said}.")


def too_long(about: str, words: str) -> ServerError:
    """A prompt, with the tokens asked for, that the server's context does not hold."""
    text = f"{about}: does not fit into the server's context ({words}). Start the server with a"
    return ServerError(f"{text} longer context, lower --max-tokens, or leave the problem out.")


def server_words(body: bytes) -> str:
    """What a server says of its error, on one line, wherever its make puts it."""
    text = body.decode("utf-8", errors="replace")
    try:
        found = _innermost(json.loads(text))
    except (ValueError, RecursionError):
        found = text
    line = " ".join((found if isinstance(found, str) else json.dumps(found)).split())
    return line if len(line) <= _SHOWN else line[:_SHOWN] + " ..."


def _innermost(found: Any) -> Any:
    if isinstance(found, list) and found:  # FastAPI lists what does not validate
        return _innermost(found[0])
    if isinstance(found, dict):
        for name in ("error", "message", "msg", "detail"):
            if found.get(name):
                return _innermost(found[name])
    return found
