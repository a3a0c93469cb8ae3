"""How models were decoded, and what decoding alone gives."""

import pytest

from localdistill.report import decoding, reading
from localdistill.types import DecodingScore
from tests.report.making import Making, score


@pytest.mark.parametrize(
    ("sampled", "said"),
    [
        ({"temperature": 1.0}, "own distribution"),
        ({"temperature": 0.0}, "greedy"),
        ({"temperature": 1.6, "top_k": 20}, "cut unlikely tokens off"),
        ({"temperature": 1.6}, "imitates its temperature"),
    ],
)
def test_the_effective_temperature_and_what_it_means(tmp_path, sampled, said):
    making = Making(tmp_path / "run", generate=sampled, evaluate={"temperature": 1.1})
    making.evaluated(candidate_decoding={"temperature": 0.5})
    found = decoding.temperatures(reading.read(making.path))
    assert found.effective == sampled["temperature"] * 0.5
    assert said in found.meaning


def test_what_decoding_alone_gives_needs_the_plain_and_the_chosen_score(finished):
    def tried(model, temperature, value, chosen=False):
        how = {"temperature": temperature}
        return DecodingScore(model=model, decoding=how, score=score(model, value), chosen=chosen)

    finished.evaluated(choices=[tried("base", 1.0, 0.4), tried("base", 0.2, 0.3)])
    assert decoding.alone(reading.read(finished.path)) is None
    finished.evaluated(choices=[tried("base", 1.0, 0.4, True), tried("base", 0.2, 0.3)])
    assert "does best with the decoding" in decoding.alone(reading.read(finished.path))
    finished.evaluated(choices=[tried("base", 1.0, 0.4), tried("base", 0.2, 0.55, True)])
    assert "+15.0 points on dev" in decoding.alone(reading.read(finished.path))
    finished.evaluated(choices=[tried("round-01", 1.0, 0.4), tried("round-01", 0.2, 0.55, True)])
    assert decoding.alone(reading.read(finished.path)) is None
