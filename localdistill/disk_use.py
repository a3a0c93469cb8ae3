"""What a run takes on the disk, part by part, and how much must stay free while it works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localdistill.errors import StorageError
from localdistill.folders import free_bytes
from localdistill.memory import size

# A round is being made while the best one and the last one stand.
_STANDING = 3
_CHECKPOINTS = 3  # two are kept, and the next one is written beside them
_OF_ADAPTER = 3  # a checkpoint holds its weights and both moments of each
_BYTES_A_TOKEN = 5  # of text, with its row's other fields; code has three to four
_ROW_BYTES = 450  # of a completion's row, beside the text
_VERDICT_BYTES = 250  # of its verdict's
_MB = 10**6
# For logs, markers and whatever else is small, and so that the rest of the machine has some.
RESERVE = 64 << 20


@dataclass(frozen=True)
class Model:
    """Sizes in bytes."""

    gguf: int  # the file that is sampled
    master: int  # the weights in 16 bits
    adapter: int = 0  # in 32 bits, as it is trained
    made: int = 0  # what is made once of the form that was given, beside the rounds


@dataclass(frozen=True)
class Drawn:
    """How much is drawn in all: of each problem, in each round, and for each comparison."""

    completions: int
    tokens: int  # of each, at most

    @property
    def bytes(self) -> int:
        """What completions and verdicts take at most."""
        return completions(self.completions, self.tokens) + verdicts(self.completions)


def parts(model: Model, rounds: int, keep: str, drawn: Drawn) -> dict[str, int]:
    """What takes how many bytes at the most, by names for people.

    ``keep`` is the setting of that name: under ``best+last`` at most three rounds' large files
    stand at a time.
    """
    standing = standing_rounds(rounds, keep)
    found = {
        "the starting model's other form": model.made,
        f"weights in 16 bits of {_rounds(standing)}": standing * model.master,
        f"model files of {_rounds(standing)}": standing * model.gguf,
        "adapters": rounds * model.adapter,
        "checkpoints": checkpoints(model.adapter),
        "in between, to compare an export": model.master,
        "completions and verdicts": drawn.bytes,
        "reserve": RESERVE,
    }
    return {name: amount for name, amount in found.items() if amount}


def completions(count: int, tokens: int) -> int:
    """Bytes that ``count`` completions of ``tokens`` tokens each take at most."""
    return count * (tokens * _BYTES_A_TOKEN + _ROW_BYTES)


def verdicts(count: int) -> int:
    """Bytes that so many verdicts take at most."""
    return count * _VERDICT_BYTES


def checkpoints(adapter: int) -> int:
    """Bytes that the checkpoints of a training take, of an adapter of so many bytes."""
    return _CHECKPOINTS * _OF_ADAPTER * adapter


def standing_rounds(rounds: int, keep: str) -> int:
    """How many rounds' large files stand at a time."""
    return rounds if keep == "all" else min(rounds, _STANDING)


def least(model: Model, rounds: int, keep: str) -> int:
    """Bytes that a run needs whatever it draws: for refusing what cannot fit."""
    return model.made + standing_rounds(rounds, keep) * (model.master + model.gguf) + model.master


class Watch:
    """Ends a run before its disk is full: what a stage will write, and the reserve, must be free.

    The reserve must be free all the time, as other programs write too: call ``look`` now and then.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stage = "the run"

    def begin(self, stage: str, need: int) -> None:
        """Take the next stage, which will write about ``need`` bytes.

        Raises:
            StorageError: there is no room for that; nothing of it has been begun.
        """
        self._stage = stage
        self.look(need)

    def look(self, need: int = 0) -> None:
        """See whether ``need`` bytes and the reserve are free.

        Raises:
            StorageError: they are not. All that was done stands, and the same command goes on.
        """
        free = free_bytes(self._path)
        wanted = need + RESERVE
        if free < wanted:
            text = f"{self._path}: {size(free)} are free on its disk, and {self._stage} needs"
            lacking = -(-(wanted - free) // _MB) * _MB  # rounded up
            text += f" {size(wanted)}. Free {size(lacking)} and give the same command again"
            raise StorageError(f"{text}: it goes on from here.")


def _rounds(number: int) -> str:
    return "1 round" if number == 1 else f"{number} rounds"
