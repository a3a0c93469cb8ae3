"""One entry of the catalogue: the content of a TOML file in ``models/``, validated."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

from localdistill.quantization.names import SUPPORTED

HubId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
Url = Annotated[str, StringConstraints(pattern=r"^https://\S+$")]
Text = Annotated[str, StringConstraints(min_length=1)]
# What an entry says that can be wrong, and therefore needs a source.
Fact = Literal[
    "licence", "weights", "gguf", "ollama", "architecture", "context", "self_distillation",
    "evaluation",
]  # fmt: skip


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Experts(_Part):
    """The feed-forward part of a mixture of experts."""

    count: PositiveInt  # in each layer
    used: PositiveInt  # for each token
    width: PositiveInt  # of one expert's hidden layer


class Architecture(_Part):
    """The numbers that decide size and memory; ``config.json`` of the weights has them all."""

    type: Literal["qwen2", "qwen3", "qwen3moe"]  # general.architecture of a GGUF file
    layers: PositiveInt
    width: PositiveInt
    feed_forward: PositiveInt
    heads: PositiveInt
    kv_heads: PositiveInt
    head_dim: PositiveInt
    vocabulary: PositiveInt  # rows of the embedding, padding included
    tied: bool  # whether the output matrix is the embedding
    context: PositiveInt  # tokens
    experts: Experts | None = None

    @model_validator(mode="after")
    def _experts_where_they_belong(self) -> Self:
        if (self.type == "qwen3moe") != (self.experts is not None):
            raise ValueError("experts belong to type qwen3moe, and only to it")
        return self


class Licence(_Part):
    """Under which terms the weights come."""

    id: Text  # of SPDX, or LicenseRef-...
    note: Text | None = None


class Hub(_Part):
    """Where the model stands on the Hugging Face hub."""

    weights: HubId
    gguf: HubId
    gguf_file: Annotated[str, StringConstraints(pattern=r"^[\w.-]+\.gguf$")]
    gguf_official: bool  # whether the model's own makers publish it
    ollama: tuple[Text, ...] = ()  # names in Ollama's library, without a quantisation


class Advice(_Part):
    """How to sample for one purpose, in the order temperature, top-k, top-p, min-p."""

    temperature: float = Field(ge=0, le=100)  # 0 is greedy
    top_k: int = Field(default=0, ge=0)  # 0 is off
    top_p: float = Field(default=1.0, gt=0, le=1)  # 1 is off
    min_p: float = Field(default=0.0, ge=0, lt=1)  # 0 is off
    published: bool  # for this very model; else taken over from a relative, and untried
    note: Text


class SamplingAdvice(_Part):
    """Recommended sampling for both purposes."""

    self_distillation: Advice
    evaluation: Advice


class Entry(_Part):
    """A known model."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    title: Text
    summary: Text
    aliases: tuple[Text, ...] = ()  # other names that files of it give themselves
    thinking: Literal["no", "by default", "always"]
    published_parameters: Text | None = None  # as its makers round it, as in 7.61B
    licence: Licence
    hub: Hub | None = None
    bundled: str | None = None  # its folder beside the catalogue
    architecture: Architecture
    sampling: SamplingAdvice
    sources: dict[Fact, tuple[Url, ...]] = Field(default_factory=dict)
    unchecked: dict[Fact, Text] = Field(default_factory=dict)  # facts without a source, and why

    @model_validator(mode="after")
    def _has_a_home(self) -> Self:
        if (self.hub is None) == (self.bundled is None):
            raise ValueError("give either hub or bundled")
        return self

    @model_validator(mode="after")
    def _every_fact_has_a_source(self) -> Self:
        if self.hub is None:  # all facts of a bundled model stand in its own folder
            return self
        for fact in get_args(Fact):
            if fact == "ollama" and not self.hub.ollama:
                continue
            if not self.sources.get(fact) and fact not in self.unchecked:
                raise ValueError(f"{fact} has no source: add it to sources or to unchecked")
        return self

    @property
    def trainable(self) -> bool:
        """Whether localdistill can train and export it."""
        return self.architecture.type in SUPPORTED

    @property
    def why_not_trainable(self) -> str | None:
        """The reason, where it is not trainable."""
        if self.trainable:
            return None
        return (
            f"its architecture, {self.architecture.type}, is none of those that localdistill "
            f"trains and exports ({', '.join(SUPPORTED)}: dense models)"
        )
