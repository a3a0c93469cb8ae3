import pytest
from pydantic import ValidationError

from localdistill.sampling import Sampling


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": 1e-30},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.01},
        {"min_p": 1.0},
        {"min_p": -0.1},
        {"max_tokens": 0},
        {"order": "vllm"},
        {"temprature": 1.0},
    ],
)
def test_values_that_mean_nothing_are_refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(ValidationError, match=name):
        Sampling(**wrong)


def test_the_default_is_the_models_own_distribution():
    assert Sampling().temperature == 1.0
    assert not Sampling().truncates


def test_greedy_does_not_truncate():
    assert Sampling(temperature=0, top_k=20).greedy
    assert not Sampling(temperature=0, top_k=20).truncates
    assert Sampling(top_k=20).truncates
