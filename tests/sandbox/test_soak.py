"""What many candidates leave, and what a killed stage does: the benchmarks, at a smaller size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
_KIND = os.environ.get("LOCALDISTILL_TEST_SANDBOX", "auto")

pytestmark = pytest.mark.real


def _run(script: str, *options: str) -> dict[str, Any]:
    command = [sys.executable, str(_BENCHMARKS / script), "--sandbox", _KIND, *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=900)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_nothing_is_left_after_many_candidates() -> None:
    result = _run("sandbox_soak.py", "--candidates", "1000")
    assert result["wrong"] == []
    assert result["left"] == {"processes": [], "files": [], "mounts": []}
    assert result["grew_mb"] < 20


def test_no_verdict_is_lost_or_doubled_by_kills() -> None:
    result = _run("verify_killed.py", "--completions", "2000", "--kills", "6")
    assert result["kills"] >= 1
    assert (result["lost"], result["double"], result["wrong"]) == (0, 0, 0)
