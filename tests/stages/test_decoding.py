"""The best way of decoding is chosen on dev; sampling and testing are stood in for."""

import json

import pytest

from localdistill.jsonl import JsonlWriter
from localdistill.sampling import Sampling
from localdistill.stages import decoding, scoring
from localdistill.types import DecodingChoice, Verdict

PROBLEMS = 10
WAYS = {
    "t1": Sampling(),
    "greedy": Sampling(temperature=0),
    "t0.6": Sampling(temperature=0.6),
}


@pytest.fixture
def drawn(monkeypatch):
    """Stand-ins for llama.cpp and the sandbox; returns requests, and passes by temperature."""
    requests, passes = [], {1.0: 2, 0.0: 6, 0.6: 5}

    def fake_verify(request, callback):
        asked = requests[-1]
        request.out.parent.mkdir(parents=True, exist_ok=True)
        request.out.unlink(missing_ok=True)
        with JsonlWriter(request.out) as writer:
            for problem in range(PROBLEMS):
                passed = problem < passes[asked.sampling.temperature]
                for sample in range(asked.samples):
                    status = "passed" if passed else "failed"
                    writer.write(Verdict(problem_id=str(problem), sample=sample, status=status))

    monkeypatch.setattr(scoring.generate, "run", lambda request, _: requests.append(request))
    monkeypatch.setattr(scoring.verify, "run", fake_verify)
    monkeypatch.setattr(scoring.verify, "try_sandbox", lambda kind: None)
    monkeypatch.setattr(scoring.generate, "check_model", lambda path: None)
    return requests, passes


@pytest.fixture
def request_for(tmp_path):
    path = tmp_path / "problems.jsonl"
    tests = {"kind": "call", "cases": [{"args": [1], "expected": 1}]}
    rows = [
        {"id": str(i), "prompt": f"p{i}", "entry_point": "f", "tests": tests}
        for i in range(PROBLEMS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(**more):
        model = scoring.ModelUnderTest(label="m", gguf="m.gguf", work_dir=tmp_path / "m")
        values = {
            "model": model, "problems": str(path), "name": "dev", "samples": 4, "seed": 3,
            "decodings": WAYS, "out": tmp_path / "decoding.json",
        }  # fmt: skip
        return decoding.DecodingRequest(**{**values, **more})

    return make


def test_the_way_with_the_highest_pass_at_1_is_chosen_and_all_are_recorded(drawn, request_for):
    request = request_for()
    choice = decoding.run(request, lambda event: None)
    assert choice.name == "greedy"
    assert [each.chosen for each in choice.scores] == [False, True, False]
    assert [each.score.pass_at[0].value for each in choice.scores] == [0.2, 0.6, 0.5]
    assert [Sampling(**each.decoding) for each in choice.scores] == list(WAYS.values())
    assert DecodingChoice.model_validate_json(request.out.read_text()) == choice
    assert decoding.run(request, lambda event: None) == choice


def test_each_way_is_drawn_alike_but_for_itself(drawn, request_for):
    requests, _ = drawn
    decoding.run(request_for(), lambda event: None)
    assert [request.samples for request in requests] == [4, 1, 4]
    different = {"sampling", "samples", "out"}
    first, *others = (request.model_dump(exclude=different) for request in requests)
    assert others == [first, first]
    assert first["purpose"] == "evaluate dev"  # eval draws others
    assert [request.out.parent.name for request in requests] == list(WAYS)


def test_of_equal_ways_the_first_is_chosen(drawn, request_for):
    _, passes = drawn
    passes.update(dict.fromkeys(passes, 4))
    assert decoding.run(request_for(), lambda event: None).name == "t1"


def test_pass_at_k_gives_greedy_as_many_samples_and_decides_nothing(drawn, request_for):
    requests, _ = drawn
    choice = decoding.run(request_for(ks=[4, 1]), lambda event: None)
    assert [request.samples for request in requests] == [4, 4, 4]
    assert choice.name == "greedy"
    assert [at.k for at in choice.scores[0].score.pass_at] == [4, 1]
