"""The makes of OpenAI-compatible servers, and what each does with a ``Sampling``.

OpenAI's API knows neither top-k nor min-p, nor an order of samplers: each make has fields of its
own for them, or ignores them without a word. Where the sources for this table are, and what was
tried, stands in ``docs/servers.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localdistill.errors import ConfigError
from localdistill.sampling import Sampling

_PAPER = ("temperature", "top_k", "top_p", "min_p")
_LLAMA_CPP = ("top_k", "top_p", "min_p", "temperature")


@dataclass(frozen=True)
class Make:
    """What one kind of server understands."""

    name: str
    orders: tuple[str, ...] = ()  # of ``Sampling.order`` that it can draw in; empty: not known
    top_k: bool | None = None  # whether it honours the field; None: not documented
    min_p: bool | None = None
    top_k_off: int = 0  # the value that switches it off
    takes_samplers: bool = False  # the order can be asked for
    min_p_first: bool = False  # it cuts by min-p before top-k and top-p, not after
    # Switches off what a server's own settings or a model's generation_config.json may ask for.
    neutral: Mapping[str, Any] = field(default_factory=dict)
    thinking_field: str | None = None  # a budget of tokens for thinking
    ollama: bool = False

    @property
    def truncates_as_told(self) -> bool:
        """Whether nothing but what was asked for cuts tokens off."""
        return bool(self.top_k) and bool(self.min_p)


LLAMA_SERVER = Make(
    "llama-server",
    orders=("paper", "llama.cpp"),
    top_k=True,
    min_p=True,
    takes_samplers=True,  # a chain of these four has no penalties either
    thinking_field="thinking_budget_tokens",
)
VLLM = Make(
    "vLLM",
    orders=("paper",),
    top_k=True,
    min_p=True,
    top_k_off=-1,  # 0 as well in later versions
    min_p_first=True,
    neutral={"repetition_penalty": 1.0},
    thinking_field="thinking_token_budget",
)
LLAMA_CPP_PYTHON = Make(
    "llama_cpp.server",
    orders=("llama.cpp",),
    top_k=True,
    min_p=True,
    neutral={"repeat_penalty": 1.0},
)
OLLAMA = Make("Ollama", top_k=False, min_p=False, ollama=True)
LM_STUDIO = Make("LM Studio", top_k=True, neutral={"repeat_penalty": 1.0})
UNKNOWN = Make("a server of unknown make")

_BY_OWNER = {
    "llamacpp": LLAMA_SERVER,
    "vllm": VLLM,
    "me": LLAMA_CPP_PYTHON,
    "library": OLLAMA,
    "organization_owner": LM_STUDIO,
}


def recognise(models: Sequence[Mapping[str, Any]], model: Mapping[str, Any]) -> Make:
    """The make by what it writes into ``owned_by`` of its list of models.

    Ollama writes the namespace of a model there, ``library`` for its own; the others a constant.
    """
    owners = [str(entry.get("owned_by")) for entry in (model, *models)]
    return next((_BY_OWNER[owner] for owner in owners if owner in _BY_OWNER), UNKNOWN)


def recognise_answer(make: Make, answer: Mapping[str, Any]) -> Make:
    """The make, where the list did not tell it, by the mark that Ollama leaves in its answers."""
    return OLLAMA if make is UNKNOWN and answer.get("system_fingerprint") == "fp_ollama" else make


def body(make: Make, model: str, sampling: Sampling) -> dict[str, Any]:
    """The fields of a chat completion that are the same for all requests."""
    found: dict[str, Any] = {
        "model": model,
        "stream": False,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        **make.neutral,
    }
    # A strict server refuses fields that it does not know: only what was asked for goes there.
    if make.top_k or (make.top_k is None and sampling.top_k):
        found["top_k"] = sampling.top_k or make.top_k_off
    if make.min_p or (make.min_p is None and sampling.min_p):
        found["min_p"] = sampling.min_p
    if make.takes_samplers:
        found["samplers"] = list(_PAPER if sampling.order == "paper" else _LLAMA_CPP)
    if make.thinking_field and sampling.max_thinking_tokens is not None:
        found[make.thinking_field] = sampling.max_thinking_tokens
    return found


def check(make: Make, sampling: Sampling) -> list[str]:
    """What of ``sampling`` the make may do otherwise, one sentence each.

    Raises:
        ConfigError: what the make is known not to do; the message says what to ask for instead.
    """
    asked = [
        name
        for name, wanted, honours in (
            ("--top-k", sampling.top_k, make.top_k),
            ("--min-p", sampling.min_p, make.min_p),
        )
        if wanted and honours is False and not sampling.greedy
    ]
    if asked:
        raise ConfigError(
            f"{make.name} ignores {' and '.join(asked)} at its OpenAI endpoint: leave it out, and "
            "set it for the model (in a Modelfile, `PARAMETER top_k 20`)."
        )
    if order_matters(sampling) and make.orders and sampling.order not in make.orders:
        raise ConfigError(
            f"{make.name} draws in the order of {make.orders[0]} only: "
            f"give --sampler-order {make.orders[0]}."
        )
    return [*_order_notes(make, sampling), *_field_notes(make, sampling)]


def order_matters(sampling: Sampling) -> bool:
    """Whether the orders keep other tokens; which k are likeliest, no temperature changes."""
    by_mass = sampling.top_p < 1.0 or sampling.min_p > 0.0
    return by_mass and sampling.temperature not in (0.0, 1.0)


def _order_notes(make: Make, sampling: Sampling) -> list[str]:
    if make.min_p_first and sampling.min_p and sampling.top_p < 1.0 and not sampling.greedy:
        return [f"{make.name} cuts by min-p before top-p, which may keep some tokens fewer."]
    if make.orders or not order_matters(sampling):
        return []
    return [
        f"{make.name}: whether it draws in the order '{sampling.order}' cannot be told; with "
        "top-p or min-p and a temperature other than 1 the order changes which tokens are kept."
    ]


def _field_notes(make: Make, sampling: Sampling) -> list[str]:
    notes = []
    if make.ollama and not sampling.greedy:
        notes.append(
            "Ollama adds the model's own top-k (40 where its Modelfile says nothing) and min-p to "
            "what was asked for: its OpenAI endpoint takes neither."
        )
    elif not sampling.greedy:
        names = [
            name
            for name, honours in (("top-k", make.top_k), ("min-p", make.min_p))
            if honours is None
        ]
        if names:
            notes.append(
                f"{make.name}: whether it takes {' and '.join(names)} from a request is not "
                "documented; a setting of its own may apply instead."
            )
    if sampling.max_thinking_tokens is not None and make.thinking_field is None:
        notes.append(f"{make.name} has no limit for thinking: only --max-tokens bounds it.")
    return notes
