"""Finds out by one-token requests what a server's log-probabilities are of.

A mean log-probability is worth recording only under the model's own distribution: at temperature 1,
nothing cut off. Some servers give it whatever was asked for, others give the probabilities that
they drew by, and the same server may do either by a start option. So it is measured: the likeliest
first tokens of one prompt at temperature 1 must have the same log-probabilities with the sampling
that will be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from localdistill.backends import openai_makes as makes
from localdistill.backends.openai_answer import Token, first_tokens
from localdistill.backends.openai_client import Client
from localdistill.backends.openai_makes import Make
from localdistill.sampling import Sampling

_TOP = 5  # tokens compared
# Nats. The same server gives a token some hundredths more or less from one batch to another; a
# temperature of 1.1 moves the fifth likeliest token by several tenths.
_AGREE = 0.1
Found = Literal["own", "drawn", "none"]
_NEUTRAL = Sampling(max_tokens=1)
# To compare with where the neutral one itself will be used.
_OTHER = Sampling(max_tokens=1, temperature=1.5)


async def logprobs_of(
    client: Client, make: Make, model: str, sampling: Sampling, prompt: Mapping[str, Any]
) -> Found:
    """Whether log-probabilities are the model's own, those it draws by, or not given.

    ``prompt`` has the fields of a request that are its own (messages, seed).
    """
    is_neutral = sampling.temperature == 1.0 and not sampling.truncates
    at_one = await _first(client, make, model, _NEUTRAL, prompt)
    if at_one is None:
        return "none"
    drawn_by = await _first(client, make, model, _OTHER if is_neutral else sampling, prompt)
    if drawn_by is not None and _agree(at_one, drawn_by):
        return "own"
    return "own" if is_neutral and make.truncates_as_told else "drawn"


async def _first(
    client: Client, make: Make, model: str, sampling: Sampling, prompt: Mapping[str, Any]
) -> Token | None:
    fields = {**makes.body(make, model, sampling), **prompt}
    answer = await client.try_chat(
        {**fields, "max_tokens": 1, "logprobs": True, "top_logprobs": _TOP}
    )
    found = first_tokens(answer or {})
    return found[0] if found else None


def _agree(at_one: Token, drawn_by: Token) -> bool:
    ours = {at_one.text: at_one.logprob, **at_one.top}
    theirs = {drawn_by.text: drawn_by.logprob, **drawn_by.top}
    likeliest = sorted(ours, key=lambda text: ours[text], reverse=True)[:_TOP]
    # Two at least: one that is all but certain has the same value at every temperature.
    if len(likeliest) < 2 or any(text not in theirs for text in likeliest[:2]):
        return False
    return all(abs(ours[text] - theirs[text]) <= _AGREE for text in likeliest if text in theirs)
