"""What a run came to, as a person reads it in a terminal."""

import pytest

from localdistill import metrics
from localdistill.result_text import comparison
from localdistill.types import DecodingScore


def score(model, passed, problems=60):
    return metrics.of_counts(model, {str(n): (passed, 4) for n in range(problems)}, [1])


def compared(old, new, choices=()):
    result = metrics.compare("eval", score("round-01", new), score("base", old))
    return comparison(result.model_copy(update={"choices": list(choices)}))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (3, 1, "Keep using the model that you had"),
        (2, 2, "Nothing speaks for using the new model instead of the one that you had"),
    ],
)
def test_what_is_no_gain_ends_with_what_to_do(old, new, said):
    assert said in compared(old, new)


def test_a_gain_needs_no_advice():
    lines = compared(1, 3)
    assert not [line for line in lines if line.startswith(("Keep", "Nothing"))]
    assert any("p < 0.0001" in line for line in lines)


def test_a_decoding_that_was_not_chosen_is_told():
    assert any("no decoding was chosen" in line for line in compared(1, 3))
    tried = [
        DecodingScore(model="base", decoding=how, score=score("base", 1), chosen=best)
        for how, best in (({"temperature": 0.0}, True), ({"temperature": 1.0}, False))
    ]
    assert not any("no decoding was chosen" in line for line in compared(1, 3, tried))
    assert any("no decoding was chosen" in line for line in compared(1, 3, tried[:1]))


def test_that_the_files_are_of_two_types_is_told():
    result = metrics.compare("eval", score("round-01", 3), score("base", 1))
    for old, new in (("Q8_0", "Q8_0"), (None, "Q8_0"), ("Q8_0", None)):
        types = {"baseline_type": old, "candidate_type": new}
        assert not any("type" in line for line in comparison(result.model_copy(update=types)))
    types = {"baseline_type": "Q4_K_M", "candidate_type": "Q8_0"}
    (line,) = [each for each in comparison(result.model_copy(update=types)) if "type" in each]
    assert "the old file is of type Q4_K_M and the new one Q8_0" in line
