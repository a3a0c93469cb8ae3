"""The bookkeeping of continuous batching, on a decoder that checks what it is asked for.

Its "model" is a function of a sequence's tokens alone, so every completion can be computed on its
own: batching, sharing and giving up samples may change nothing about it.
"""

import random
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localdistill.backends.base import GenerationRequest, GenerationStats, ListSource
from localdistill.backends.draw_plain import PlainDraw
from localdistill.backends.endings import Watcher
from localdistill.backends.llama_batching import ContinuousBatch
from localdistill.backends.prompt_sequence import Prompt
from localdistill.backends.sample import Sample
from localdistill.sampling import Sampling
from localdistill.types import Message

VOCABULARY, END = 23, 0


class FakeModel:
    vocab_size, end_tokens, path = VOCABULARY, frozenset([END]), "fake.gguf"

    def text(self, tokens):
        return b"".join(map(self.piece, tokens)).decode()

    def piece(self, token):
        return f" {token}".encode()


def logits_after(tokens):
    generator = random.Random(repr(list(tokens)))
    return [generator.uniform(-2, 2) for _ in range(VOCABULARY)]


class FakeDecoder:
    """Sequences as lists of cells; a cell that several share is one object and is counted once."""

    def __init__(self, cells, batch=40, recurrent=False):
        self.cells, self.batch, self._recurrent = cells, batch, recurrent
        self.sequences = {}
        self.most_cells, self.passes, self.prefilled_beside = 0, [], 0

    def clear(self):
        self.sequences = {}

    def forget(self, sequence):
        self.sequences.pop(sequence, None)

    def cut(self, sequence, length):
        if self._recurrent or length == 0:
            self.forget(sequence)
            return 0
        self.sequences[sequence] = self.sequences.get(sequence, [])[:length]
        return length

    def share(self, source, target):
        assert not self.sequences.get(target)
        self.sequences[target] = list(self.sequences.get(source, []))

    def _append(self, sequence, token, position):
        cells = self.sequences.setdefault(sequence, [])
        assert len(cells) == position
        cells.append((token, object()))

    def step(self, sequences, tokens, positions, prompt=None):
        assert len(set(sequences)) == len(sequences)
        for entry in zip(sequences, tokens, positions, strict=True):
            self._append(*entry)
        count = len(sequences)
        if prompt is not None:
            sequence, part, start = prompt
            assert sequence not in sequences and len(part) > 0
            for offset, token in enumerate(part):
                self._append(sequence, token, start + offset)
            self.prefilled_beside += len(part) if count else 0
            count += len(part)
        assert 0 < count <= self.batch
        taken = {id(cell) for cells in self.sequences.values() for _, cell in cells}
        self.most_cells = max(self.most_cells, len(taken))
        assert self.most_cells <= self.cells
        self.passes.append(len(sequences))
        rows = [logits_after([token for token, _ in self.sequences[s]]) for s in sequences]
        return np.array(rows, dtype=np.float32).reshape(len(sequences), VOCABULARY)


def request(problem, sample):
    message = Message(role="user", content="x")
    return GenerationRequest(f"p{problem}", sample, [message], 1000 * problem + sample)


def expected(wanted, prompt, limit, sampling):
    """The completion, drawn on its own."""
    model, draw = FakeModel(), PlainDraw(sampling)
    sample = Sample(model, wanted, prompt, 0, limit=limit, watcher=Watcher(sampling))
    while not sample.ended:
        row = np.array([logits_after([*prompt.tokens, *sample.tokens])], dtype=np.float32)
        seeds = np.array([wanted.seed], dtype=np.uint64)
        draws = np.array([len(sample.tokens)], dtype=np.uint32)
        (token,), (logprob,) = draw(row, seeds, draws)
        sample.append(int(token), float(logprob))
    return sample.completion()


class Batch:
    def __init__(self, prompts, *, slots, cells, limit=30, recurrent=False, batch=40):
        self.prompts = [Prompt(array("i", tokens)) for tokens in prompts]
        self.decoder = FakeDecoder(cells, batch, recurrent)
        self.stats = GenerationStats()
        self.limit, self.sampling = limit, Sampling(temperature=1.0)
        self.batch = ContinuousBatch(
            FakeModel(), self.decoder, PlainDraw(self.sampling), self.stats, slots=slots
        )

    def prompt_of(self, wanted):
        return self.prompts[int(wanted.problem_id[1:])]

    def new_sample(self, wanted, prompt, slot):
        watcher = Watcher(self.sampling)
        return Sample(FakeModel(), wanted, prompt, slot, limit=self.limit, watcher=watcher)

    def run(self, source):
        return list(self.batch.run(source, self.prompt_of, self.new_sample, None))

    def check(self, found, wanted):
        assert sorted(row.key for row in found) == sorted(each.key for each in wanted)
        by_key = {each.key: each for each in wanted}
        for row in found:
            one = by_key[row.key]
            assert row == expected(one, self.prompt_of(one), self.limit, self.sampling)
        assert self.stats.in_flight == 0
        kept = sum(row.token_count for row in found)
        assert self.stats.decoded_tokens == kept + self.stats.discarded_tokens


