"""Asking both models: what their stages are asked, and what is shown of the answers."""

import io
import json
from pathlib import Path

import pytest

from localdistill import trial
from localdistill.cli import main
from localdistill.display.answers import RichScreen, Shown, open_screen
from localdistill.types import Completion, Verdict
from tests.report.making import Making, rows


@pytest.fixture
def run(tmp_path):
    base = tmp_path / "base.gguf"
    base.write_bytes(b"old")
    making = Making(tmp_path / "run", model=str(base), evaluate={"temperature": 0.8})
    making.sets()
    making.evaluated(candidate_decoding={"temperature": 0.3})
    (making.round / "model.gguf").write_bytes(b"new")
    return making


@pytest.fixture
def requests(monkeypatch):
    """Every stage's request; the old model's answers fail their tests."""
    seen = []

    def fake_stage(name, request, callback, log):
        seen.append((name, request))
        old = name == "generate" and request.model.name == "base.gguf"
        if name == "generate":
            rows(
                request.out,
                [
                    Completion(
                        problem_id=json.loads(Path(request.problems).read_text())["id"],
                        sample=sample, text=f"{'old' if old else 'new'} {sample}\x1b[2J",
                        finish_reason="length" if old else "stop", token_count=7,
                        mean_logprob=None, seed=0,
                    )
                    for sample in reversed(range(request.samples))
                ],
            )  # fmt: skip
            return {}
        done = [json.loads(line) for line in request.completions.read_text().splitlines()]
        found = [
            Verdict(
                problem_id=row["problem_id"], sample=row["sample"],
                status="failed" if "old" in row["text"] else "passed", detail="case 1",
            )
            for row in done
        ]  # fmt: skip
        rows(request.out, found)
        return {}

    monkeypatch.setattr(trial, "run_stage", fake_stage)
    return seen


def tried(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["try", *map(str, arguments)])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_a_prompt_is_sent_as_it_is_and_nothing_is_tested(run, requests, capsys):
    code, out, _ = tried(capsys, run.path, "Reverse a list.")
    assert code == 0
    assert [name for name, _ in requests] == ["generate", "generate"]
    assert [request.sampling.temperature for _, request in requests] == [0.8, 0.3]
    assert out.splitlines()[:3] == [
        "== your model (temperature 0.8)", "old 0�[2J", "-- 7 tokens, cut at its length",
    ]  # fmt: skip
    assert out.splitlines()[3:] == [
        "== new model (round 1) (temperature 0.3)", "new 0�[2J", "-- 7 tokens",
    ]  # fmt: skip


def test_a_problem_of_the_run_is_tested_in_the_sandbox(run, requests, capsys):
    code, out, _ = tried(capsys, run.path, "--problem", "p3", "--samples", 2, "--sandbox", "local")
    assert code == 0
    assert [name for name, _ in requests] == ["generate", "verify", "generate", "verify"]
    assert requests[1][1].sandbox == "local"
    assert not requests[1][1].confirm
    assert out.count("-- failed (case 1); 7 tokens, cut at its length") == 2
    assert out.count("-- passed (case 1); 7 tokens") == 2
    assert "answer 2 of 2" in out


def test_tests_of_ones_own(run, requests, capsys, tmp_path):
    tests = tmp_path / "t.py"
    tests.write_text("assert f(1) == 2\n")
    code, out, _ = tried(capsys, run.path, "Double x.", "--tests", tests, "--progress", "json")
    assert code == 0
    shown = json.loads(out)
    assert shown["prompt"] == "Double x."
    assert [[each["passed"] for each in pair] for pair in shown["answers"]] == [[False, True]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Nothing to ask"),
        (["  "], "The prompt is empty"),
        (["ask", "--samples", 0], "give 1 or more"),
        (["ask", "--problem", "p3"], "brings its own prompt"),
        (["--problem", "p99"], "no such problem"),
    ],
)
def test_what_cannot_be_asked_is_one_line(run, requests, capsys, arguments, said):
    code, out, err = tried(capsys, run.path, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert requests == []


def pair():
    old = Shown("your model", "greedy", "def f():\n    [red]x\x1b[31m", "7 tokens", "failed")
    return old, Shown("new model", "greedy", "def f(): pass", "8 tokens", "passed", passed=True)


def shown_at(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    stream = io.StringIO()
    RichScreen(stream).show("p", [pair()])
    return stream.getvalue().splitlines()


def test_answers_stand_side_by_side_where_there_is_room(monkeypatch):
    wide = shown_at(120, monkeypatch)
    assert any("your model" in line and "new model" in line for line in wide)
    assert any("[red]x�[31m" in line for line in wide)
    assert max(map(len, wide)) <= 120


def test_and_one_below_the_other_where_there_is_not(monkeypatch):
    narrow = shown_at(60, monkeypatch)
    first, second = (
        next(at for at, line in enumerate(narrow) if name in line)
        for name in ("your model", "new model")
    )
    assert first < second
    assert max(map(len, narrow)) <= 60


def test_panels_are_for_terminals():
    assert not isinstance(open_screen(None, io.StringIO()), RichScreen)
    assert isinstance(open_screen("live", io.StringIO()), RichScreen)
