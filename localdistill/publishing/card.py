"""A model card: what a model was made from and how, how it scored, and the hashes of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

import localdistill
from localdistill.display.words import figures
from localdistill.result_text import comparison
from localdistill.sampling import Sampling
from localdistill.stages.parity.checks import Check
from localdistill.types import EvalResult

_METHOD = (
    "Made by self-distillation with localdistill: the base model answered problems, answers were "
    "selected, and the model was fine-tuned on them (4-bit QLoRA). It had no teacher."
)
_ANY_ADAPTER = "The base model with a LoRA adapter merged in by localdistill."


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Base(_Part):
    """The model that was started from."""

    name: str
    hub: str | None = None  # its repository, where that is known
    commit: str | None = None
    licence: str | None = None  # by SPDX's names
    licence_note: str | None = None
    sha256: str | None = None  # of its GGUF file


class Round(_Part):
    """What one round did."""

    number: int
    completions: int
    passed: int | None  # None: nothing was tested
    examples: int  # trained on
    problems: int  # that those are answers to
    held_out: dict[str, Any] | None = None  # of training.json


class Card(_Part):
    """All that a card tells."""

    name: str
    base: Base
    problems: dict[str, str] = Field(default_factory=dict)  # split -> set, without folders
    counts: dict[str, int] = Field(default_factory=dict)  # split -> problems
    strategy: str | None = None
    rounds: list[Round] = Field(default_factory=list)
    training: dict[str, Any] = Field(default_factory=dict)  # settings
    evaluation: EvalResult | None = None
    decoding: Sampling | None = None  # by which this model was evaluated
    sampling: Sampling | None = None  # by which it was sampled to train
    seed: int | None = None
    checks: list[Check] = Field(default_factory=list)  # of the file against what was trained
    files: dict[str, str] = Field(default_factory=dict)  # what -> SHA-256
    versions: dict[str, Any] = Field(default_factory=dict)  # of packages


def card_text(card: Card, use: str) -> str:
    """The card as Markdown, with the fields that the hub reads at its head.

    ``use`` says how the files beside it are used.
    """
    parts = [
        _head(card.base),
        f"# {card.name}",
        _METHOD if card.rounds else _ANY_ADAPTER,
        use,
        "## How it scored",
        _scores(card),
        "## Whether the file is what was trained",
        _checked(card.checks),
        "## What it was made from",
        _made_from(card),
        "## Licence",
        _licence(card.base),
        "## Files and versions",
        _facts(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(base: Base) -> str:
    """YAML as the hub knows it; every value is quoted as in JSON, which YAML contains."""
    fields = {"base_model": base.hub, "license": (base.licence or "").lower() or None}
    lines = [f"{key}: {json.dumps(value)}" for key, value in fields.items() if value]
    return "\n".join(["---", *lines, 'tags: ["localdistill", "self-distillation"]', "---"])


def _scores(card: Card) -> str:
    if card.evaluation is None:
        return "It was not evaluated. Nothing is known of whether it is better than its base."
    lines = [f"    {line}" for line in comparison(card.evaluation)]
    scored = _scored_on(card, card.evaluation.problem_set)
    return "\n".join([*lines, "", f"{scored}Decoding of this model: {_decoding(card.decoding)}."])


def _scored_on(card: Card, split: str) -> str:
    """On which problems of ``split`` it was scored, and what speaks against them."""
    source, whole = card.problems.get(split), card.problems.get("train")
    if source is None and whole is not None:
        source = f"held out of {whole}"
    text = f"Problems ({split}): {source}. " if source else ""
    if split == "dev":
        text += (
            "They are those that choices were made by, of decodings and of rounds: that makes the "
            "scores of what was chosen too good, and this is no clean test. "
        )
    return text


def _checked(checks: list[Check]) -> str:
    if not checks:
        return "That was not checked beyond that it loads and answers."
    words = {True: "passed", False: "failed", None: "not made"}
    return "\n".join(
        f"- {check.name}: {words[check.passed]}"
        + (f" ({figures(check.figures)})" if check.figures else "")
        for check in checks
    )


def _decoding(sampling: Sampling | None) -> str:
    if sampling is None:
        return "not known"
    return f"{sampling.told()}, at most {sampling.max_tokens} tokens"


def _made_from(card: Card) -> str:
    base = card.base
    origin = f", {base.hub} on the Hugging Face hub" if base.hub else ""
    commit = f", commit {base.commit}" if base.commit else ""
    lines = [f"- Base model: {base.name}{origin}{commit}"]
    for split, source in card.problems.items():
        count = f", {card.counts[split]:,} problems" if split in card.counts else ""
        lines.append(f"- Problems ({split}): {source}{count}")
    if card.strategy:
        lines.append(f"- Selection: `{card.strategy}`")
    if card.sampling is not None:
        lines.append(f"- Sampled with {_decoding(card.sampling)}")
    for each in card.rounds:
        passed = "" if each.passed is None else f", {each.passed:,} passed their tests"
        lines.append(
            f"- Round {each.number}: {each.completions:,} answers{passed}; trained on "
            f"{each.examples:,} to {each.problems:,} problems{_held_out(each.held_out)}"
        )
    if card.training:
        settings = ", ".join(f"{name} {value}" for name, value in card.training.items())
        lines.append(f"- Training: {settings}")
    if card.seed is not None:
        lines.append(f"- Seed: {card.seed}")
    return "\n".join(lines)


def _held_out(facts: dict[str, Any] | None) -> str:
    """The loss on what was kept out of training, where there is one."""
    try:
        before, after = float((facts or {})["before"]), float((facts or {})["after"])
    except (KeyError, TypeError, ValueError):
        return ""
    return f"; loss on held-out answers {before:.3f} before, {after:.3f} after, nats a token"


def _licence(base: Base) -> str:
    if base.licence is None:
        known = "Which one that is was not found out: see where the base model comes from."
    else:
        known = f"That is {base.licence}, as far as localdistill's catalogue knows."
    note = f" {base.licence_note}" if base.licence_note else ""
    return (
        f"The terms of the base model hold for this one. {known}{note} What the licences of the "
        "problems ask for is for you to look up."
    )


def _facts(card: Card) -> str:
    lines = [f"- SHA-256 of {what}: `{digest}`" for what, digest in card.files.items()]
    if card.base.sha256:
        lines.append(f"- SHA-256 of the file started from: `{card.base.sha256}`")
    found = {"localdistill": localdistill.__version__, **card.versions}
    lines.append(
        "- " + ", ".join(f"{name} {version}" for name, version in found.items() if version)
    )
    return "\n".join(lines)


def shown(spec: str) -> str:
    """A problem set as it was named, without the folders of somebody's machine."""
    kind, colon, rest = spec.rpartition(":")
    path, mark, part = rest.partition("#")
    return f"{kind}{colon}{Path(path).name}{mark}{part}"
