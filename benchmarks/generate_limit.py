"""The limit of generation: `llama_decode` on full batches, and nothing else is timed.

The schedule is that of a real run: sequences begin as copies of a prompt that is computed once,
grow by one token a pass, end at the length that the sample had, and are taken over by the next one.
So the cache is filled, and shared, as in a real run. Only the tokens mean nothing: they are the
prompt's own, over and over. A row of logits is computed for each. Passes that are not full, at the
end of the work, are not made. Prompts are computed in passes of their own, timed apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c_time import CTime

from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel, bindings
from localdistill.quantization.gguf_file import read_header
from localdistill.sampling import Weights
from localdistill.stages.f16_weights import f16_copy, f16_shape

_WARM_UP = 3  # passes


@dataclass
class Limit:
    """Seconds are of wall clock."""

    tokens: int = 0
    seconds: float = 0.0
    prefill_tokens: int = 0
    prefill_seconds: float = 0.0


@dataclass
class _Sequence:
    slot: int
    prompt: Sequence[int]
    length: int  # that it will have
    drawn: int = 0


class _Replay:
    def __init__(self, work: dict[str, Any], decoder: LlamaDecoder, c_time: CTime) -> None:
        self.found = Limit()
        self._work = work
        self._decoder = decoder
        self._c_time = c_time
        self._shared: Sequence[int] = ()

    def _seconds(self) -> float:
        # Reading the address of the logits waits for a GPU to have computed them.
        seconds = self._c_time.seconds
        taken = seconds["llama_decode"] + seconds["llama_get_logits"]
        self._c_time.reset()
        return taken

    def run(self, todo: list[_Sequence]) -> None:
        slots = self._work["slots"]
        free, active = list(range(slots)), []
        most = self._work["limit_steps"]
        steps = 0
        while most == 0 or steps < most + _WARM_UP:
            while free and todo:
                each = todo.pop(0)
                each.slot = free.pop()
                self._begin(each)
                active.append(each)
            if len(active) < slots:
                return
            self._c_time.reset()
            self._decoder.step(
                [each.slot for each in active],
                [each.prompt[(each.drawn - 1) % len(each.prompt)] for each in active],
                [len(each.prompt) - 1 + each.drawn for each in active],
            )
            seconds = self._seconds()
            steps += 1
            if steps > _WARM_UP:
                self.found.tokens += slots
                self.found.seconds += seconds
            for each in active:
                each.drawn += 1
                if each.drawn == each.length:
                    self._decoder.forget(each.slot)
                    free.append(each.slot)
            active = [each for each in active if each.drawn < each.length]

    def _begin(self, each: _Sequence) -> None:
        source = self._work["slots"]
        if each.prompt is not self._shared:
            self._decoder.forget(source)
            self._c_time.reset()
            prompt = each.prompt[:-1]
            for start in range(0, len(prompt), self._decoder.batch):
                part = prompt[start : start + self._decoder.batch]
                self._decoder.step([], [], [], (source, part, start))
            self.found.prefill_seconds += self._seconds()
            self.found.prefill_tokens += len(prompt)
            self._shared = each.prompt
        self._decoder.share(source, each.slot)


def opened_as(path: Path, weights: Weights, threads: int) -> AbstractContextManager[Path | None]:
    """What is opened in the place of the model, as the product does with many sequences.

    Left to choose, it is what is faster; how many sequences and how much memory there are is not
    looked at.
    """
    unpacked = f16_shape(read_header(path), weights)
    return f16_copy(path, threads) if unpacked is not None else nullcontext()


def run(work: dict[str, Any], prompts: list[list[int]], *, room: int) -> Limit:
    """Replay ``work`` with ``prompts``, one for each request, and the lengths in it."""
    c_time = CTime(bindings(), "llama_")
    path = Path(work["model"])
    with opened_as(path, work["weights"], work["threads"]) as weights:
        model = LlamaModel(path, gpu_layers=-1, weights=weights)
    slots = work["slots"]
    cells = slots * room + max(map(len, prompts))
    decoder = LlamaDecoder(model, sequences=slots + 1, cells=cells, threads=work["threads"])
    todo, before = [], prompts[0]
    for prompt, length in zip(prompts, work["lengths"], strict=True):
        before = before if prompt == before else prompt  # one object for one prompt
        todo.append(_Sequence(-1, before, length))
    replay = _Replay(work, decoder, c_time)
    replay.run(todo)
    decoder.close()
    model.close()
    return replay.found
