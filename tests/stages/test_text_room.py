"""How many bytes of completions and verdicts a stage has yet to write."""

from __future__ import annotations

import json

import pytest

from localdistill import disk_use
from localdistill.markers import mark_done
from localdistill.sampling import Sampling
from localdistill.stages.decoding import DecodingRequest
from localdistill.stages.evaluate import EvaluateRequest
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.scoring import ModelUnderTest
from localdistill.stages.text_room import side_by_side, to_come
from localdistill.stages.verify import VerifyRequest

TOKENS, SAMPLES, PROBLEMS = 1000, 4, 3
ALL = PROBLEMS * SAMPLES
# Where there is nothing to go by; both can be divided by four.
COMPLETION, VERDICT = disk_use.completions(1, TOKENS) / 4, disk_use.verdicts(1) / 4
SAMPLING = Sampling(max_tokens=TOKENS)


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "p.jsonl"
    rows = [{"id": f"p/{n}", "prompt": "Write f.", "entry_point": "f"} for n in range(PROBLEMS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def generate(problems, tmp_path):
    return GenerateRequest(
        model=tmp_path / "m.gguf", problems=str(problems), samples=SAMPLES, sampling=SAMPLING,
        out=tmp_path / "completions.jsonl",
    )  # fmt: skip


@pytest.fixture
def verify(problems, generate, tmp_path):
    return VerifyRequest(
        problems=str(problems), completions=generate.out, out=tmp_path / "verdicts.jsonl"
    )


def rows(path, count, size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{'a' * (size - 1)}\n" * count)


def test_where_nothing_is_known_less_is_counted_than_may_be_written(generate):
    assert to_come(generate) == ALL * COMPLETION < disk_use.completions(ALL, TOKENS)
    assert to_come(generate.model_copy(update={"limit": 1})) == SAMPLES * COMPLETION


def test_what_is_there_tells_how_long_the_rest_will_be(generate):
    rows(generate.out, 5, size=300)
    assert to_come(generate) == (ALL - 5) * 300
    rows(generate.out, ALL + 1)
    assert to_come(generate) == 0


def test_so_do_the_completions_before_but_no_more_than_there_may_be(generate, tmp_path):
    empty, before = tmp_path / "empty", tmp_path / "before"
    rows(empty, 0)
    rows(before, 20, size=300)
    assert to_come(generate, [tmp_path / "none", empty, before]) == ALL * 300
    rows(before, 20, size=30_000)
    assert to_come(generate, [before]) == disk_use.completions(ALL, TOKENS)
    rows(generate.out, ALL - 1, size=50)
    assert to_come(generate, [before]) == 50


def test_what_has_ended_with_fewer_needs_no_more(generate, verify):
    rows(generate.out, 5)
    mark_done(generate.out, completions=5)
    assert to_come(generate) == 0
    rows(verify.out, 2, size=100)
    assert to_come(verify) == 3 * 100
    mark_done(verify.out)
    assert to_come(verify) == 0


def test_how_many_there_is_time_for_is_not_known(generate, verify):
    limited = generate.model_copy(update={"until": 1.0})
    assert to_come(limited) == side_by_side(limited, verify) == 0


def test_of_adaptive_sampling_only_the_first_wave_is_certain(generate):
    adaptive = {"adaptive": True}
    assert to_come(generate.model_copy(update=adaptive)) == 2 * PROBLEMS * COMPLETION
    rows(generate.out, 2 * PROBLEMS)
    assert to_come(generate.model_copy(update=adaptive)) == 0


def test_verdicts_are_counted_of_what_was_drawn(verify):
    assert to_come(verify) == 0
    rows(verify.completions, 7)
    assert to_come(verify) == int(7 * VERDICT)


def test_side_by_side_both_are_counted(generate, verify):
    assert side_by_side(generate, verify) == ALL * COMPLETION + ALL * VERDICT
    rows(generate.out, 5, size=300)
    rows(verify.out, 2, size=100)
    assert side_by_side(generate, verify) == (ALL - 5) * 300 + (ALL - 2) * 100


def test_problems_are_counted_by_their_mark(generate, problems):
    mark_done(problems, count=2)
    assert to_come(generate) == 2 * SAMPLES * COMPLETION


def test_a_comparison_takes_what_both_models_have_not_said_yet(problems, tmp_path):
    models = [
        ModelUnderTest(label=name, gguf=tmp_path / "m.gguf", work_dir=tmp_path / name, **more)
        for name, more in (("new", {}), ("base", {"samples": 1}))
    ]
    request = EvaluateRequest(
        candidate=models[0], baseline=models[1], sampling=SAMPLING, problems=str(problems),
        samples=SAMPLES, seed=1, out=tmp_path / "evaluation.json",
    )  # fmt: skip
    new = ALL * (COMPLETION + VERDICT)
    assert to_come(request) == new + int(PROBLEMS * COMPLETION) + int(PROBLEMS * VERDICT)
    assert to_come(request.model_copy(update={"baseline": None})) == new
    rows(tmp_path / "base" / "completions.jsonl", PROBLEMS - 1)
    mark_done(tmp_path / "base" / "completions.jsonl")
    rows(tmp_path / "base" / "verdicts.jsonl", 1, size=100)
    assert to_come(request) == new + (PROBLEMS - 2) * 100
    mark_done(tmp_path / "base" / "verdicts.jsonl")
    assert to_come(request) == new


def test_each_way_of_decoding_is_counted_and_the_greedy_one_once(problems, tmp_path):
    greedy = SAMPLING.model_copy(update={"temperature": 0.0})
    request = DecodingRequest(
        model=ModelUnderTest(label="base", gguf=tmp_path / "m.gguf", work_dir=tmp_path),
        decodings={"t1": SAMPLING, "greedy": greedy}, problems=str(problems), samples=SAMPLES,
        seed=1, out=tmp_path / "decoding.json",
    )  # fmt: skip
    t1 = ALL * (COMPLETION + VERDICT)
    assert to_come(request) == t1 + int(PROBLEMS * COMPLETION) + int(PROBLEMS * VERDICT)
    rows(tmp_path / "greedy" / "completions.jsonl", PROBLEMS)
    assert to_come(request) == t1 + int(PROBLEMS * VERDICT)
