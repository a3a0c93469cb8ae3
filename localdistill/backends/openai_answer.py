"""From a server's answer to a completion: its text, how it ended, counts, log-probabilities."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from localdistill.backends.base import GenerationRequest
from localdistill.backends.code_blocks import CodeBlocks
from localdistill.backends.openai_errors import Trouble
from localdistill.backends.repetition import ends_in_a_loop
from localdistill.sampling import Sampling
from localdistill.thinking import CLOSE, answer_of, divide
from localdistill.types import Completion, EndedBy

# Other servers' words for the model's own end.
_STOPPED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
_FAILED = frozenset({"abort", "error", "cancelled"})
# What stands for "not told" in some makes (vLLM: -9999, llama-server: the lowest float). A token
# that was drawn is never that unlikely.
_NO_LOGPROB = -1000.0


class Garbled(Trouble):
    """An answer that holds no completion; ``str()`` says why, for a person."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer, as far as the server tells; ``told`` is false where it does not."""

    computed: int  # of the prompt, less what stood in a cache
    prompt: int
    completion: int
    told: bool


@dataclass(frozen=True)
class Answer:
    """One answer, read."""

    completion: Completion
    usage: Usage
    unusual: str | None = None  # a finish_reason for which there is no word here
    whole: str = ""  # the text as it came
    only_closed: bool = False  # its thinking has a closing tag, and no opening one
    ambiguous: bool = False  # cut off by its length without a tag: thoughts, or an answer


@dataclass(frozen=True)
class Token:
    """One sampled token with what was likeliest in its place."""

    text: str
    logprob: float
    top: Mapping[str, float]


def read(
    answer: Mapping[str, Any],
    request: GenerationRequest,
    sampling: Sampling,
    *,
    record_logprobs: bool,
) -> Answer:
    """Make a completion of ``answer``.

    A server cannot be asked to end with a program or in a loop. So with ``stop_at_code`` the text
    is cut after its first complete program, and with ``end_loops`` one that was cut in a loop is
    marked, if its tokens are listed. ``token_count`` stays what was sampled.

    Raises:
        Garbled: there is no completion in it, or the server says that it failed.
    """
    choice = _choice(answer)
    message = choice["message"]
    drawn = tokens(choice)
    usage = _usage(answer, len(drawn))
    reason = choice.get("finish_reason")
    if reason in _FAILED:
        raise Garbled(f"the server ended it with '{reason}'")
    text, thinking, after = _parts(message)
    whole, only_closed = text, thinking is not None and _only_closed(message)
    finish: Literal["stop", "length"] = "stop" if reason in _STOPPED else "length"
    ended: EndedBy | None = None
    if reason in _STOPPED or reason == "length":
        ended = "end_token" if finish == "stop" else "length"
    if ended == "length" and sampling.end_loops and _in_a_loop(drawn):
        ended = "repetition"
    cut = _cut_after_program(text, request.entry_point) if sampling.stop_at_code else None
    if cut is not None and cut != text.rstrip():
        drawn = _up_to(drawn, text, len(cut))
        text, finish, ended = cut, "stop", "code_block"
    values = [token.logprob for token in drawn] if record_logprobs else []
    # One less than were sampled: some servers leave the end token out.
    complete = ended == "code_block" or not usage.told or usage.completion - len(values) <= 1
    usable = values and complete and all(value > _NO_LOGPROB for value in values)
    return Answer(
        Completion(
            problem_id=request.problem_id,
            sample=request.sample,
            text=text,
            finish_reason=finish,
            token_count=usage.completion,
            mean_logprob=math.fsum(values) / len(values) if usable else None,
            min_logprob=min(values) if usable else None,
            seed=request.seed,
            ended_by=ended,
            thinking=thinking,
            thinking_after=after,  # what was before it may be the prompt's, or the server's
        ),
        usage,
        None if ended else str(reason),
        whole=whole,
        only_closed=only_closed,
        ambiguous=thinking is None and reason not in _STOPPED,
    )


