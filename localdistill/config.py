"""The configuration of a run: frozen models, read from TOML, overridden from the command line.

A value comes from, in rising order: the defaults here, the TOML file, options and ``--set a.b=c``.
The resolved configuration is saved in the run directory; ``differences`` names what a later call
changed.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from localdistill.decodings import USUAL, grid
from localdistill.errors import ConfigError
from localdistill.sampling import Sampling, Weights

# Strict: a rank of `true` is a mistake and not a rank of 1.
_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)
# Beyond these llama.cpp or the sandbox fails, or a run would never end.
MAX_SLOTS = 255  # llama.cpp allows 256 sequences, and one holds the prompt
MAX_THREADS = 512  # GGML_MAX_N_THREADS
MAX_WORKERS, _MANY = 512, 100_000


class _Section(BaseModel):
    model_config = _STRICT


def sampling_of(section: Sampling) -> Sampling:
    """Only the sampling part of a section that extends it."""
    return Sampling(**section.model_dump(include=set(Sampling.model_fields)))


class GenerateConfig(Sampling):
    """How candidates are sampled. The defaults are the model's own distribution, untruncated."""

    model_config = _STRICT
    samples: int = Field(default=8, ge=1, le=_MANY)  # for each problem
    slots: int | None = Field(
        default=None, ge=1, le=MAX_SLOTS
    )  # sequences decoded together; None: chosen
    threads: int | None = Field(
        default=None, ge=1, le=MAX_THREADS
    )  # None: the cores of this machine
    # Layers on a GPU, the output matrix counted as one; -1: all; None: as many as have room
    gpu_layers: int | None = Field(default=None, ge=-1)
    # Compute with the weights as the file has them, or unpacked to 16 bits where there is memory
    # for it; auto: unpacked where that is faster. Chosen once, when a run is begun
    weights: Weights = "auto"
    # Test completions while others are being drawn; None: where a GPU draws them
    overlap: bool | None = None
    adaptive: bool = False  # draw by what passes: samples a problem then bound the whole set
    cap: int | None = Field(default=None, ge=1, le=_MANY)  # and this one problem; None: chosen

    @model_validator(mode="after")
    def _adaptive_needs_overlap(self) -> Self:
        if self.adaptive and self.overlap is False:
            raise ValueError("adaptive goes by verdicts that come meanwhile, and needs overlap")
        if self.adaptive and self.samples < 2:
            raise ValueError(
                "adaptive draws two samples of each problem first: samples = 2 or more"
            )
        return self

    def sampling(self) -> Sampling:
        """The part that decides what is drawn."""
        return sampling_of(self)


class VerifyConfig(_Section):
    """How candidates are tested."""

    sandbox: str = "auto"
    workers: int | None = Field(default=None, ge=1, le=MAX_WORKERS)
    confirm: bool = True  # run passes again with another hash seed before they are trained on
    inseparable: bool = False  # also train where tests reach into the candidate, who can then lie


class SelectConfig(_Section):
    """Which candidates are trained on."""

    strategy: str = "tests"
    max_per_problem: int = Field(default=4, ge=1)
    confidence_share: float = Field(default=0.25, gt=0, le=1)  # of a problem's completions
    agreement_share: float = Field(default=0.5, gt=0, le=1)  # of them, that must do the same
    # Share of all answers, the shortest ones, that is dropped before the strategy looks; the code
    # that was released for arXiv 2604.01193 drops 0.1
    drop_shortest: float = Field(default=0.0, ge=0, lt=1)


