"""The chains of C samplers on made-up logits, against the definitions in float64."""

import ctypes

import numpy as np
import pytest

from localdistill.backends.llama_model import bindings
from localdistill.backends.llama_sampler import new_chain
from localdistill.sampling import Sampling
from tests.backends.reference import distribution, fits

pytestmark = pytest.mark.real

TOKEN_DATA = np.dtype([("id", "i4"), ("logit", "f4"), ("p", "f4")])
DRAWS = 4000


def draw(sampling, logits, seed):
    """One token from a fresh chain."""
    lib = bindings()
    data = np.zeros(len(logits), TOKEN_DATA)
    data["id"], data["logit"] = np.arange(len(logits)), logits
    array = lib.llama_token_data_array(
        data=ctypes.cast(data.ctypes.data, lib.llama_token_data_p),
        size=len(logits),
        selected=-1,
        sorted=False,
    )
    chain = new_chain(sampling, seed)
    lib.llama_sampler_apply(chain, ctypes.byref(array))
    token = array.data[array.selected].id
    lib.llama_sampler_free(chain)
    return token


def counts(sampling, logits):
    tokens = [draw(sampling, logits, seed) for seed in range(DRAWS)]
    return np.bincount(tokens, minlength=len(logits))


def made_up_logits(size=1500):
    # A fork of a few likely tokens and a long tail, in no order.
    random = np.random.default_rng(3)
    return random.permutation(np.concatenate([[6, 5.5, 5, 4, 4], random.normal(0, 1, size - 5)]))


GRID = [
    {"temperature": 1.0},
    {"temperature": 1.6, "top_k": 20, "top_p": 0.8},
    {"temperature": 0.7, "top_k": 3},
    {"temperature": 1.6, "top_p": 0.5},
    {"temperature": 1.3, "min_p": 0.2},
    {"temperature": 1.6, "top_k": 50, "top_p": 0.9, "min_p": 0.1},
]


@pytest.mark.parametrize("order", ["paper", "llama.cpp"])
@pytest.mark.parametrize("parameters", GRID)
def test_draws_follow_the_definition(parameters, order):
    sampling, logits = Sampling(**parameters, order=order), made_up_logits()
    assert fits(counts(sampling, logits), DRAWS * distribution(logits, sampling))


@pytest.mark.parametrize("parameters", [GRID[1], GRID[3], GRID[4]])
def test_the_other_order_would_be_noticed(parameters):
    logits = made_up_logits()
    drawn = counts(Sampling(**parameters, order="paper"), logits)
    other = Sampling(**parameters, order="llama.cpp")
    assert not fits(drawn, DRAWS * distribution(logits, other))


def test_another_temperature_would_be_noticed():
    logits = made_up_logits()
    drawn = counts(Sampling(temperature=1.0), logits)
    assert not fits(drawn, DRAWS * distribution(logits, Sampling(temperature=1.1)))


def test_temperature_zero_takes_the_likeliest():
    logits = made_up_logits()
    greedy = Sampling(temperature=0, top_k=5)
    assert {draw(greedy, logits, seed) for seed in range(20)} == {int(np.argmax(logits))}


def test_a_seed_repeats_its_draw():
    logits = made_up_logits()
    first, again = ([draw(Sampling(), logits, s) for s in range(50)] for _ in range(2))
    assert first == again
    assert len(set(first)) > 5
