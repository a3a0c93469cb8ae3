"""One model at one server: what was found out about it before the first completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from localdistill.backends import openai_errors as errors
from localdistill.backends import openai_makes as makes
from localdistill.backends.base import GenerationRequest
from localdistill.backends.openai_client import Client, Json
from localdistill.backends.openai_makes import Make
from localdistill.backends.openai_probe import logprobs_of
from localdistill.sampling import Sampling


@dataclass(frozen=True)
class ServedModel:
    """A model by the name that its server knows it by."""

    name: str
    make: Make
    sampling: Sampling
    entry: Json = field(default_factory=dict)  # in the server's list
    record_logprobs: bool = False
    notes: tuple[str, ...] = ()  # for the user: what may be otherwise than asked for

    def body(self, request: GenerationRequest) -> Json:
        """The chat completion to ask for."""
        body = {**makes.body(self.make, self.name, self.sampling), **_own_fields(request)}
        if self.record_logprobs:
            body |= {"logprobs": True, "top_logprobs": 1}  # llama-server takes 0 for none at all
        return body


async def meet(
    client: Client, wanted: str, sampling: Sampling, longest: GenerationRequest | None
) -> ServedModel:
    """Find the model and try it with one token of ``longest``, the prompt most likely not to fit.

    Raises:
        ServerError: no server, no such model, or it refuses the request.
        ConfigError: the server is known not to do what ``sampling`` asks for.
    """
    models = await client.find()
    name, entry = _listed(client.url, models, wanted)
    model = ServedModel(name, makes.recognise(models, entry), sampling, entry)
    notes = makes.check(model.make, sampling)  # before a model is loaded for nothing
    if longest is None:
        return replace(model, notes=tuple(notes))
    about = f"problem {longest.problem_id}"
    first = await client.chat({**model.body(longest), "max_tokens": 1}, about, dict)
    model = replace(model, make=makes.recognise_answer(model.make, first))
    notes = makes.check(model.make, sampling)
    _require_room(model, first, about)
    found = await logprobs_of(client, model.make, name, sampling, _own_fields(longest))
    if found != "own":
        given = "are those it draws by, not the model's own" if found == "drawn" else "are not told"
        notes.append(
            f"{model.make.name}: log-probabilities {given}; completions are recorded without "
            "them, so the selection 'confidence' cannot be used on them."
        )
    return replace(model, record_logprobs=found == "own", notes=tuple(notes))


def _listed(url: str, models: Sequence[Json], wanted: str) -> tuple[str, Json]:
    offered = [str(entry.get("id") or entry.get("name")) for entry in models]
    for name, entry in zip(offered, models, strict=True):
        aliases = entry.get("aliases")
        if wanted == name or (isinstance(aliases, list) and wanted in aliases):
            return wanted, entry
    for name, entry in zip(offered, models, strict=True):
        # Ollama's default tag; and a name that is a path may have been tidied up on its way here.
        if name == f"{wanted}:latest" or PurePath(name) == PurePath(wanted):
            return name, entry
    raise errors.unknown_model(url, wanted, offered)


def _require_room(model: ServedModel, first: Json, about: str) -> None:
    usage = first.get("usage")
    prompt = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    # vLLM refuses a request whose prompt and max_tokens together are longer than this.
    most, asked = model.entry.get("max_model_len"), model.sampling.max_tokens
    if isinstance(most, int) and isinstance(prompt, int) and prompt + asked > most:
        words = f"{prompt} tokens and --max-tokens {asked}, of {most} in all"
        raise errors.too_long(about, words)


def _own_fields(request: GenerationRequest) -> Json:
    turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
    return {"messages": turns, "seed": request.seed}
