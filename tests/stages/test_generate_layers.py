"""Deterministic generation on a GPU: as many layers there as when the file was begun."""

import json

import pytest

from localdistill.backends.base import GenerationStats
from localdistill.events import ignore
from localdistill.stages import generate
from localdistill.stages.generate import GenerateRequest, run
from localdistill.stages.generate_resume import record
from tests.stages import test_generate
from tests.stages.test_generate import FakeGenerator, Killed, Stage

any_file_is_a_model = test_generate.any_file_is_a_model


def call(stage, free, die_after=None, **changes):
    """One call on a machine whose GPU has room for ``free`` layers; what was asked for."""
    asked = []

    def opened(request, slots, threads):
        asked.append(request.gpu_layers)
        generator = FakeGenerator(slots, threads, die_after)
        layers = free if request.gpu_layers is None else request.gpu_layers
        generator.stats = GenerationStats(gpu_layers=layers)
        return generator

    values = {
        "model": stage.model, "problems": str(stage.problems), "samples": 3, "out": stage.out,
        "slots": 4, "threads": 1, "deterministic": True, **changes,
    }  # fmt: skip
    run(GenerateRequest.model_validate(values), ignore, open_generator=opened)
    return asked


def test_a_file_is_continued_with_the_layers_that_it_was_begun_with(tmp_path):
    stage = Stage(tmp_path)
    with pytest.raises(Killed):
        call(stage, free=28, die_after=5)
    assert json.loads(record(stage.out).read_bytes())["gpu_layers"] == 28
    assert call(stage, free=20) == [28]


def test_what_is_not_promised_to_be_the_same_follows_the_memory(tmp_path):
    stage = Stage(tmp_path)
    with pytest.raises(Killed):
        call(stage, free=28, die_after=5, deterministic=False)
    assert call(stage, free=20, deterministic=False) == [None]


def test_a_user_who_names_other_layers_is_told(tmp_path):
    stage = Stage(tmp_path)
    with pytest.raises(Killed):
        call(stage, free=28, die_after=5)
    with pytest.raises(generate.ConfigError, match="gpu_layers 28, now 3"):
        call(stage, free=28, gpu_layers=3)


def test_adaptive_sampling_needs_two_samples_to_share_out(tmp_path):
    stage = Stage(tmp_path)
    with pytest.raises(generate.ConfigError, match="--samples 2 or more"):
        call(stage, free=0, samples=1, adaptive=True, verdicts=tmp_path / "verdicts.jsonl")
