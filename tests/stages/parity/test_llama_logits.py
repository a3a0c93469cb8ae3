"""llama.cpp's logits at the wanted positions, whatever the parts they are computed in."""

from __future__ import annotations

import numpy as np
import pytest

from localdistill.errors import ExportRejected, MemoryShortage
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.reference import Reference
from localdistill.stages.parity import llama_logits
from localdistill.stages.parity.agreement import log_probabilities
from localdistill.stages.parity.llama_logits import LlamaLogits, wanted_spans
from localdistill.stages.parity.passes import compare
from localdistill.stages.parity.positions import Row
from tests.quantization.tiny import Tiny

TOKENS = [(7 * i * i + i) % 256 for i in range(70)]

pytestmark = pytest.mark.real


@pytest.fixture
def tiny(tmp_path) -> Tiny:
    return Tiny.write(tmp_path / "tiny", "qwen3")


def collected(path, first, tokens=TOKENS):
    with LlamaLogits(path, len(tokens), threads=1) as opened:
        slabs = [slab.copy() for slab in opened.slabs(tokens, first)]
        return [len(slab) for slab in slabs], np.concatenate(slabs)


def test_parts_are_those_that_hold_a_wanted_position():
    assert list(wanted_spans(70, 40, 16)) == [(40, 48), (48, 64), (64, 70)]
    assert list(wanted_spans(16, 15, 16)) == [(15, 16)]
    assert list(wanted_spans(5, 0, 16)) == [(0, 5)]


def test_logits_do_not_depend_on_the_parts(tiny, monkeypatch):
    sizes, whole = collected(tiny.gguf, 40)
    assert sizes == [30]
    monkeypatch.setattr(llama_logits, "tokens_at_once", lambda vocabulary: 16)
    sizes, parts = collected(tiny.gguf, 40)
    assert sizes == [8, 16, 6]
    assert np.allclose(whole, parts, atol=2e-2)
    assert not np.allclose(whole[1:], parts[:-1], atol=0.5)


class Failing:
    """llama.cpp, but for the functions that are named with what they return."""

    def __init__(self, **returns):
        self._real, self._returns = llama_logits.bindings(), returns

    def __getattr__(self, name):
        if name in self._returns:
            return lambda *arguments: self._returns[name]
        return getattr(self._real, name)


@pytest.mark.parametrize(
    ("fails", "error"),
    [
        ({"llama_init_from_model": None}, MemoryShortage),
        ({"llama_decode": -2}, MemoryShortage),
        ({"llama_decode": -3}, ExportRejected),
    ],
)
def test_lack_of_memory_says_nothing_of_the_file(tiny, monkeypatch, fails, error):
    library = Failing(**fails)
    monkeypatch.setattr(llama_logits, "bindings", lambda: library)
    with pytest.raises(error) as caught:
        collected(tiny.gguf, 0)
    assert ("the same command goes on" in str(caught.value)) == (error is MemoryShortage)


def test_a_row_does_not_see_the_one_before(tiny):
    with LlamaLogits(tiny.gguf, len(TOKENS), threads=1) as opened:
        first = np.concatenate([slab.copy() for slab in opened.slabs(TOKENS[:20], 0)])
        list(opened.slabs(TOKENS[::-1], 0))
        again = np.concatenate([slab.copy() for slab in opened.slabs(TOKENS[:20], 0)])
    assert np.array_equal(first, again)


def test_f16_is_the_reference_at_the_positions_that_were_meant(tiny):
    folder = read_folder(tiny.master)
    reference = Reference(folder)
    rows = [Row(TOKENS, 30, "own"), Row(TOKENS[5:25], 2, "own")]
    hidden = reference.hidden([row.tokens[:-1] for row in rows])
    told: list = []
    found = compare(reference, hidden, [tiny.gguf], rows, 1, lambda: told.append(1))
    positions = sum(row.positions for row in rows)
    assert found.agreements[0].positions == positions == 39 + 17
    assert found.agreements[0].mean_kl < 1e-4
    assert len(told) == 2
    # The loss is that of the next token of the row.
    logits = log_probabilities(reference.logits(hidden[0]))
    wanted = [-float(logits[i, TOKENS[i + 1]]) for i in range(30, 69)]
    assert found.losses[0].values[:39] == pytest.approx(wanted, abs=1e-4)
    assert found.losses[1].mean == pytest.approx(found.losses[0].mean, abs=0.01)
