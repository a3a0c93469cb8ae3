"""The examples of several rounds in one file, for training that starts from the base each round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from localdistill.digests import file_digest
from localdistill.jsonl import iter_rows
from localdistill.markers import done_facts, is_done, write_whole
from localdistill.types import TrainingExample


def accumulate(sources: Sequence[Path], out: Path) -> int:
    """Write the examples of ``sources``, in their order, to ``out``; returns how many there are.

    A text that is selected again in a later round does not count again: the model of that round
    draws what it was trained on more often, and its weight would grow from round to round for that
    alone. So it is there as often as in the round that has it most often, which is once, unless
    the strategy keeps repeated samples. It stands where it came first. What is there of the same
    sources is not written again.

    Raises:
        UserError: a row that is no training example.
    """
    inputs = [file_digest(path) for path in sources]
    if is_done(out) and done_facts(out).get("inputs") == inputs:
        return int(done_facts(out)["examples"])
    written: Counter[tuple[str, str]] = Counter()
    lines = []
    for path in sources:
        here: Counter[tuple[str, str]] = Counter()
        for row in iter_rows(path, TrainingExample):
            key = row.problem_id, row.messages[-1].content
            here[key] += 1
            if here[key] > written[key]:
                written[key] += 1
                lines.append(row.model_dump_json() + "\n")
    write_whole(out, "".join(lines), inputs=inputs, examples=len(lines))
    return len(lines)