class TrainConfig(_Section):
    """Fine-tuning: QLoRA on a 4-bit base."""

    trainer: str = "unsloth_qlora"
    rank: int = Field(default=16, ge=1, le=4096)
    alpha: int = Field(default=16, ge=1, le=_MANY)
    learning_rate: float = Field(default=1e-4, ge=0, allow_inf_nan=False)
    epochs: int = Field(default=1, ge=1, le=_MANY)
    batch_size: int = Field(default=8, ge=1, le=_MANY)
    gradient_accumulation: int = Field(default=1, ge=1, le=_MANY)
    max_length: int = Field(default=2048, ge=8)  # tokens; longer examples are left out
    warmup_ratio: float = Field(default=0.05, ge=0, le=1)  # share of all steps
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    # Of one pass forward and back, padding included; None: chosen for the memory that is free
    micro_batch_tokens: int | None = Field(default=None, ge=8)
    # Activations are kept, and not computed again on the way back; or, on a CPU, the results of
    # products are, which is nearly as fast; None: chosen as well
    keep_activations: bool | Literal["products"] | None = None
    held_out: float = Field(default=0.1, ge=0, lt=1)  # at most this share of problems, for dev loss
    # What each round trains: the last round's model on this round's examples, or the base on those
    # of all rounds so far (STaR, Zelikman et al., arXiv 2203.14465; ReST-EM, arXiv 2312.06585).
    start: Literal["previous", "base"] = "previous"
    # Held-out losses in a row above the lowest, after which training stops and the adapter with the
    # lowest is kept; 0: it goes on to its end, as that loss rises long before pass@1 falls (see
    # docs/decisions/0005-training.md)
    patience: int = Field(default=0, ge=0)
    checkpoint_every: int | None = Field(default=None, ge=1)  # steps; None: by time only


class ExportConfig(_Section):
    """What is written for use and for the next round."""

    quant: str = "same"  # "same": each tensor keeps the type it has in the starting file


class EvaluateConfig(Sampling):
    """How models are compared."""

    model_config = _STRICT
    samples: int = Field(default=4, ge=1, le=_MANY)
    ks: list[Annotated[int, Field(ge=1)]] = Field(default=[1], min_length=1)
    level: float = Field(default=0.95, ge=0.5, le=0.9999)  # of all intervals, and so of the verdict
    interval: Literal["percentile", "bca"] = "percentile"
    # "best": each model as it does best on dev, of this section's way and ``decodings``; "same":
    # both as this section says
    decode: Literal["best", "same"] = "best"
    decodings: list[dict[str, Any]] = Field(default=[dict(table) for table in USUAL])
    general: bool = True  # ask both models plain questions as well: see stages.regression

    @field_validator("ks")
    @classmethod
    def _with_one(cls, ks: list[int]) -> list[int]:
        return sorted({1, *ks})  # models are chosen and compared by pass@1

    @model_validator(mode="after")
    def _enough_samples(self) -> Self:
        if max(self.ks) > self.samples:
            raise ValueError(f"pass@{max(self.ks)} needs at least that many evaluate.samples")
        return self

    @model_validator(mode="after")
    def _decodings_are_some(self) -> Self:
        try:
            self.grid()
        except ValidationError as error:  # of the inner model: its place there is of no use here
            first = error.errors()[0]
            text = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise ValueError(f"decodings: {text.removeprefix(': ')}") from None
        return self

    def grid(self) -> dict[str, Sampling]:
        """The ways of decoding that are tried on dev, by name; this section's own comes first."""
        return grid(self.sampling(), self.decodings if self.decode == "best" else ())

    def sampling(self) -> Sampling:
        """The part that decides what is drawn."""
        return sampling_of(self)


