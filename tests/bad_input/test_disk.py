"""A disk that is full, that gets full, or that cannot be written."""

from __future__ import annotations

import errno
import os
import resource
import subprocess

import pytest

from localdistill import cli
from localdistill.jsonl import JsonlWriter, read_rows
from localdistill.types import Completion, Verdict
from tests.bad_input.conftest import needs_root


def fill(disk):
    """Leave no byte free."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC


@pytest.fixture
def run(tiny, problems):
    return ("run", "--model", tiny.gguf, "--problems", problems)


@needs_root
def test_run_refuses_a_disk_on_which_its_weights_will_not_fit(refused, mounted, run):
    disk = mounted("size=1m")
    line = refused(*run, "--run-dir", disk / "night")
    assert "Free some space" in line


@needs_root
def test_run_on_a_full_disk(refused, mounted, run, monkeypatch):
    disk = mounted("size=1m")
    fill(disk)
    # Another program may have filled it since it was looked at.
    monkeypatch.setattr("localdistill.preflight.check_room", lambda *_: None)
    line = refused(*run, "--run-dir", disk / "night")
    assert "disk is full" in line
    assert str(disk) in line


@needs_root
@pytest.mark.parametrize("command", ["generate", "verify", "select", "evaluate", "train", "export"])
def test_stage_commands_on_a_full_disk(
    refused, mounted, tiny, adapter, problems, completions, examples, command
):
    disk = mounted("size=64k")
    fill(disk)
    given = {
        "generate": ("--model", tiny.gguf, "--problems", problems),
        "verify": ("--completions", completions, "--problems", problems),
        "select": ("--completions", completions, "--problems", problems, "--strategy", "none"),
        "evaluate": ("--model", tiny.gguf, "--problems", problems),
        "train": ("--model", tiny.master, "--data", examples),
        "export": ("--model", tiny.gguf, "--adapter", adapter),
    }[command]
    line = refused(command, *given, "--out", disk / "below" / "out")
    assert "disk is full" in line
    assert "Free some space" in line
    assert str(disk) in line


@pytest.fixture
def examples(world):
    path = world / "selected.jsonl"
    path.write_text(
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], '
        '"problem_id": "p/0", "sample": 0, "strategy": "none"}\n'
    )
    return path


@needs_root
def test_an_export_that_fills_the_disk_leaves_room_as_it_was(refused, mounted, tiny, adapter):
    size = tiny.gguf.stat().st_size
    disk = mounted(f"size={2 * size}")
    line = refused("export", "--model", tiny.gguf, "--adapter", adapter, "--out", disk / "m.gguf")
    assert "disk is full" in line


@needs_root
def test_samples_stay_when_the_disk_gets_full_and_the_command_goes_on(
    mounted, tiny, problems, capsys
):
    disk = mounted("size=80k")
    out = disk / "c.jsonl"
    command = (
        "generate", "--model", tiny.gguf, "--problems", problems, "--samples", 32,
        "--max-tokens", 4, "--out", out,
    )  # fmt: skip

    def call():
        with pytest.raises(SystemExit) as ended:
            cli.main([str(word) for word in command])
        return ended.value.code, capsys.readouterr().err

    filler = disk / "filler"
    filler.write_bytes(bytes(40_960))
    code, err = call()
    assert code == 2
    assert err.count("\n") == 1
    assert "it goes on from here" in err
    kept = read_rows(out, Completion)
    assert 0 < len(kept) < 320
    assert out.read_bytes().endswith(b"\n")  # no half row
    filler.unlink()
    os.truncate(disk / "c.jsonl.log", 0)
    code, err = call()
    if "disk is full" in err:
        pytest.fail(f"320 rows of {out.stat().st_size / len(kept):.0f} bytes need a larger disk")
    assert code == 0
    rows = read_rows(out, Completion)
    assert rows[: len(kept)] == kept
    assert len({row.key for row in rows}) == len(rows) == 320


@needs_root
@pytest.mark.parametrize("command", ["run", "generate"])
def test_a_disk_that_is_read_only(refused, mounted, run, command):
    disk = mounted("ro")
    if command == "run":
        assert "choose another --run-dir" in refused(*run, "--run-dir", disk / "night")
    else:
        line = refused("generate", *run[1:], "--out", disk / "c.jsonl")
        assert "Read-only file system" in line
        assert "check the path" in line


@needs_root
def test_a_run_directory_on_a_disk_that_became_read_only(refused, mounted, run):
    disk = mounted("size=64m")
    (disk / "night").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert "choose another --run-dir" in refused(*run, "--run-dir", disk / "night")


def test_a_file_where_a_folder_should_be(refused, run, world):
    (world / "file").write_text("")
    line = refused("generate", *run[1:], "--out", "file/below/c.jsonl")
    assert "check the path" in line


def test_a_limit_on_the_size_of_files_is_told_like_a_full_disk(refused_process, run):
    line = refused_process(
        *run, "--run-dir", "night",
        "--set", "verify.sandbox=local",  # the command of an engine leaves files of its own
        prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500)),
    )  # fmt: skip
    assert "disk is full" in line
    assert "File too large" in line


def test_a_row_that_does_not_fit_leaves_no_part_of_itself(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = Verdict(problem_id="p", sample=0, status="passed")
    length = len(row.model_dump_json()) + 1
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with JsonlWriter(path) as writer:
        writer.write(row)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (length + 10, hard))
            with pytest.raises(OSError, match="File too large"):
                writer.write(row)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.write(row)
    assert len(read_rows(path, Verdict)) == 2
