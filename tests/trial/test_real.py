"""``localdistill try`` on the seed model, with real llama.cpp and sandbox."""

import json
import subprocess
import sys

import pytest

from localdistill import metrics
from localdistill.jsonl import read_rows
from localdistill.models import models_dir
from localdistill.types import Problem, Verdict
from tests.report.making import Making, rows

pytestmark = pytest.mark.real


def test_a_problem_of_the_run_is_answered_by_both_and_tested(tmp_path):
    seed = models_dir() / "seed"
    making = Making(
        tmp_path / "run", model=str(seed),
        evaluate={"max_tokens": 160}, verify={"sandbox": "local"},
    )  # fmt: skip
    making.problems = read_rows(seed / "problems" / "eval.jsonl", Problem)[:1]
    rows(making.path / "problems" / "eval.jsonl", making.problems)
    (name,) = (each.id for each in making.problems)
    found = [Verdict(problem_id=name, sample=0, status="passed")]
    scores = [metrics.score(found, label, [name], [1]) for label in ("round-01", "base")]
    result = metrics.compare("eval", *scores)
    (making.path / "evaluation.json").write_text(result.model_dump_json())
    (making.round / "model.gguf").symlink_to(next(seed.glob("*.gguf")))
    done = subprocess.run(
        [
            sys.executable, "-c", "from localdistill.cli import main; main()",
            "try", making.path, "--problem", name, "--samples", "2", "--progress", "json",
        ],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answers = json.loads(done.stdout)["answers"]
    assert len(answers) == 2
    for old, new in answers:
        # The same file, asked the same with the same seed.
        assert old["text"] == new["text"]
        assert f"def {making.problems[0].entry_point}(" in old["text"]
        assert old["outcome"] == new["outcome"] is not None
        assert old["outcome"].split()[0] in ("passed", "failed", "runtime", "syntax")