class Config(_Section):
    """Everything that decides what a run does."""

    model: str
    problems: str
    dev_problems: str | None = None
    eval_problems: str | None = None
    limit: int | None = Field(default=None, ge=1)  # bounds each problem set
    rounds: int = Field(default=1, ge=1, le=_MANY)
    # Rounds in a row without a better model on dev, or one whose samples have lost their diversity,
    # end the run; 0: neither does
    stop_after: int = Field(default=2, ge=0, le=_MANY)
    seed: int = Field(default=0, ge=0, lt=2**31)
    deterministic: bool = False  # equal texts after a kill, for some speed
    # Working hours of all calls together, in which the run ends with the best model so far; may be
    # named anew when it is continued
    hours: float | None = Field(default=None, gt=0, le=_MANY, allow_inf_nan=False)
    # Strategies that are compared in the round that there is, instead of select.strategy; and the
    # tokens that each is trained on, at most (None: as many as the one that selects least)
    compare: list[str] = []
    compare_tokens: int | None = Field(default=None, ge=1)
    # What else is trained and scored at the end, beside the run's model
    controls: list[Literal["references", "shuffled"]] = []
    # Whose large files stay: those of the best and the last round, or all (localdistill.pruning)
    keep: Literal["best+last", "all"] = "best+last"
    generate: GenerateConfig = GenerateConfig()
    verify: VerifyConfig = VerifyConfig()
    select: SelectConfig = SelectConfig()
    train: TrainConfig = TrainConfig()
    export: ExportConfig = ExportConfig()
    evaluate: EvaluateConfig = EvaluateConfig()

    @model_validator(mode="after")
    def _arms_differ(self) -> Self:
        for name, values in (("compare", self.compare), ("controls", self.controls)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names one twice")
        if len(self.compare) == 1:
            raise ValueError("compare needs two strategies at least; one is select.strategy")
        if self.compare and self.rounds > 1:
            raise ValueError("compare is an experiment of one round: leave out rounds")
        if self.compare_tokens is not None and not self.compare:
            raise ValueError("compare_tokens needs compare, which names strategies")
        if self.hours is not None and (self.compare or self.controls):
            raise ValueError(
                "compare and controls are experiments without a limit: leave out hours"
            )
        if self.hours is not None and self.generate.adaptive:
            raise ValueError("generate.adaptive ends by what passes, not by hours: leave one out")
        return self

    def to_toml(self) -> str:
        """The configuration as TOML; unset values are left out, as TOML has no null."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file into nested dicts.

    Raises:
        ConfigError: it is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin with a BOM
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror})"
        raise ConfigError(f"{message}; give the path of a TOML file of settings.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}. Correct that place.") from error


def apply(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Set ``a.b`` in nested dicts to ``value``, in place."""
    *sections, name = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"There is no setting {dotted}; {section} is a value, not a section.")
    values[name] = value


def parse_assignment(text: str) -> tuple[str, Any]:
    """Parse ``a.b=c``, where c is a TOML value or, failing that, a string."""
    name, equals, raw = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--set {text}: write it as NAME=VALUE, as in train.rank=8.")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw
    return name.strip(), value


def known_names(model: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """All dotted names that a configuration can set."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += known_names(field.annotation, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def build(values: dict[str, Any]) -> Config:
    """Validate nested dicts into a configuration.

    Raises:
        ConfigError: an unknown name (the nearest valid one is named) or a value that does not fit.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_mistake(error)) from error


def _mistake(error: ValidationError) -> str:
    """One line on the first mistake, with what would be right."""
    first = error.errors()[0]
    name, given = ".".join(str(part) for part in first["loc"]), first["input"]
    if first["type"] == "extra_forbidden":
        while isinstance(given, dict) and given:  # an unknown section: what was to be set in it
            inner, given = next(iter(given.items()))
            name += f".{inner}"
        near = difflib.get_close_matches(name, known_names(), n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known_names())}."
        return f"There is no setting {name}. {hint}"
    if first["type"] == "missing":
        return f"The setting {name} is missing; give it in the file or with --set {name}=..."
    if first["type"] == "model_type":
        inside = [other for other in known_names() if other.startswith(f"{name}.")]
        return f"{name} is a section; set one of {', '.join(inside)}."
    text = first["msg"].removeprefix("Value error, ")
    if isinstance(given, dict):  # what no single value of a section is to blame for
        return f"{name}: {text}." if name else f"{text}."
    return f"{name} = {given!r}: {text}."


def differences(old: Config, new: Config) -> list[str]:
    """Dotted names at which two configurations differ, each with both values."""
    found: list[str] = []
    left, right = old.model_dump(mode="json"), new.model_dump(mode="json")
    for name in known_names():
        a: Any = left
        b: Any = right
        for part in name.split("."):
            a, b = a[part], b[part]
        if a != b:
            found.append(f"{name} ({a} there, {b} here)")
    return found
