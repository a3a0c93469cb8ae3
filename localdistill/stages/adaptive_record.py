"""What was sampled of each problem, and why it stopped (``OUT.stopped.json``).

The record is there from the first sample on: whoever computes pass@k has to know that these samples
were stopped by their own results, which makes shares of passes too high or too low.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from localdistill.durable import write_atomically
from localdistill.jsonl import stopped_record
from localdistill.stages.adaptive_rule import Rule
from localdistill.stages.adaptive_state import Sampled


def begin(out: Path, rule: Rule) -> None:
    """Say that ``out`` is drawn adaptively, and by which rule."""
    if not stopped_record(out).exists():
        _write(out, {"finished": False, "rule": asdict(rule), "problems": {}})


def finish(out: Path, sampled: Sampled) -> dict[str, int]:
    """Write down how every problem ended; returns how many ended for which reason."""
    problems: dict[str, dict[str, Any]] = {}
    for name in sampled.problems:
        problems[name] = {"why": sampled.reasons[name], "samples": 0}
        if (tally := sampled.tallies.get(name)) is not None:
            problems[name] |= {"samples": tally.drawn, "passed": tally.passed, "kept": tally.kept}
    _write(out, {"finished": True, "rule": asdict(sampled.rule), "problems": problems})
    return dict(Counter(sampled.reasons.values()).most_common())


def _write(out: Path, facts: dict[str, Any]) -> None:
    write_atomically(stopped_record(out), json.dumps(facts, indent=1) + "\n")
