"""The whole loop on the seed model, with real llama.cpp, sandbox, Unsloth and quantiser."""

import json

import pytest

from localdistill.jsonl import read_rows
from localdistill.types import Completion, Diversity, EvalResult, Problem, TrainingExample, Verdict
from tests import chromium

from .conftest import SMALL, kill_in_stage, localdistill

pytestmark = pytest.mark.real

# The same without the choice of a decoding on dev.
ALIKE = (*SMALL, "--set", "evaluate.decode=same")
STAGES = ("prepare", "generate", "verify", "diversity", "select", "train", "export", "evaluate")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """An undisturbed small run."""
    directory = tmp_path_factory.mktemp("undisturbed") / "run"
    done = localdistill(*SMALL, "--run-dir", directory)
    assert done.code == 0, done.err + done.out
    return directory, done


def test_it_prints_scores_before_and_after_with_intervals_and_the_models_path(finished):
    directory, done = finished
    lines = done.out.splitlines()
    assert any(line.startswith("Before pass@1") and "95% interval" in line for line in lines)
    assert any(line.startswith("After  pass@1") and "95% interval" in line for line in lines)
    assert any(line.startswith("Verdict: ") for line in lines)
    assert lines[-1] == f"Model: {directory}/rounds/01/model.gguf"


def test_it_leaves_a_report_that_opens_in_a_browser(finished):
    directory, done = finished
    path = directory / "report.html"
    assert f"Report: {path}" in done.out.splitlines()
    with chromium.launched() as browser:
        for width in chromium.WIDTHS:
            opened = chromium.Opened(browser, path, width)
            opened.check()
            assert "points in pass@1" in opened.page.locator("h1").inner_text()
            assert opened.page.locator("#training svg").is_visible()


def test_the_screen_is_free_of_other_programs_noise(finished):
    directory, done = finished
    assert done.err == ""
    for noise in ("unsloth", "Unsloth", "llama_model_loader", "Loading weights", "FutureWarning"):
        assert noise not in done.out
    assert (directory / "log.txt").stat().st_size > 0


def test_every_completion_has_exactly_one_verdict(finished):
    directory, _ = finished
    paths = directory / "rounds" / "01"
    completions = read_rows(paths / "completions.jsonl", Completion)
    verdicts = read_rows(paths / "verdicts.jsonl", Verdict)
    assert len(completions) == 24 * 4
    assert sorted(c.key for c in completions) == sorted(v.key for v in verdicts)
    assert {v.status for v in verdicts} > {"passed"}


def test_only_what_passed_its_tests_is_trained_on(finished):
    directory, _ = finished
    paths = directory / "rounds" / "01"
    passed = {v.key for v in read_rows(paths / "verdicts.jsonl", Verdict) if v.passed}
    selected = read_rows(paths / "selected.jsonl", TrainingExample)
    assert selected
    assert {(row.problem_id, row.sample) for row in selected} <= passed


def test_the_new_gguf_loads_in_llama_cpp_and_answers(finished, seed_dir):
    import llama_cpp

    directory, _ = finished
    model = llama_cpp.Llama(
        str(directory / "rounds" / "01" / "model.gguf"), n_ctx=512, verbose=False
    )
    problem = read_rows(seed_dir / "problems" / "train.jsonl", Problem)[0]
    reply = model.create_chat_completion(
        [{"role": "user", "content": problem.prompt}], max_tokens=160, temperature=0.0
    )
    assert f"def {problem.entry_point}(" in reply["choices"][0]["message"]["content"]
    assert reply["choices"][0]["finish_reason"] == "stop"


def test_the_new_gguf_differs_in_trained_tensors_only(finished, seed_dir):
    import gguf
    import numpy as np

    directory, _ = finished
    old = gguf.GGUFReader(next(seed_dir.glob("*.gguf")))
    new = gguf.GGUFReader(directory / "rounds" / "01" / "model.gguf")
    changed = {
        a.name
        for a, b in zip(old.tensors, new.tensors, strict=True)
        if a.tensor_type != b.tensor_type or not np.array_equal(a.data, b.data)
    }
    assert changed
    assert all(name.startswith("blk.") and "norm" not in name for name in changed)