def tokens(choice: Mapping[str, Any]) -> list[Token]:
    """The sampled tokens of a choice, empty where it has no log-probabilities."""
    listed = _dict(choice.get("logprobs")).get("content")
    found = []
    for entry in map(_dict, listed if isinstance(listed, list) else []):
        top = entry.get("top_logprobs")
        found.append(
            Token(
                str(entry.get("token", "")),
                _number(entry.get("logprob")),
                {
                    str(_dict(other).get("token", "")): _number(_dict(other).get("logprob"))
                    for other in (top if isinstance(top, list) else [])
                },
            )
        )
    return found


def first_tokens(answer: Mapping[str, Any]) -> list[Token]:
    """``tokens`` of an answer's only choice; empty also where there is none."""
    try:
        return tokens(_choice(answer))
    except Garbled:
        return []


def _choice(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = answer.get("choices")
    choice = _dict(choices[0]) if isinstance(choices, list) and choices else {}
    if not isinstance(choice.get("message"), dict):
        words = _dict(answer.get("error")).get("message") or "no choices"
        raise Garbled(f"an answer without a completion ({words})")
    return choice


def _parts(message: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """Text, thinking, which stand in two fields or together in one with tags, and the closing tag.

    The tag with blanks around it, as far as it can be seen.
    """
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(_dict(part).get("text") or "") for part in content)
    text = content if isinstance(content, str) else ""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name]:
            return text.lstrip("\n"), message[name], None
    parts = divide(text)
    if parts.thinking is not None:
        return parts.answer, parts.thinking, parts.after
    # Many templates open the thinking themselves: then only its end is in the text.
    answer = answer_of(text)
    if answer == text:
        return text, None, None
    before = text.removesuffix(answer)
    inside = before.rstrip().removesuffix(CLOSE).rstrip()
    return answer, inside.lstrip(), before.removeprefix(inside)


def _only_closed(message: Mapping[str, Any]) -> bool:
    """Whether a message with thinking has it in its text, which begins inside of it."""
    text = message.get("content")
    return isinstance(text, str) and CLOSE in text and divide(text).thinking is None


def _cut_after_program(text: str, entry_point: str | None) -> str | None:
    """``text`` up to the end of its first complete program, None if there is none."""
    blocks = CodeBlocks(entry_point)
    read = ""
    for line in text.splitlines(keepends=True):
        read += line
        if blocks.feed(line.encode()):
            return blocks.cut(read)
    return None


def _in_a_loop(drawn: Sequence[Token]) -> bool:
    numbers: dict[str, int] = {}
    ids = array("i", (numbers.setdefault(token.text, len(numbers)) for token in drawn))
    return ends_in_a_loop(ids, [token.text.encode() for token in drawn])


def _up_to(drawn: Sequence[Token], whole: str, cut: int) -> list[Token]:
    """The tokens of which the first ``cut`` characters of ``whole`` are made; none if unclear."""
    joined = "".join(token.text for token in drawn)
    start = joined.find(whole.rstrip())
    if start < 0:
        return []
    end, found = 0, []
    for token in drawn:
        if end >= start + cut:
            break
        found.append(token)
        end += len(token.text)
    return found


def _usage(answer: Mapping[str, Any], counted: int) -> Usage:
    usage, timings = _dict(answer.get("usage")), _dict(answer.get("timings"))
    prompt = _count(usage.get("prompt_tokens")) or 0
    cached = _count(_dict(usage.get("prompt_tokens_details")).get("cached_tokens")) or 0
    completion = _count(usage.get("completion_tokens"))
    if completion is None:
        completion = _count(timings.get("predicted_n"))
    return Usage(
        computed=max(0, prompt - cached),
        prompt=prompt,
        completion=counted if completion is None else completion,
        told=completion is not None,
    )


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _number(value: Any) -> float:
    """A finite log-probability, or the value that stands for none."""
    usable = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if usable else 2 * _NO_LOGPROB
