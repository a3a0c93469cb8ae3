"""The benchmark of generation, in miniature on the seed model and without a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_SEED = _ROOT / "models" / "seed"

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    # Top-k 1 is greedy, so all draw the same. One thread: no waiting for another one's turn.
    options = {
        "--model": _SEED / "seed-q8_0.gguf",
        "--problems": _SEED / "problems" / "train.jsonl",
        "--prompts": 2,
        "--samples": 3,
        "--max-tokens": 60,
        "--slots": 2,
        "--threads": 1,
        "--top-k": 1,
        "--limit-steps": 0,
    }
    words = [str(word) for pair in options.items() for word in pair]
    command = [sys.executable, str(_ROOT / "benchmarks" / "generate_throughput.py"), *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=900)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_ratios_are_those_of_the_rates_beside_them(result: dict[str, Any]) -> None:
    ours, limit, loop = (result["runs"][name][0] for name in ("ours", "limit", "loop"))
    assert result["vs_loop"] == pytest.approx(ours["per_second"] / loop["per_second"], abs=1e-3)
    ratio = ours["decoded_per_second"] / limit["per_second"]
    assert result["vs_limit"] == pytest.approx(ratio, abs=1e-3)
    assert "vs_server" not in result
    assert "server" not in result["runs"]


def test_tokens_are_counted_alike(result: dict[str, Any]) -> None:
    ours, loop = result["runs"]["ours"][0], result["runs"]["loop"][0]
    assert ours["ended_by"]["end_token"] > 0  # or it would not show how these are counted
    assert ours["tokens"] == loop["tokens"]


def test_the_shares_of_our_time_make_the_whole(result: dict[str, Any]) -> None:
    share = result["runs"]["ours"][0]["share"]
    assert sum(share.values()) == pytest.approx(1, abs=1e-3)
    assert result["python_share"] == share["python"]
    assert min(share.values()) >= 0 and share["llama_decode"] > 0


def test_the_limit_replays_our_run(result: dict[str, Any]) -> None:
    ours, limit = result["runs"]["ours"][0], result["runs"]["limit"][0]
    # All but the passes at the end that are not full, of which the last sample may need 60.
    assert ours["tokens"] - 60 <= limit["tokens"] <= ours["tokens"]
    assert limit["prefill_tokens"] >= ours["prefill_tokens"] > 0
