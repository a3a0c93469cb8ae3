"""A finished run of two rounds on a tiny model, made by the real export stage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from localdistill import cli
from localdistill import config as configuration
from localdistill.markers import mark_done
from localdistill.run_dir import RunDir
from localdistill.stages import export
from localdistill.stages.parity.checks import Check, Parity
from localdistill.types import (
    Completion,
    EvalResult,
    Message,
    ModelScore,
    PassAtK,
    TrainingExample,
    Verdict,
)
from tests.quantization.tiny import Tiny, quantised

SAMPLING = {"temperature": 0.7, "top_k": 20, "top_p": 0.8}


def score(model: str, value: float) -> ModelScore:
    at = PassAtK(k=1, value=value, low=value - 0.1, high=value + 0.1)
    return ModelScore(model=model, problems=2, samples=4, pass_at=[at], counts={"e": (1, 2)})


def evaluation(candidate: str, verdict: str = "better", split: str = "eval") -> EvalResult:
    return EvalResult(
        problem_set=split, candidate=score(candidate, 0.5), baseline=score("base", 0.25),
        gain=0.25, gain_low=0.1, gain_high=0.4, verdict=verdict,
    )  # fmt: skip


def _rows(path: Path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows))


def _round(run: RunDir, number: int, model: Tiny, scale: float) -> Tiny:
    paths = run.round(number)
    completions = [
        Completion(
            problem_id="p", sample=n, text="x", finish_reason="stop", token_count=1,
            mean_logprob=-1.0, seed=n,
        )
        for n in range(3)
    ]  # fmt: skip
    _rows(paths.completions, completions)
    statuses = ("passed", "failed", "passed")
    _rows(
        paths.verdicts,
        [Verdict(problem_id="p", sample=n, status=s) for n, s in enumerate(statuses)],
    )
    messages = [Message(role="user", content="a"), Message(role="assistant", content="b")]
    example = TrainingExample(messages=messages, problem_id="p", sample=0, strategy="tests")
    _rows(paths.selected, [example])
    model.write_adapter(paths.adapter, scale, ("q_proj", "up_proj"))
    mark_done(paths.adapter)
    held_out = {"examples": 1, "positions": 9, "before": 0.5, "after": 0.4}
    (paths.adapter / "training.json").write_text(json.dumps({"held_out": held_out}))
    request = export.ExportRequest(
        template=model.gguf, master=model.master, adapter=paths.adapter,
        merged=paths.merged, out=paths.model, gate=False,  # random weights answer nothing
    )  # fmt: skip
    export.run(request, lambda event: None)
    checks = [
        Check(name="end token", passed=True),
        Check(name="quantised", passed=True, figures={"KL to F16": 0.00123}),
    ]
    found = Parity(file="model.gguf", passed=True, checks=checks)
    paths.parity.write_text(found.model_dump_json())
    return Tiny(paths.merged, paths.model, model.architecture)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The run; nothing may write to it."""
    folder = tmp_path_factory.mktemp("published")
    model = quantised(Tiny.write(folder / "tiny", "qwen3"), "Q8_0")
    path = folder / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "check_loads", lambda path, step: None)
        run = RunDir(path)
        after = _round(run, 1, model, 0.05)
        _round(run, 2, after, 0.05)
    values = {
        "model": str(model.gguf), "problems": f"mbpp:{folder}/secret/mbpp.jsonl#train",
        "eval_problems": f"{folder}/he.jsonl.gz", "rounds": 2, "seed": 7,
        "evaluate": {**SAMPLING, "max_tokens": 99},
    }  # fmt: skip
    run.config.write_text(configuration.build(values).to_toml())
    manifest = {"hashes": {"starting model": "ab" * 32}, "versions": {"torch": "2.13.0"}}
    run.manifest.write_text(json.dumps(manifest))
    for split in ("train", "eval"):
        run.problems(split).parent.mkdir(exist_ok=True)
        run.problems(split).write_text('{"id": "p"}\n' * 3)
    run.evaluation.write_text(evaluation("round-02").model_dump_json())
    on_dev = evaluation("round-01", "no evidence", "dev")
    run.round(1).evaluation.write_text(on_dev.model_dump_json())
    return path


@pytest.fixture
def run_dir(finished, tmp_path) -> Path:
    """A run of its own for a test that changes it."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def give(capsys):
    """Run the command line in this process: exit code, what it said, and its error."""

    def one(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["export", *map(str, arguments)])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return one
