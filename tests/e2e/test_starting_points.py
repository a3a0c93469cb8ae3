"""The whole loop from other beginnings: nothing learned, and a GGUF file alone."""

import shutil

import pytest

from .conftest import SMALL, localdistill

pytestmark = pytest.mark.real


def test_learning_rate_zero_gives_the_starting_file_back(tmp_path, seed_dir):
    done = localdistill(
        *SMALL, "--limit", 8, "--run-dir", tmp_path / "run", "--set", "train.learning_rate=0"
    )
    assert done.code == 0, done.err
    made = tmp_path / "run" / "rounds" / "01" / "model.gguf"
    assert made.read_bytes() == next(seed_dir.glob("*.gguf")).read_bytes()
    assert "no evidence" in done.out


def test_two_rounds_from_a_gguf_alone(tmp_path, seed_dir):
    alone = tmp_path / "alone.gguf"
    shutil.copy(next(seed_dir.glob("*.gguf")), alone)
    problems = seed_dir / "problems"
    done = localdistill(
        *SMALL, "--limit", 8, "--rounds", 2, "--model", alone,
        "--problems", problems / "train.jsonl", "--eval-problems", problems / "eval.jsonl",
        "--run-dir", tmp_path / "run",
        "--set", "generate.max_tokens=160", "--set", "evaluate.max_tokens=160",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert (tmp_path / "run" / "rounds" / "02" / "model.gguf").exists()
    assert "Round 2 of 2" in done.out
