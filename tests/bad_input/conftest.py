"""Drives the command line with input that a user got wrong, and looks at all that is left of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from localdistill import cli
from tests.quantization.tiny import Tiny

PROGRAM = Path(sys.executable).with_name("localdistill")


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every path below ``folder`` with its content; None for a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def world(tmp_path, monkeypatch) -> Path:
    """All that a command can write to: current folder, default run directories, temporary files."""
    folder = tmp_path / "world"
    (folder / "tmp").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("LOCALDISTILL_HOME", raising=False)
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def check(code, err: str, folder: Path, before: dict[str, bytes | None]) -> str:
    """Code 2, one line, nothing written, nothing gone; returns the line."""
    assert code == 2, err
    assert err.count("\n") == 1, err
    assert err.startswith("localdistill: ")
    assert err.endswith("\n")
    assert "Traceback" not in err
    after = snapshot(folder)
    assert sorted(after) == sorted(before)
    assert after == before
    return err


@pytest.fixture
def refused(world, capsys):
    """Give a command that must be refused; returns the line. In this process, as that is quick."""

    def give(*arguments) -> str:
        before = snapshot(world)
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        return check(ended.value.code, capsys.readouterr().err, world, before)

    return give


@pytest.fixture
def refused_process(world):
    """The same with the installed program in a process of its own; ``prepare`` runs in it first."""

    def give(*arguments, prepare=None) -> str:
        before = snapshot(world)
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=prepare,
        )
        return check(done.returncode, done.stderr, world, before)

    return give


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Tiny:
    """A whole small model; nothing may write to it."""
    return Tiny.write(tmp_path_factory.mktemp("model"), "qwen2")


@pytest.fixture(scope="session")
def adapter(tiny, tmp_path_factory) -> Path:
    """A LoRA of that model."""
    return tiny.write_adapter(tmp_path_factory.mktemp("adapter") / "lora", 0.05, ("q_proj",))


def problem(number: int, **other) -> dict:
    tests = {"kind": "call", "cases": [{"args": [1], "expected": number}]}
    row = {"id": f"p/{number}", "prompt": f"Write {number}.", "entry_point": "f", "tests": tests}
    return {**row, **other}


def write_rows(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def problems(world) -> Path:
    """Ten good problems."""
    return write_rows(world / "problems.jsonl", [problem(number) for number in range(10)])


@pytest.fixture
def completions(world) -> Path:
    """One completion of the first of them."""
    row = {"problem_id": "p/0", "sample": 0, "text": "```python\ndef f(x):\n    return 0\n```"}
    row |= {"finish_reason": "stop", "token_count": 9, "mean_logprob": -0.1, "seed": 1}
    return write_rows(world / "completions.jsonl", [row])


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems: needs root")


@pytest.fixture
def mounted(world):
    """Mounts a tmpfs with the given options on ``world/disk``; skips where that is not allowed."""
    disk = world / "disk"

    def mount(options: str) -> Path:
        disk.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        return disk

    yield mount
    while os.path.ismount(disk):
        subprocess.run(["umount", disk], check=True)
