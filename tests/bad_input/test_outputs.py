"""An output that is there already and is not ours is never replaced; nor is an input."""

from __future__ import annotations

from pathlib import Path

import pytest

from localdistill.markers import is_done
from localdistill.stages import export
from tests.bad_input.conftest import write_rows


@pytest.fixture
def commands(tiny, adapter, problems, completions, world):
    sets = ("--problems", problems)
    message = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    row = {"messages": message, "problem_id": "p/0", "sample": 0, "strategy": "none"}
    data = write_rows(world / "data.jsonl", [row])
    return {
        "generate": ("--model", tiny.gguf, *sets),
        "verify": ("--completions", completions, *sets),
        "select": ("--completions", completions, "--strategy", "none", *sets),
        "train": ("--model", tiny.master, "--data", data),
        "export": ("--model", tiny.gguf, "--adapter", adapter),
        "evaluate": ("--model", tiny.gguf, *sets),
    }


@pytest.mark.parametrize("command", ["generate", "verify", "select", "train", "export", "evaluate"])
def test_a_file_of_somebody_elses_stays(refused, commands, world, command):
    (world / "thesis").write_text("years of work, without a line break at the end")
    line = refused(command, *commands[command], "--out", "thesis")
    assert "--out" in line


@pytest.mark.parametrize("command", ["verify", "export", "train"])
def test_a_folder_of_somebody_elses_stays(refused, commands, world, command):
    (world / "photos").mkdir()
    (world / "photos" / "one.jpg").write_text("")
    assert "photos" in refused(command, *commands[command], "--out", "photos")


def test_a_link_is_not_followed_to_what_it_names(refused, commands, world):
    (world / "thesis").write_text("years of work")
    (world / "link.gguf").symlink_to("thesis")
    refused("export", *commands["export"], "--out", "link.gguf")
    assert (world / "link.gguf").readlink() == Path("thesis")


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("verify", "completions.jsonl"),
        ("select", "completions.jsonl"),
        ("select", "problems.jsonl"),
    ],
)
def test_an_input_is_no_output(refused, commands, command, out):
    assert "name another file with --out" in refused(command, *commands[command], "--out", out)


def test_an_export_of_ours_is_replaced_by_the_next(tiny, adapter, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "check_loads", lambda path, step: None)

    def run(scale):
        folder = tmp_path / f"lora-{scale}"
        made = tiny.write_adapter(folder, scale, ("q_proj",))
        request = export.ExportRequest(
            template=tiny.gguf, master=tiny.master, adapter=made,
            merged=tmp_path / "merged", out=tmp_path / "m.gguf",
        )  # fmt: skip
        export.run(request, lambda event: None)
        assert is_done(request.out)
        return request.out.read_bytes()

    assert run(0.05) != run(0.5)


def test_findings_that_are_somebody_elses_stay(refused, commands, world):
    (world / "new.parity.json").write_text('{"parity": "of something else"}')
    line = refused("export", *commands["export"], "--out", "new.gguf")
    assert "new.parity.json" in line
    assert "--out" in line
