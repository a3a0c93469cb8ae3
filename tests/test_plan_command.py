"""`localdistill plan`, on the bundled model and on a machine that is too small."""

import re

import pytest

from localdistill import folders, gpus, memory
from localdistill.cli import main
from localdistill.gpus import Gpu
from localdistill.stages import this_machine
from tests.backends.reference import SEED_MODEL
from tests.quantization.tiny import Tiny, write_gguf

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
    monkeypatch.setattr(memory, "available_bytes", lambda: 102_300_000)
    code, shown, told = plan(capsys, "--slots", 250)
    assert (code, shown) == (2, "")
    assert "250 samples at once" in told and "Lower generate.slots (--slots) to " in told


def test_what_a_run_takes_on_the_disk_stands_against_what_is_free(capsys, monkeypatch, tmp_path):
    dev = SEED_MODEL.parent / "problems" / "dev.jsonl"
    few = ("--problems", dev, "--run-dir", tmp_path / "night", "--rounds", 9)
    _, pruned, _ = plan(capsys, *few)
    _, everything, _ = plan(capsys, *few, "--keep", "all")
    assert "weights in 16 bits of 3 rounds" in pruned and "of 9 rounds" in everything
    assert "completions and verdicts" in pruned
    assert f"are free at {tmp_path / 'night'}." in pruned
    monkeypatch.setattr(folders, "free_bytes", lambda path: 1_000_000)
    _, shown, _ = plan(capsys, *few)
    assert "more than the 1 MB that are free" in shown and "give another --run-dir" in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--slots", 300), "--slots 300"),
        (("--rounds", 0), "--rounds 0"),
        (("--max-tokens", 0), "--max-tokens 0"),
        (("--rank", 0), "--rank 0"),
        (("--max-length", 7), "--max-length 7"),
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


def test_a_model_that_can_only_be_sampled_is_planned_for_that(capsys, tmp_path):
    model = Tiny.write(tmp_path / "tiny", "qwen3")
    path = tmp_path / "other.gguf"
    write_gguf(path, "qwen3", model.weights(), pre="llama-bpe")
    code, shown, _ = plan(capsys, "--model", path)
    assert code == 0
    assert "samples at once" in shown
    assert "Training: cannot be done. " in shown and "'llama-bpe'" in shown


SIZES = (6, 8, 12, 16, 24)


def table(shown):
    """Rows of the table of training: machine -> its cells."""
    lines = (line for line in shown.splitlines() if re.match(r"  (GPU|CPU|here), ", line))
    cells = (re.split(r"  +", line.strip()) for line in lines)
    return {name: row for name, *row in cells}


def test_training_is_planned_for_common_machines_and_for_this_one(capsys):
    _, shown, _ = plan(capsys, "--max-length", 512)
    rows = table(shown)
    assert [name for name in rows if "GB" in name and not name.startswith("here")] == [
        f"{kind}, {size} GB" for kind in ("GPU", "CPU") for size in SIZES
    ]
    assert sum(name.startswith("here, ") for name in rows) == 1
    assert rows["CPU, 24 GB"][:2] == ["yes", "kept"]
    assert "rank 16, examples of up to 512 tokens" in shown
    own = shown[shown.index("Training seed") :].splitlines()
    assert [line for line in own if len(line) > 80] == []


def test_a_larger_rank_takes_more_and_a_longer_example_too(capsys):
    def peak(*arguments):
        _, shown, _ = plan(capsys, *arguments)
        found = re.findall(r"in all +([\d.]+) ([GM])B", shown)[-1]  # generation's is the first
        return float(found[0]) * (1000 if found[1] == "G" else 1)

    small = peak("--max-length", 1024, "--batch-size", 1)
    assert peak("--max-length", 1024, "--batch-size", 1, "--rank", 256) > small
    assert peak("--max-length", 2048, "--batch-size", 1) > small


def test_a_model_of_the_catalogue_need_not_be_on_this_disk(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    code, shown, _ = plan(capsys, "--model", "qwen2.5-coder-7b-instruct")
    assert code == 0
    assert "It is not on this disk" in shown
    rows = table(shown)
    assert rows["GPU, 6 GB"][0] == "no" and rows["GPU, 24 GB"][0] == "yes"
    code, _, told = plan(capsys, "--model", "qwen3-coder-30b-a3b-instruct")
    assert code == 2 and "architecture" in told


def test_a_folder_without_a_gguf_file_is_planned_for_training(capsys, tmp_path):
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).symlink_to(SEED_MODEL.parent / name)
    code, shown, _ = plan(capsys, "--model", tmp_path)
    assert code == 0
    assert "no GGUF file yet" in shown and "Training" in shown


def test_what_does_not_fit_here_is_said_with_what_would(capsys, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 800_000_000)
    code, shown, _ = plan(capsys)
    assert code == 0
    assert "Here: " in shown and "Lower train.max_length to " in shown
    assert next(row for name, row in table(shown).items() if "here" in name)[0] == "no"


def test_how_large_a_gain_the_comparison_finds_is_told_before_the_night(capsys):
    problems = SEED_MODEL.parent / "problems" / "eval.jsonl"
    _, without, _ = plan(capsys)
    assert "The comparison" not in without
    found = []
    for samples in (2, 8):
        code, shown, _ = plan(capsys, "--eval-problems", problems, "--eval-samples", samples)
        assert code == 0
        assert f"on 200 problems with {samples} samples each finds a gain of" in shown
        found.append(float(re.search(r"a gain of ([0-9.]+) points", shown)[1]))
    assert found[0] > found[1] > 0
    code, shown, told = plan(capsys, "--eval-problems", problems, "--eval-samples", 0)
    assert (code, shown) == (2, "")
    assert "--eval-samples 0: give 1 or more" in told
