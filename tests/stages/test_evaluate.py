"""Evaluate compares two models on the same problems; sampling and testing are stood in for."""

import json

import pytest

from localdistill.errors import ConfigError
from localdistill.jsonl import JsonlWriter
from localdistill.power import minimum_detectable_effect
from localdistill.sampling import Sampling
from localdistill.stages import evaluate, scoring
from localdistill.types import EvalResult, Verdict
from tests.quantization.tiny import Tiny, quantised

PROBLEMS, SAMPLES = 20, 4


@pytest.fixture
def drawn(monkeypatch):
    """Stand-ins for llama.cpp and the sandbox: a model's name says how many samples pass."""
    requests = []

    def fake_generate(request, callback):
        requests.append(request)

    def fake_verify(request, callback):
        passes = int(requests[-1].model.stem.split("-")[1])
        request.out.parent.mkdir(parents=True, exist_ok=True)
        with JsonlWriter(request.out) as writer:
            for problem in range(PROBLEMS):
                for sample in range(requests[-1].samples):
                    status = "passed" if sample < passes else "failed"
                    writer.write(Verdict(problem_id=str(problem), sample=sample, status=status))

    monkeypatch.setattr(scoring.generate, "run", fake_generate)
    monkeypatch.setattr(scoring.verify, "run", fake_verify)
    monkeypatch.setattr(scoring.generate, "check_model", lambda path: None)
    return requests


@pytest.fixture
def request_for(tmp_path):
    path = tmp_path / "problems.jsonl"
    tests = {"kind": "call", "cases": [{"args": [1], "expected": 1}]}
    rows = [
        {"id": str(i), "prompt": f"p{i}", "entry_point": "f", "tests": tests}
        for i in range(PROBLEMS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def model(label, gguf):
        return evaluate.ModelUnderTest(label=label, gguf=gguf, work_dir=tmp_path / label)

    def make(candidate, baseline=None, **more):
        return evaluate.EvaluateRequest(
            candidate=model("new", f"passes-{candidate}.gguf"),
            baseline=model("old", f"passes-{baseline}.gguf") if baseline is not None else None,
            problems=str(path),
            samples=SAMPLES,
            sampling=Sampling(),
            seed=7,
            out=tmp_path / "evaluation.json",
            **more,
        )

    return make


@pytest.mark.parametrize(
    ("candidate", "baseline", "verdict", "gain"),
    [(3, 1, "better", 0.5), (1, 3, "worse", -0.5), (2, 2, "no evidence", 0.0)],
)
def test_the_gain_is_the_candidates_over_the_baseline(
    drawn, request_for, candidate, baseline, verdict, gain
):
    result = evaluate.run(request_for(candidate, baseline), lambda event: None)
    assert result.verdict == verdict
    assert result.gain == pytest.approx(gain)
    assert result.candidate.pass_at[0].value == pytest.approx(candidate / SAMPLES)
    assert result.baseline.pass_at[0].value == pytest.approx(baseline / SAMPLES)


def test_both_models_are_sampled_alike(drawn, request_for):
    evaluate.run(request_for(3, 1), lambda event: None)
    first, second = (request.model_dump(exclude={"model", "out"}) for request in drawn)
    assert first == second
    assert {request.model.stem for request in drawn} == {"passes-3", "passes-1"}


def test_evaluation_draws_other_samples_than_training(drawn, request_for):
    evaluate.run(request_for(3), lambda event: None)
    assert drawn[0].purpose != scoring.generate.GenerateRequest.model_fields["purpose"].default


def test_a_model_alone_is_scored_without_a_verdict(drawn, request_for):
    result = evaluate.run(request_for(2), lambda event: None)
    assert (result.baseline, result.verdict) == (None, None)


def test_the_result_is_written_and_comes_out_the_same_again(drawn, request_for):
    request = request_for(3, 1)
    result = evaluate.run(request, lambda event: None)
    assert EvalResult.model_validate_json(request.out.read_text()) == result
    assert evaluate.run(request, lambda event: None) == result


def test_a_result_is_not_reused_for_another_model(drawn, request_for):
    evaluate.run(request_for(3, 1), lambda event: None)
    assert evaluate.run(request_for(1, 3), lambda event: None).verdict == "worse"


def test_pass_at_more_than_was_sampled_is_refused(drawn, request_for):
    with pytest.raises(ConfigError, match="pass@8 needs at least 8"):
        evaluate.run(request_for(3, ks=[1, 8]), lambda event: None)


def test_pass_at_k_counts_problems_with_any_pass(drawn, request_for):
    result = evaluate.run(request_for(1, ks=[1, 4]), lambda event: None)
    assert [(at.k, at.value) for at in result.candidate.pass_at] == [(1, 0.25), (4, 1.0)]


def test_a_model_with_its_own_decoding_is_sampled_with_that(drawn, request_for):
    request = request_for(3, 1)
    own = {"sampling": Sampling(temperature=0), "samples": 1}
    request = request.model_copy(update={"candidate": request.candidate.model_copy(update=own)})
    result = evaluate.run(request, lambda event: None)
    assert [(each.sampling.greedy, each.samples) for each in drawn] == [(True, 1), (False, SAMPLES)]
    assert Sampling(**result.candidate_decoding).greedy
    assert Sampling(**result.baseline_decoding) == Sampling()
    assert result.candidate.samples == PROBLEMS


def test_the_result_tells_what_could_be_found_and_how_sure_it_is(drawn, request_for):
    result = evaluate.run(request_for(3, 1), lambda event: None)
    assert result.detectable == minimum_detectable_effect(PROBLEMS, SAMPLES)
    strict = evaluate.run(request_for(3, 1, level=0.99, interval="bca"), lambda event: None)
    assert (strict.level, strict.interval_method) == (0.99, "bca")
    assert strict.detectable > result.detectable


def test_what_cannot_be_told_of_a_problem_is_no_part_of_what_could_be_found(
    drawn, request_for, monkeypatch
):
    usual = scoring.metrics.fixed_verdicts

    def half(completions, verdicts):
        return [
            row.model_copy(update={"status": "infra_error"}) if int(row.problem_id) % 2 else row
            for row in usual(completions, verdicts)
        ]

    monkeypatch.setattr(scoring.metrics, "fixed_verdicts", half)
    result = evaluate.run(request_for(3, 1), lambda event: None)
    assert result.detectable == minimum_detectable_effect(PROBLEMS // 2, SAMPLES)


def test_the_type_of_each_file_stands_in_the_result(drawn, request_for, tmp_path):
    model = Tiny.write(tmp_path / "tiny", "qwen3")
    request = request_for(3, 1)
    for name, quant in (("passes-3.gguf", "Q8_0"), ("passes-1.gguf", "Q4_0")):
        quantised(model, quant).gguf.rename(tmp_path / name)
    request = request.model_copy(
        update={
            "candidate": request.candidate.model_copy(update={"gguf": tmp_path / "passes-3.gguf"}),
            "baseline": request.baseline.model_copy(update={"gguf": tmp_path / "passes-1.gguf"}),
        }
    )
    result = evaluate.run(request, lambda event: None)
    assert (result.candidate_type, result.baseline_type) == ("Q8_0", "Q4_0")
    assert result.types_differ
    (tmp_path / "passes-1.gguf").unlink()  # answers outlive their model
    result = evaluate.run(request, lambda event: None)
    assert (result.candidate_type, result.baseline_type) == ("Q8_0", None)
    assert not result.types_differ
