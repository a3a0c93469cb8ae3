"""The ways of decoding that are tried on dev."""

import pytest

from localdistill import config as configuration
from localdistill.decodings import grid, samples_of
from localdistill.errors import ConfigError
from localdistill.sampling import Sampling


def settings(**evaluate):
    return configuration.build({"model": "m", "problems": "p", "evaluate": evaluate}).evaluate


def test_by_default_the_sections_own_way_greedy_and_a_cooler_one_are_tried():
    assert list(settings().grid()) == ["t1", "greedy", "t0.6-p0.95"]
    assert list(settings(decode="same").grid()) == ["t1"]


def test_what_a_table_leaves_out_is_the_sections_but_for_truncation():
    own = settings(temperature=1.1, top_k=20, min_p=0.1, max_tokens=99, end_loops=False)
    assert list(own.grid()) == ["t1.1-k20-m0.1", "greedy", "t0.6-p0.95"]
    cooler = own.grid()["t0.6-p0.95"]
    assert (cooler.max_tokens, cooler.end_loops, cooler.top_k, cooler.min_p) == (99, False, 0, 0)


def test_the_same_way_is_tried_once():
    assert list(settings(temperature=0).grid()) == ["greedy", "t0.6-p0.95"]
    assert list(settings(temperature=0.6, top_p=0.95).grid()) == ["t0.6-p0.95", "greedy"]
    truncated = grid(Sampling(temperature=0), [{"temperature": 0, "top_k": 5}])
    assert list(truncated) == ["greedy"]  # which means nothing where the likeliest is taken


def test_ways_that_differ_in_something_else_have_names_of_their_own():
    found = grid(Sampling(), [{"temperature": 0.5}, {"temperature": 0.5, "max_tokens": 9}])
    assert list(found) == ["t1", "t0.5", "t0.5-2"]


@pytest.mark.parametrize(
    ("table", "hint"),
    [
        ({"temprature": 1}, "temprature"),
        ({"top_p": 2.0}, "top_p"),
        ({"temperature": 1e-9}, "0.001"),
    ],
)
def test_an_impossible_way_is_refused_by_name(table, hint):
    with pytest.raises(ConfigError, match=rf"decodings: .*{hint}"):
        settings(decodings=[table])


@pytest.mark.parametrize(
    ("temperature", "ks", "samples"), [(0, [1], 1), (0, [1, 8], 8), (1, [1], 8)]
)
def test_one_greedy_sample_is_enough_unless_more_are_asked_for(temperature, ks, samples):
    assert samples_of(Sampling(temperature=temperature), 8, ks) == samples


def test_a_way_of_decoding_in_words():
    assert Sampling(temperature=0).told() == "greedy"
    told = Sampling(temperature=0.6, top_k=20, top_p=0.95, min_p=0.05).told()
    assert told == "temperature 0.6, top-k 20, top-p 0.95, min-p 0.05"
