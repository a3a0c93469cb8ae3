"""`localdistill plan`, on the bundled model and on a machine that is too small."""

import pytest

from localdistill import gpus, memory
from localdistill.cli import main
from localdistill.gpus import Gpu
from localdistill.stages import this_machine
from tests.backends.reference import SEED_MODEL

GB = 10**9


def plan(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["plan", *map(str, arguments)])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_it_shows_the_parts_of_the_memory_and_what_was_chosen(capsys):
    code, shown, _ = plan(capsys, "--max-tokens", 100)
    assert code == 0
    for word in ("weights", "cache", "compute", "logits", "in all", "16 samples at once"):
        assert word in shown
    assert "free; swap is not counted" in shown


def test_prompts_are_those_of_the_problems(capsys):
    dev = SEED_MODEL.parent / "problems" / "dev.jsonl"
    _, without, _ = plan(capsys, "--model", SEED_MODEL)
    _, with_them, _ = plan(capsys, "--model", SEED_MODEL, "--problems", dev)
    assert "prompts of up to 512" in without
    assert "prompts of up to 512" not in with_them


def test_the_slots_that_were_asked_for_are_kept_or_refused(capsys, monkeypatch):
    _, shown, _ = plan(capsys, "--slots", 3)
    assert "3 samples at once" in shown
    monkeypatch.setattr(memory, "available_bytes", lambda: 99_000_000)
    code, shown, told = plan(capsys, "--slots", 250)
    assert (code, shown) == (2, "")
    assert "250 samples at once" in told and "Lower --slots to " in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--slots", 300), "--slots 300"),
        (("--max-tokens", 0), "--max-tokens 0"),
        (("--model", "nowhere.gguf"), "no such file"),
        (("--model", "pyproject.toml"), "not a GGUF file"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, told):
    code, shown, said = plan(capsys, *arguments)
    assert (code, shown) == (2, "")
    assert told in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("offload", "line"), [(True, "Layers on the GPU: all"), (False, "built without CUDA")]
)
def test_a_gpu_is_named_and_used_if_llama_cpp_can(capsys, monkeypatch, offload, line):
    monkeypatch.setattr(gpus, "gpus", lambda: [Gpu("Card", 8 * GB, 7 * GB)])
    monkeypatch.setattr(this_machine, "offloads", lambda: offload)
    _, shown, _ = plan(capsys)
    assert "Card, 7.0 GB of 8.0 GB free" in shown and line in shown
