"""Claim: what the detector of loops ends is a loop, and looking for ends costs next to nothing.

    python benchmarks/endings.py --model FILE.gguf --problems mbpp.jsonl --problems HumanEval.jsonl

No text here is a loop: the reference solutions of the problems, and Python's standard library with
its tests, each as if the model had said it as one completion, in its own tokens. The JSON says
which of them would have been ended, how many would be if numbers counted as equal (``case 1:``,
``case 2:``), and the processor time that ``Watcher.feed`` takes a token.
"""

from __future__ import annotations

import argparse
import json
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

from localdistill.backends.endings import Watcher
from localdistill.backends.llama_model import LlamaModel
from localdistill.problems import load
from localdistill.sampling import Sampling

LOOPS = Sampling()
ALL = Sampling(stop_at_code=True, max_thinking_tokens=100)
NUMBER = -1


def main() -> None:
    """Feed all texts and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", type=Path, required=True, help="whose tokens")
    parser.add_argument("--problems", action="append", default=[], help="with reference solutions")
    parser.add_argument("--files", type=int, help="only so many files of the standard library")
    args = parser.parse_args()
    model = LlamaModel(args.model, gpu_layers=0)
    pieces = {token: model.text([token]).encode() for token in range(model.vocab_size)}
    numbers = {token for token, piece in pieces.items() if piece.strip().isdigit()}
    found: dict[str, dict[str, object]] = {}
    tokens_fed, seconds = 0, {"loops": 0.0, "all": 0.0}
    for kind, texts in (
        ("solutions", _solutions(args.problems)),
        ("library", _library(args.files, tests=False)),
        ("library_tests", _library(args.files, tests=True)),
    ):
        ended: list[str] = []
        texts_fed = alike = 0
        for name, text in texts:
            tokens = model.tokenize(text)
            fed = [(token, pieces[token]) for token in tokens]
            texts_fed, tokens_fed = texts_fed + 1, tokens_fed + len(fed)
            if _ends(fed):
                ended.append(name)
            alike += _ends(_numbers_alike(fed, numbers))
            seconds["loops"] += _seconds(fed, LOOPS)
            seconds["all"] += _seconds(fed, ALL)
        found[kind] = {"texts": texts_fed, "ended": ended, "ended_if_numbers_were_alike": alike}
    cost = {kind: round(spent / tokens_fed * 1e6, 2) for kind, spent in seconds.items()}
    print(json.dumps({**found, "tokens": tokens_fed, "microseconds_a_token": cost}))


def _solutions(specifications: list[str]) -> Iterator[tuple[str, str]]:
    for specification in specifications:
        for problem in load(specification, None).problems:
            if problem.reference:
                yield problem.id, f"```python\n{problem.reference}\n```\n"


def _library(limit: int | None, *, tests: bool) -> Iterator[tuple[str, str]]:
    root = Path(sysconfig.get_paths()["stdlib"])
    given = 0
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        of_tests = bool({"test", "tests"} & set(place.parts))
        if "site-packages" in place.parts or of_tests != tests or given == limit:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if text:
            given += 1
            yield str(place), text


def _ends(fed: list[tuple[int, bytes]]) -> bool:
    feed = Watcher(LOOPS).feed
    return any(feed(token, piece) == "repetition" for token, piece in fed)


def _numbers_alike(fed: list[tuple[int, bytes]], numbers: set[int]) -> list[tuple[int, bytes]]:
    """Every number as one and the same token, a word to the detector."""
    result: list[tuple[int, bytes]] = []
    for token, piece in fed:
        if token not in numbers:
            result.append((token, piece))
        elif not result or result[-1][0] != NUMBER:
            result.append((NUMBER, b"N"))
    return result


def _seconds(fed: list[tuple[int, bytes]], sampling: Sampling) -> float:
    feed = Watcher(sampling).feed
    began = time.process_time()
    for token, piece in fed:
        if feed(token, piece) is not None:
            feed = Watcher(sampling).feed
    return time.process_time() - began


if __name__ == "__main__":
    main()
