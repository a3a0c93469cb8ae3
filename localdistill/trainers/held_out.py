"""What is kept out of training, so that its loss tells whether training helps.

Whole problems are held out: an example of a problem that is trained on would be known already. Its
loss is measured on the base before training, some times in between, and at the end.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from localdistill.trainers.chat_tokens import TokenizedExample

# Tokens of answers that are enough. The losses that are compared are of the same tokens, so their
# difference is known far better than either: the parity gate compares models on as many.
_ENOUGH_TOKENS = 2000
_FEWEST_PROBLEMS = 10  # with fewer, each is needed to train on


@dataclass(frozen=True)
class Division:
    """Examples to train on and examples held out, each in the order in which they came."""

    train: list[TokenizedExample]
    held_out: list[TokenizedExample]
    problems: int  # that were held out
    all_problems: int

    @property
    def positions(self) -> int:
        """Tokens that the held-out loss is a mean over."""
        return sum(example.response_length for example in self.held_out)


def divide(examples: Sequence[TokenizedExample], share: float, seed: int) -> Division:
    """Hold out as few problems as give enough tokens, and at most ``share`` of them.

    Which ones depends on ``seed`` and on the problems, not on the order of examples. Where there
    are few problems, none is held out.
    """
    names = _problems(examples)
    all_problems = sorted(set(names))
    most = int(share * len(all_problems)) if len(all_problems) >= _FEWEST_PROBLEMS else 0
    random.Random(f"{seed} held out").shuffle(all_problems)  # noqa: S311 - not a secret
    tokens: dict[str, int] = {}
    for name, example in zip(names, examples, strict=True):
        tokens[name] = tokens.get(name, 0) + example.response_length
    chosen: set[str] = set()
    for name in all_problems[:most]:
        if sum(tokens[other] for other in chosen) >= _ENOUGH_TOKENS:
            break
        chosen.add(name)
    pairs = list(zip(names, examples, strict=True))
    return Division(
        [example for name, example in pairs if name not in chosen],
        [example for name, example in pairs if name in chosen],
        len(chosen),
        len(all_problems),
    )


def _problems(examples: Sequence[TokenizedExample]) -> list[str]:
    """A name for the problem of each example: the least id of those that are the same problem.

    An equal prompt is the same problem, whatever its id, and an equal id whatever the prompt.
    """
    first: dict[object, str] = {}  # of an id or a prompt: a name
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for example in examples:
        leader.setdefault(example.problem_id, example.problem_id)
        prompt = tuple(example.tokens[: example.prompt_length])
        one, other = find(example.problem_id), find(first.setdefault(prompt, example.problem_id))
        leader[max(one, other)] = min(one, other)
    return [find(example.problem_id) for example in examples]
