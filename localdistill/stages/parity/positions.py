"""Which positions of which texts models are compared at, and which texts importance comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from localdistill.backends.llama_model import LlamaModel
from localdistill.errors import ModelError
from localdistill.jsonl import iter_lines, read_rows
from localdistill.stages.parity.texts import own_conversations
from localdistill.thinking import after_prompt
from localdistill.trainers.record import HELD_OUT
from localdistill.types import TrainingExample

WANTED = 2000  # positions
IMPORTANCE_TOKENS = 8192  # of the round's own examples
_LONGEST = 2048  # tokens of one row that was not held out


@dataclass(frozen=True)
class Row:
    """One text; compared is what follows the tokens from the index ``first`` on."""

    tokens: list[int]
    first: int
    source: str  # "held out", "trained on" or "own"

    @property
    def positions(self) -> int:
        """How many predictions are compared: the last token has none to be held against."""
        return len(self.tokens) - 1 - self.first


@dataclass(frozen=True)
class Texts:
    """What the gate works on."""

    held_out: list[Row]  # all that training has held out
    others: list[Row]  # so that both together have ``WANTED`` positions
    importance: list[list[int]]  # token ids of examples that were trained on

    @property
    def rows(self) -> list[Row]:
        """All rows that are compared, those that were held out first."""
        return [*self.held_out, *self.others]


def gather(model: LlamaModel, adapter: Path, data: Path | None, wanted: int | None = None) -> Texts:
    """The texts that there are: held out, then trained on, then this package's own.

    ``model`` gives the tokens; ``data`` are the round's selected examples; ``wanted`` is
    ``WANTED`` where it is not given.

    Raises:
        ModelError: ``held_out.jsonl`` is damaged, or is another model's.
    """
    longest = min(_LONGEST, model.trained_context)
    # Uncut, as far as the model reaches: their loss is held against the one that training measured.
    held_out = list(_held_out(adapter / HELD_OUT, model, model.trained_context))
    prompts = {tuple(row.tokens[: row.first + 1]) for row in held_out}
    examples = read_rows(data, TrainingExample) if data is not None and data.is_file() else []
    trained = [
        row
        for row in (_row(model, example, longest, "trained on") for example in _spread(examples))
        if tuple(row.tokens[: row.first + 1]) not in prompts
    ]
    lacking = (WANTED if wanted is None else wanted) - sum(row.positions for row in held_out)
    others = list(_up_to(lacking, trained))
    lacking -= sum(row.positions for row in others)
    own = (_row(model, example, longest, "own") for example in own_conversations())
    others += _up_to(lacking, own)
    return Texts(held_out, others, list(_importance(trained)))


def _held_out(path: Path, model: LlamaModel, longest: int) -> Iterator[Row]:
    if not path.is_file():
        return
    for number, line in iter_lines(path):
        try:
            content = json.loads(line)
            tokens = [int(token) for token in content["tokens"]]
            first = int(content["prompt_length"]) - 1
            if not (0 <= first < len(tokens) - 1 and min(tokens) >= 0):
                raise ValueError("no answer")
        except (ValueError, LookupError, TypeError) as error:
            raise ModelError(
                f"{path}, line {number}: damaged ({error}). Train again, or delete the file."
            ) from error
        if max(tokens) >= model.vocab_size:
            raise ModelError(
                f"{path}, line {number}: token {max(tokens)} is not in the vocabulary of "
                f"{model.path}. Give the model that the adapter was trained on."
            )
        row = Row(tokens[:longest], first, "held out")
        if row.positions > 0:
            yield row


def _row(model: LlamaModel, example: TrainingExample, longest: int, source: str) -> Row:
    rendered, said = model.template.render(example.messages[:-1]), example.messages[-1].content
    prompt = model.tokens_of_prompt(rendered)
    said = after_prompt(rendered, said, as_drawn=example.thinking_as_drawn)
    tokens = prompt + model.tokenize(said)
    return Row(tokens[:longest], len(prompt) - 1, source)


def _spread(examples: list[TrainingExample]) -> list[TrainingExample]:
    """The examples in an order in which the first few come from all over the file."""
    stride = max(1, len(examples) // 16)
    return [example for start in range(stride) for example in examples[start::stride]]


def _up_to(positions: int, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        if positions <= 0:
            return
        if row.positions > 0:
            positions -= row.positions
            yield row


def _importance(rows: list[Row]) -> Iterator[list[int]]:
    left = IMPORTANCE_TOKENS
    for row in rows:
        if left <= 0:
            return
        left -= len(row.tokens)
        yield row.tokens
