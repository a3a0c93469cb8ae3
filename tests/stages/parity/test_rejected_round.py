"""A round of a run whose export is really rejected, by the stage's own process."""

from __future__ import annotations

import json

import pytest

from localdistill import config as configuration
from localdistill import pipeline
from localdistill.markers import mark_done, write_whole
from localdistill.result_text import result_text
from localdistill.stages.process import run_stage
from localdistill.types import Diversity
from tests.stages.parity.seed_adapters import SEED, outlier_adapter

pytestmark = pytest.mark.real
DIVERSITY = Diversity(problems=4, distinct=1.0, pass_at_1=0.5, pass_at_k=0.5, k=8)


@pytest.fixture
def stages(monkeypatch):
    """Stages that are done at once, but for prepare and export, which are the real ones."""
    done = []

    def stage(name, request, callback, log, inherit=(), started=None):
        done.append(name)
        if name in ("prepare", "export"):
            return run_stage(name, request, callback, log, inherit)
        if name == "train":
            outlier_adapter(request.out)
        elif name == "diversity":
            write_whole(request.out, DIVERSITY.model_dump_json())
            return DIVERSITY.model_dump()
        elif hasattr(request, "out"):
            request.out.parent.mkdir(parents=True, exist_ok=True)
            request.out.touch()
            mark_done(request.out)
        return {}

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    return done


def test_a_rejected_export_leaves_no_file_and_says_why(stages, tmp_path):
    problems = SEED / "problems"
    names = {"problems": "train", "dev_problems": "dev", "eval_problems": "eval"}
    config = configuration.build(
        {
            "model": str(SEED),
            **{name: str(problems / f"{split}.jsonl") for name, split in names.items()},
            "limit": 4,
            "export": {"quant": "Q4_0"},
            "verify": {"sandbox": "unsafe"},  # nothing is run here
        }
    )
    result = pipeline.run(config, tmp_path / "run", lambda event: None)
    folder = tmp_path / "run" / "rounds" / "01"
    assert {path.name for path in folder.iterdir()} >= {"adapter", "parity.json", "rejected.json"}
    assert not {"model.gguf", "merged"} & {path.name for path in folder.iterdir()}
    noted = json.loads((folder / "rejected.json").read_text())
    assert noted["check"]["name"] == "quantisation"
    assert (
        noted["check"]["figures"]["KL to F16"]
        > noted["check"]["figures"]["starting file: KL to its weights"]
    )
    assert "evaluate" not in stages
    assert "Verdict: no new model" in result_text(result)
    stages.clear()
    again = pipeline.run(config, tmp_path / "run", lambda event: None)
    assert stages == ["prepare"]
    assert again.rejections == result.rejections
