"""The sandboxes of a run: noted once each, and said."""

import json

from localdistill.manifest import record_sandbox
from localdistill.markers import mark_done
from localdistill.result_text import result_text
from localdistill.run_dir import RunDir
from localdistill.stages import verify
from localdistill.stages.verify import VerifySummary
from localdistill.types import (
    SandboxUse,
)
from tests.pipeline.helpers import run


def stand_in(monkeypatch, **use):
    monkeypatch.setattr(verify, "try_sandbox", lambda kind: SandboxUse(**use))


def test_the_manifest_names_each_sandbox_of_a_run_once(requests, config, tmp_path, monkeypatch):
    first = {"tier": "3 (a)", "not_covered": ["The kernel."], "passed_over": ["docker: gone"]}
    for use in (first, first, {"tier": "2 (b)"}):  # continued under another one: not refused
        stand_in(monkeypatch, **use)
        result = run(config, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert [use["tier"] for use in manifest["sandboxes"]] == ["3 (a)", "2 (b)"]
    assert manifest["sandboxes"][0] == {**first, "unsafe": False}
    assert "hashes" in manifest
    text = result_text(result)
    for said in ("tier 3 (a)", "The kernel.", "docker: gone", "tier 2 (b)"):
        assert said in text
    assert "NO SANDBOX" not in text


def test_a_stage_that_found_another_sandbox_is_in_the_manifest(
    requests, config, tmp_path, monkeypatch
):
    stand_in(monkeypatch, tier="2 (b)")
    path = tmp_path / "run" / "rounds" / "01" / "verdicts.jsonl"
    path.parent.mkdir(parents=True)
    path.touch()
    monkeypatch.setattr(RunDir, "check", lambda self, config: None)
    summary = VerifySummary(completions=0, passed=0, counts={}, tier="3 (a)", not_covered=["X"])
    mark_done(path, **summary.model_dump(mode="json"))
    run(config, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert [use["tier"] for use in manifest["sandboxes"]] == ["2 (b)", "3 (a)"]


def test_a_run_without_a_sandbox_says_so_loudly(requests, config, tmp_path, monkeypatch):
    stand_in(monkeypatch, tier="4 (UNSAFE)", unsafe=True)
    result = run(config, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["sandboxes"][0]["unsafe"]
    assert result_text(result).startswith("WARNING: THERE WAS NO SANDBOX")


def test_the_same_sandbox_is_in_the_manifest_once_whatever_an_engine_says(tmp_path):
    directory = RunDir(tmp_path)
    directory.manifest.write_text("{}")
    for said in ("docker: old", "docker: old; write /dev/stdout: broken pipe"):
        record_sandbox(
            directory, SandboxUse(tier="3 (a)", not_covered=["The kernel."], passed_over=[said])
        )
    (use,) = json.loads(directory.manifest.read_text())["sandboxes"]
    assert use["passed_over"] == ["docker: old"]