def test_evaluation_counts_every_held_out_sample(finished):
    directory, _ = finished
    result = EvalResult.model_validate_json((directory / "evaluation.json").read_text())
    assert result.baseline is not None
    assert result.candidate.problems == result.baseline.problems == 24
    for score, decoding in (
        (result.candidate, result.candidate_decoding),
        (result.baseline, result.baseline_decoding),
    ):
        samples = 1 if decoding["temperature"] == 0 else 2
        assert all(total == samples for _, total in score.counts.values())


def test_each_model_has_its_best_decoding_chosen_on_dev_and_eval_is_opened_once(finished):
    directory, done = finished
    result = EvalResult.model_validate_json((directory / "evaluation.json").read_text())
    on_dev = {}
    for each in result.choices:
        on_dev.setdefault(each.model, []).append(each)
        assert each.score.problems == 24
    assert {model: len(tried) for model, tried in on_dev.items()} == {"base": 3, "round-01": 3}
    for model, chosen in (
        ("base", result.baseline_decoding),
        ("round-01", result.candidate_decoding),
    ):
        best = max(on_dev[model], key=lambda each: each.score.pass_at[0].value)
        assert best.chosen
        assert best.decoding == chosen
    assert "The model you had decodes best" in done.out
    assert [opening.candidate for opening in result.openings] == ["round-01"]
    on_dev = EvalResult.model_validate_json(
        (directory / "rounds" / "01" / "evaluation.json").read_text()
    )
    assert (on_dev.problem_set, on_dev.openings) == ("dev", [])


def test_how_different_the_right_programs_are_is_measured(finished):
    directory, _ = finished
    file = directory / "rounds" / "01" / "diversity.json"
    found = Diversity.model_validate_json(file.read_text())
    assert (found.problems, found.k) == (24, 4)
    assert 0 < found.pass_at_1 < found.pass_at_k <= 1
    assert found.distinct <= 4 * found.pass_at_1


def test_the_manifest_says_what_the_run_was_made_from(finished):
    directory, _ = finished
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["sampler_order"] == "paper"
    assert manifest["slots"] >= 1
    assert manifest["versions"]["llama-cpp-python"]
    assert {"starting model", "train problems", "eval problems"} <= set(manifest["hashes"])


def test_manifest_and_result_name_the_sandbox(finished):
    directory, done = finished
    manifest = json.loads((directory / "manifest.json").read_text())
    (use,) = manifest["sandboxes"]
    assert use["not_covered"]
    assert not use["unsafe"]
    for said in (use["tier"], *use["not_covered"], *use["passed_over"]):
        assert said in done.out


def test_the_same_command_on_a_finished_run_does_nothing_again(finished):
    directory, done = finished
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*.jsonl")}
    before.pop(directory / "events.jsonl")
    again = localdistill(*SMALL, "--run-dir", directory)
    assert again.code == 0
    assert again.out.splitlines()[-4:] == done.out.splitlines()[-4:]
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before


def test_another_configuration_is_refused_by_name(finished):
    directory, _ = finished
    refused = localdistill(*SMALL, "--run-dir", directory, "--set", "train.rank=4")
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "train.rank" in refused.err


def test_killed_once_in_each_stage_it_ends_with_the_same_examples(finished, tmp_path):
    directory, _ = finished
    other = tmp_path / "run"
    for stage in STAGES:
        assert kill_in_stage(stage, *SMALL, "--run-dir", other), f"{stage} was not reached"
    done = localdistill(*SMALL, "--run-dir", other)
    assert done.code == 0, done.err
    mine, theirs = (
        (path / "rounds" / "01" / "selected.jsonl").read_bytes() for path in (other, directory)
    )
    assert mine == theirs
    keys = [c.key for c in read_rows(other / "rounds/01/completions.jsonl", Completion)]
    assert len(keys) == len(set(keys)) == 24 * 4
