"""How the next token is drawn from a model's distribution, and where a completion ends."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SamplerOrder = Literal["paper", "llama.cpp"]
# In which form a model's weights are computed with; see ``stages.f16_weights``.
Weights = Literal["auto", "stored", "f16"]


class Sampling(BaseModel):
    """Decoding parameters of one generation.

    ``order`` says where the temperature stands, which decides what the truncations keep:

    - ``paper``: temperature, top-k, top-p, min-p. This is vLLM's order, by which the figures of
      Zhang et al. (arXiv 2604.01193) were made.
    - ``llama.cpp``: top-k, top-p, min-p, temperature (the tail of llama.cpp's default chain).

    Both agree at temperature 1, at temperature 0 (greedy) and without truncation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(default=1.0, ge=0.0, le=100.0, allow_inf_nan=False)  # 0 is greedy
    top_k: int = Field(default=0, ge=0)  # tokens kept; 0 is off
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)  # probability mass kept; 1 is off
    min_p: float = Field(default=0.0, ge=0.0, lt=1.0)  # share of the likeliest token's; 0 is off
    max_tokens: int = Field(default=512, ge=1)  # tokens a completion, the end token included
    order: SamplerOrder = "paper"
    stop_at_code: bool = False  # end a completion with its first complete code block
    end_loops: bool = True  # end a completion that says the same again and again
    # Tokens that a thinking model may think before it has to answer; None: no limit of its own.
    max_thinking_tokens: int | None = Field(default=None, ge=1)

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken; truncation and seed then mean nothing."""
        return self.temperature == 0.0

    @property
    def truncates(self) -> bool:
        """Whether any token of the vocabulary is cut off before drawing."""
        return not self.greedy and (self.top_k > 0 or self.top_p < 1.0 or self.min_p > 0.0)

    def told(self) -> str:
        """For a person: ``greedy``, or ``temperature 0.6, top-p 0.95``."""
        if self.greedy:
            return "greedy"
        parts = [f"temperature {self.temperature:g}"]
        parts += [f"top-k {self.top_k}"] if self.top_k else []
        parts += [f"top-p {self.top_p:g}"] if self.top_p < 1 else []
        parts += [f"min-p {self.min_p:g}"] if self.min_p else []
        return ", ".join(parts)

    @model_validator(mode="after")
    def _temperature_is_usable(self) -> Self:
        # Logits are divided by it in 32-bit floats; below this they overflow to infinity.
        if 0.0 < self.temperature < 1e-3:
            raise ValueError("temperature must be 0 (greedy) or at least 0.001")
        return self