PROMPTS = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=12), min_size=1, max_size=5)


@settings(max_examples=150)
@given(
    prompts=PROMPTS,
    samples=st.integers(1, 6),
    slots=st.integers(1, 7),
    spare=st.integers(0, 120),
    limit=st.integers(1, 30),
    recurrent=st.booleans(),
    batch=st.integers(8, 40),
)
def test_every_completion_is_what_it_would_be_alone(
    prompts, samples, slots, spare, limit, recurrent, batch
):
    longest = max(map(len, prompts))
    cells = 2 * longest + limit + spare  # one sample and a prompt beside it, at the least
    run = Batch(prompts, slots=slots, cells=cells, limit=limit, recurrent=recurrent, batch=batch)
    wanted = [request(p, s) for p in range(len(prompts)) for s in range(samples)]
    run.check(run.run(ListSource(wanted)), wanted)


def test_samples_that_find_no_room_begin_again_and_nothing_else_changes():
    wanted = [request(0, sample) for sample in range(12)]
    run = Batch([[1, 2, 3, 4]], slots=8, cells=50)
    run.check(run.run(ListSource(wanted)), wanted)
    assert run.stats.discarded_tokens > 0
    assert run.decoder.most_cells <= 50


def test_with_room_for_all_no_token_is_drawn_twice():
    wanted = [request(p, sample) for p in range(2) for sample in range(6)]
    run = Batch([[1, 2, 3], [1, 2, 5, 6]], slots=4, cells=4 * 34 + 4)
    run.check(run.run(ListSource(wanted)), wanted)
    assert run.stats.discarded_tokens == 0


def test_the_next_prompt_is_computed_beside_running_samples():
    wanted = [request(p, sample) for p in range(3) for sample in range(4)]
    prompts = [[p + 1] * 300 for p in range(3)]
    run = Batch(prompts, slots=4, cells=5000, batch=512)
    run.check(run.run(ListSource(wanted)), wanted)
    assert run.decoder.prefilled_beside > 299
    # So no slot waits for it: passes without any sample are those of the very first prompt.
    assert run.decoder.passes.count(0) == 1


def test_the_batch_stays_full_until_nothing_waits():
    wanted = [request(0, sample) for sample in range(40)]
    run = Batch([[1, 2]], slots=8, cells=5000)
    run.run(ListSource(wanted))
    sizes = [size for size in run.decoder.passes if size]
    assert sizes[0] == 8
    first_smaller = next(i for i, size in enumerate(sizes) if size < 8)
    rest = sizes[first_smaller:]
    assert rest == sorted(rest, reverse=True)


class Ends(Watcher):
    """Ends a sample after so many tokens, for ``reason``."""

    def __init__(self, sampling, tokens, reason):
        super().__init__(sampling)
        self.left, self.reason = tokens, reason

    def feed(self, token, piece):
        self.left -= 1
        return self.reason if self.left == 0 else None


@pytest.mark.parametrize(("reason", "finish"), [("code_block", "stop"), ("repetition", "length")])
def test_other_ends_are_told_and_free_the_slot(reason, finish):
    run = Batch([[1, 2]], slots=2, cells=200)

    def new_sample(wanted, prompt, slot):
        watcher = Ends(run.sampling, 3, reason)
        return Sample(FakeModel(), wanted, prompt, slot, limit=30, watcher=watcher)

    source = ListSource([request(0, sample) for sample in range(12)])
    found = list(run.batch.run(source, run.prompt_of, new_sample, None))
    assert len(found) == 12
    ended = [row for row in found if row.ended_by != "end_token"]
    assert ended
    for row in ended:
        assert (row.ended_by, row.finish_reason, row.token_count) == (reason, finish, 3)


class Waves:
    """Hands out the second wave only when the first has come out, as adaptive sampling does."""

    def __init__(self, first, second):
        self.first, self.second, self.waits = list(first), list(second), 0
        self.out = 0

    def take(self, *, wait):
        if self.first:
            return self.first.pop(0)
        if wait:
            self.waits += 1
            return self.second.pop(0) if self.second else None
        return None


def test_a_source_is_waited_for_only_when_nothing_is_in_flight():
    first = [request(0, sample) for sample in range(5)]
    second = [request(1, sample) for sample in range(2)]
    source = Waves(first, second)
    run = Batch([[1, 2], [3]], slots=2, cells=200)
    run.check(run.run(source), first + second)
    assert source.waits == 3


def test_an_abandoned_run_gives_its_slots_back():
    run = Batch([[1, 2]], slots=3, cells=200)
    unfinished = run.batch.run(
        ListSource([request(0, s) for s in range(9)]), run.prompt_of, run.new_sample, None
    )
    next(unfinished)
    run.batch.close()
    assert run.stats.in_flight == 0
    assert set(run.decoder.sequences) <= {3}  # the prompt's
    with pytest.raises(StopIteration):
        unfinished.close()
        next(unfinished)
