"""Stage *budget*: cut data sets to one number of trained tokens, so that they can be compared.

What is counted is what the loss is taken on: the tokens of the answers, as the model's own
tokenizer has them, of examples that training will not leave out for their length. Examples are
taken at random, the same ones for the same seed, and stand in the order that they had.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from localdistill.digests import file_digest
from localdistill.errors import NothingSelected
from localdistill.events import Callback, StageFinished, StageStarted
from localdistill.jsonl import read_rows
from localdistill.markers import done_facts, is_done, refuse_foreign, write_whole
from localdistill.types import TrainingExample


class Source(BaseModel):
    """A data set, and where its cut version goes."""

    model_config = ConfigDict(frozen=True)

    name: str
    data: Path
    out: Path


class BudgetRequest(BaseModel):
    """What is cut, and to what."""

    model_config = ConfigDict(frozen=True)

    model: Path  # the folder whose tokenizer counts
    sources: list[Source] = Field(min_length=1)
    tokens: int | None = Field(default=None, ge=1)  # at most; None: what the smallest has
    like: Path | None = None  # a data set whose tokens are the number instead
    repeat: bool = False  # a set that has fewer has its examples several times
    max_length: int = Field(ge=8)  # tokens, of examples that training takes
    seed: int
    out: Path  # what came of it, as JSON


class Cut(BaseModel):
    """What is left of a data set."""

    model_config = ConfigDict(frozen=True)

    name: str
    examples: int
    tokens: int  # of answers, that are trained on in an epoch


class BudgetSummary(BaseModel):
    """The number of tokens, and what each set has of it."""

    model_config = ConfigDict(frozen=True)

    tokens_each: int
    cuts: list[Cut]
    skipped: bool = False


def run(request: BudgetRequest, callback: Callback) -> BudgetSummary:
    """Write each source's part; nothing is written again that is there.

    Raises:
        NothingSelected: none of the sources has an example to train on.
        ConfigError: ``out`` is something else.
        ModelError: the folder has no tokenizer.
    """
    inputs = _digest(request)
    outs = [request.out, *(source.out for source in request.sources)]
    total = len(request.sources)
    callback(StageStarted(stage="budget", title="equal shares", total=total, unit="data sets"))
    if all(map(is_done, outs)) and done_facts(request.out).get("inputs") == inputs:
        summary = BudgetSummary.model_validate_json(request.out.read_bytes())
        callback(StageFinished(stage="budget", summary=_shown(summary), skipped=True))
        return summary.model_copy(update={"skipped": True})
    for out in outs:
        refuse_foreign(out)
    from localdistill.trainers.chat_tokens import ChatTokenizer

    tokenizer = ChatTokenizer(request.model)

    def measured(data: Path) -> list[tuple[TrainingExample, int]]:
        found = []
        for example in read_rows(data, TrainingExample):
            tokens = tokenizer.example(example)
            if len(tokens.tokens) <= request.max_length and example.messages[-1].content.strip():
                found.append((example, tokens.response_length))
        return found

    sets = {source.name: measured(source.data) for source in request.sources}
    if request.like is not None:
        budget = sum(count for _, count in measured(request.like))
    else:
        totals = [sum(count for _, count in rows) for rows in sets.values()]
        budget = tokens_each(totals, request.tokens)
    cuts = []
    for source in request.sources:
        rows = cut(sets[source.name], budget, f"{request.seed}", repeat=request.repeat)
        text = "".join(example.model_dump_json() + "\n" for example, _ in rows)
        write_whole(source.out, text)
        tokens = sum(count for _, count in rows)
        cuts.append(Cut(name=source.name, examples=len(rows), tokens=tokens))
    summary = BudgetSummary(tokens_each=budget, cuts=cuts)
    write_whole(request.out, summary.model_dump_json() + "\n", inputs=inputs)
    callback(StageFinished(stage="budget", summary=_shown(summary)))
    return summary


def tokens_each(totals: Sequence[int], wished: int | None) -> int:
    """The least of ``totals``, which are of sets that have something; or what is wished, if less.

    Raises:
        NothingSelected: all of them are empty.
    """
    least = min(filter(None, totals), default=0)
    if not least:
        text = "No strategy selects anything to train on. Draw more samples for each problem"
        raise NothingSelected(f"{text} (generate.samples), or take easier problems.")
    return least if wished is None else min(least, wished)


def cut(
    rows: Sequence[tuple[TrainingExample, int]], budget: int, seed: str, *, repeat: bool = False
) -> list[tuple[TrainingExample, int]]:
    """Random ``rows`` (with their tokens) up to ``budget`` tokens, in the order of ``rows``.

    At least one, where there is any. With ``repeat``, all of them so often as it takes.
    """
    chosen: list[int] = []
    left, turn = budget, 0
    while rows and (turn == 0 or repeat):
        order = list(range(len(rows)))
        random.Random(f"{seed} budget {turn}").shuffle(order)  # noqa: S311 - no secret
        taken = 0
        for place in order:
            tokens = rows[place][1]
            if 0 < tokens <= left or not chosen:
                chosen.append(place)
                left -= tokens
                taken += 1
        turn += 1
        if taken < len(rows):
            break
    return [rows[place] for place in sorted(chosen)]


def _digest(request: BudgetRequest) -> str:
    total = hashlib.sha256(
        repr((request.tokens, request.repeat, request.max_length, request.seed)).encode()
    )
    for path in (*(source.data for source in request.sources), request.like):
        if path is not None:
            total.update(bytes.fromhex(file_digest(path)))
    return total.hexdigest()


def _shown(summary: BudgetSummary) -> dict[str, str | int | float | bool | None]:
    return {
        "tokens each": summary.tokens_each,
        **{cut.name: f"{cut.examples} examples" for cut in summary.cuts},
    }
