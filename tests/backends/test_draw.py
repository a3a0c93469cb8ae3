"""The compiled draw against the same in numpy, and both against the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localdistill.backends import draw
from localdistill.backends.draw import CompiledDraw, NotNumbers, chain, new_draw
from localdistill.backends.draw_plain import PlainDraw, uniform
from localdistill.sampling import Sampling
from tests.backends.reference import distribution, fits, log_sum_exp

SAMPLINGS = [
    Sampling(**values, order=order)
    for values in (
        {"temperature": 0},
        {"temperature": 1.0},
        {"temperature": 0.3},
        {"temperature": 2.5},
        {"temperature": 1.6, "top_k": 20},
        {"temperature": 1.6, "top_k": 600},
        {"temperature": 1.6, "top_p": 0.8},
        {"temperature": 0.7, "top_p": 0.05},
        {"temperature": 1.6, "min_p": 0.1},
        {"temperature": 1.6, "top_k": 20, "top_p": 0.8},
        {"temperature": 1.6, "top_k": 50, "top_p": 0.95, "min_p": 0.02},
        {"temperature": 0.5, "top_k": 1},
    )
    for order in ("paper", "llama.cpp")
]


@pytest.fixture(scope="module")
def library():
    found = draw.compiled()
    assert found is not None, "run `make install`: draw.c has not been compiled"
    return found


def rows_of(count, vocabulary, seed=0, spread=3.0):
    return np.random.default_rng(seed).normal(0, spread, (count, vocabulary)).astype(np.float32)


def numbers(count, seed=0):
    generator = np.random.default_rng(seed)
    return (
        generator.integers(0, 2**32 - 1, count).astype(np.uint64),
        generator.integers(0, 5000, count).astype(np.uint32),
    )


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda s: " ".join([*chain(s), s.order]))
@pytest.mark.parametrize("vocabulary", [2, 17, 256, 1280, 5003])
def test_compiled_and_plain_draw_the_same_tokens(library, sampling, vocabulary):
    rows, given = rows_of(200, vocabulary), numbers(200)
    tokens, logprobs = CompiledDraw(library, sampling, vocabulary)(rows, *given)
    expected, exact = PlainDraw(sampling)(rows, *given)
    # A random number may fall on the border of two tokens, which rounding moves a little.
    assert (tokens != expected).sum() <= 1
    same = tokens == expected
    assert np.abs(logprobs - exact)[same].max() < 2e-6


@pytest.mark.parametrize("implementation", ["compiled", "plain"])
@pytest.mark.parametrize("sampling", SAMPLINGS[2:], ids=lambda s: " ".join([*chain(s), s.order]))
def test_tokens_come_from_the_exact_distribution(library, sampling, implementation):
    count, vocabulary = 20_000, 300
    row = rows_of(1, vocabulary, seed=3)
    rows = np.repeat(row, count, axis=0)
    seeds, draws = np.arange(count, dtype=np.uint64), np.full(count, 7, dtype=np.uint32)
    taken = (
        CompiledDraw(library, sampling, vocabulary)
        if implementation == "compiled"
        else PlainDraw(sampling)
    )
    tokens, _ = taken(rows, seeds, draws)
    counts = np.bincount(tokens, minlength=vocabulary)
    assert fits(counts, count * distribution(row[0].astype(np.float64), sampling))


@settings(max_examples=300)
@given(
    logits=st.lists(
        st.sampled_from([-np.inf, -50.0, -1.0, 0.0, 0.5, 3.0, 80.0]), min_size=1, max_size=40
    ).filter(lambda values: max(values) > -np.inf),
    sampling=st.sampled_from(SAMPLINGS),
    seed=st.integers(0, 2**32 - 2),
)
def test_with_many_ties_only_what_is_likely_enough_is_drawn(library, logits, sampling, seed):
    rows = np.array([logits], dtype=np.float32)
    given = np.array([seed], dtype=np.uint64), np.zeros(1, dtype=np.uint32)
    (token,), (logprob,) = CompiledDraw(library, sampling, len(logits))(rows, *given)
    (expected,), _ = PlainDraw(sampling)(rows, *given)
    exact = rows[0].astype(np.float64)
    assert logprob == pytest.approx(exact[token] - log_sum_exp(exact), abs=2e-6)
    # Equal logits may change places where a truncation ends between them, and nothing else.
    assert exact[token] == exact[expected]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 5, 299])
def test_what_is_no_number_is_refused(library, bad, place):
    rows = rows_of(3, 300)
    rows[1, place] = bad
    for taken in (CompiledDraw(library, Sampling(), 300), PlainDraw(Sampling())):
        with pytest.raises(NotNumbers):
            taken(rows, *numbers(3))


def test_random_numbers_are_pinned_even_and_independent():
    # Values, not a formula: changing them changes every run ever made.
    assert uniform(0, 0) == 0.6524484863740322
    assert uniform(2**32 - 2, 511) == 0.7189260997644905
    drawn = np.array([[uniform(seed, draw) for draw in range(200)] for seed in range(200)])
    assert fits(np.histogram(drawn, bins=50, range=(0, 1))[0], np.full(50, drawn.size / 50))
    for left, right in ((drawn[:, 1:], drawn[:, :-1]), (drawn[1:], drawn[:-1])):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.02


def test_a_library_made_from_another_text_is_not_used(monkeypatch, tmp_path):
    other = tmp_path / "draw.c"
    other.write_bytes(draw.SOURCE.read_bytes() + b"\n")
    monkeypatch.setattr(draw, "SOURCE", other)
    draw.compiled.cache_clear()
    try:
        assert isinstance(new_draw(Sampling(), 10), PlainDraw)
    finally:
        monkeypatch.undo()
        draw.compiled.cache_clear()
    assert isinstance(new_draw(Sampling(), 10), CompiledDraw)


def test_the_chain_says_what_is_done_in_which_order():
    steps = {"temperature": 1.6, "top_k": 20, "top_p": 0.8, "min_p": 0.1}
    named = ["temperature 1.6", "top-k 20", "top-p 0.8", "min-p 0.1", "draw"]
    assert chain(Sampling(**steps)) == named
    assert chain(Sampling(**steps, order="llama.cpp")) == [*named[1:4], named[0], "draw"]
    assert chain(Sampling(temperature=0, top_k=3)) == ["greedy"]
    assert chain(Sampling()) == ["draw"]


def test_orders_differ_where_the_temperature_decides_what_is_kept(library):
    row = np.repeat(rows_of(1, 300, seed=3), 4000, axis=0)
    given = np.arange(4000, dtype=np.uint64), np.zeros(4000, dtype=np.uint32)
    drawn = {
        order: set(
            CompiledDraw(library, Sampling(temperature=1.6, top_p=0.8, order=order), 300)(
                row, *given
            )[0]
        )
        for order in ("paper", "llama.cpp")
    }
    assert drawn["llama.cpp"] < drawn["paper"]
