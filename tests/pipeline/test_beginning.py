"""What a run makes of what it finds out when it begins."""

import json

from localdistill import pipeline
from localdistill.jsonl import read_rows
from localdistill.run_dir import RunDir
from localdistill.types import Problem
from tests.pipeline.helpers import run


def test_problems_that_the_model_cannot_be_asked_are_left_out_of_the_runs_copy(
    requests, config, tmp_path, monkeypatch
):
    row = json.loads((tmp_path / "train.jsonl").read_text())
    rows = [row, {**row, "id": "long", "prompt": "another thing"}]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    usual, asked = pipeline.session.run_stage, []

    def stage(name, request, *more, **how):
        found = usual(name, request, *more, **how)
        if name == "prepare":
            asked.append([path.stem for path in request.problem_sets])
            found["too_long"] = {"train": ["long"]} if request.problem_sets else {}
        return found

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    for _ in range(2):
        run(config, tmp_path)
    copy = RunDir(tmp_path / "run").problems("train")
    assert [problem.id for problem in read_rows(copy, Problem)] == [row["id"]]
    assert asked == [["train", "dev", "eval"], []]
