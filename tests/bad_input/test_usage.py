"""Options and settings that do not exist, or do not take what they were given."""

from __future__ import annotations

import pytest

FILES = ("--problems", "problems.jsonl", "--out", "new/out")
SAMPLE = ("generate", "--model", "m.gguf", *FILES)
SCORE = ("evaluate", "--model", "m.gguf", *FILES)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("run", "--modle", "m"), "Did you mean --model?"),
        (("run", "--rund-ir=x"), "Did you mean --run-dir?"),
        ((*SAMPLE, "--temprature", "1"), "Did you mean --temperature?"),
        ((*SCORE, "--base-line", "m"), "Did you mean --baseline?"),
        (("select", "--completions", "c", *FILES, "--stragety", "none"), "--strategy?"),
        (("train", "--model", "m", "--data", "d", "--out", "o", "--rnak", "8"), "--rank?"),
        (("export", "--model", "m", "--adapter", "a", "--out", "o", "--qant", "F16"), "--quant?"),
        (("generte",), "Did you mean generate?"),
        (("--verson",), "--version"),
    ],
)
def test_the_nearest_valid_one_is_named(refused, arguments, hint):
    assert hint in refused(*arguments)


def test_only_options_of_that_command_are_offered(refused):
    line = refused("verify", "--completions", "c", *FILES, "--sampels", "3")
    assert "--sampels" in line
    assert "--samples" not in line


@pytest.mark.parametrize(
    ("assignment", "hint"),
    [
        ("train.rnak=3", "Did you mean train.rank?"),
        ("trian.rank=3", "Did you mean train.rank?"),
        ("rank=3", "Did you mean train.rank?"),
        ("train.rank.x=3", "rank is a value"),
        ("train=3", "train is a section; set one of train.trainer, train.rank"),
        ("train.rank", "NAME=VALUE"),
        ("=3", "NAME=VALUE"),
        ("train.rank=abc", "integer"),
        ("train.rank=true", "integer"),
        ('train.rank="8"', "integer"),
        ("train.rank=8.5", "integer"),
        ("train.rank=0", "greater than or equal to 1"),
        ("train.learning_rate=inf", "finite"),
        ("train.learning_rate=-1", "greater than or equal to 0"),
        ("deterministic=yes", "boolean"),
        ("generate.slots=999", "less than or equal to 255"),
        ("generate.temperature=0.0001", "0 (greedy) or at least 0.001"),
        ("generate.order=vllm", "'paper' or 'llama.cpp'"),
        ("evaluate.ks=[9]", "evaluate.samples"),
        ("evaluate.ks=1", "list"),
        ("select.strategy=test", "Did you mean tests?"),
        ("train.trainer=unsloth", "unsloth_qlora"),
        ("export.quant=Q4_K_X", "Q4_K_M"),
        ("verify.sandbox=chroot", "sandbox"),
    ],
)
def test_settings(refused, assignment, hint):
    assert hint in refused("run", "--set", assignment)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("run", "--rounds", "two"), "give a whole number"),
        (("run", "--rounds", "2.5"), "give a whole number"),
        (("run", "--rounds", "0"), "greater than or equal to 1"),
        (("run", "--seed", "-1"), "greater than or equal to 0"),
        (("run", "--limit", "0"), "greater than or equal to 1"),
        (("run", "--progress", "loud"), "'plain'"),
        (("run", "a.toml", "b.toml"), "one argument too many"),
        (("run", "--model"), "expected one argument"),
        ((), "localdistill --help"),
        ((*SAMPLE, "--temperature", "warm"), "give a number"),
        ((*SAMPLE, "--temperature", "nan"), "--temperature"),
        ((*SAMPLE, "--temperature", "0.0001"), "at least 0.001"),
        ((*SAMPLE, "--top-p", "7"), "--top-p"),
        ((*SAMPLE, "--samples", "0"), "--samples"),
        ((*SAMPLE, "--slots", "999"), "--slots"),
        ((*SAMPLE, "--threads", "100000"), "--threads"),
        ((*SAMPLE, "--limit", "0"), "--limit"),
        ((*SCORE, "--samples", "0"), "--samples"),
        ((*SCORE, "--limit", "0"), "--limit"),
        ((*SCORE, "--workers", "0"), "--workers"),
        ((*SCORE, "--k", "0"), "--k 0"),
        ((*SCORE, "--level", "95"), "--level 95"),
        ((*SCORE, "--interval", "exact"), "--interval"),
        (("verify", "--completions", "c", *FILES, "--workers", "-1"), "--workers"),
        (("train", "--model", "m", "--data", "d", "--out", "o", "--rank", "0"), "--rank"),
        (
            ("train", "--model", "m", "--data", "d", "--out", "o", "--learning-rate", "nan"),
            "--learning-rate",
        ),
        (("verify", "--out", "x"), "--problems, --completions"),
    ],
)
def test_values(refused, arguments, hint):
    assert hint in refused(*arguments)


def test_a_strategy_and_a_type_of_a_stage_command(refused, world, problems, completions, adapter):
    line = refused(
        "select", "--completions", completions, "--strategy", "tets",
        "--problems", problems, "--out", "o",
    )  # fmt: skip
    assert "Did you mean tests?" in line
    line = refused(
        "export", "--model", world, "--adapter", adapter, "--quant", "Q9", "--out", "o.gguf"
    )
    assert "Q4_K_M" in line


def test_pass_at_k_of_too_few_samples(refused, tiny, problems):
    line = refused(
        "evaluate", "--model", tiny.gguf, "--problems", problems, "--k", 5, "--samples", 2,
        "--out", "e.json",
    )  # fmt: skip
    assert "needs at least 5 samples" in line


@pytest.mark.parametrize("command", [("run",), ("generate",)])
def test_a_model_without_problems_names_ready_sets(refused, command):
    line = refused(*command, "--model", "m.gguf")
    assert "--problems" in line
    assert "MBPP" in line
    assert "HumanEval" in line


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("rank = = 3\n", "not valid TOML"),
        ("[train]\nrnak = 3\n", "Did you mean train.rank?"),
        ("[trian]\nrank = 3\n", "Did you mean train.rank?"),
        ("rounds = 'two'\n", "rounds = 'two'"),
        ("rounds = 2\n", "model is missing"),
    ],
)
def test_files_of_settings(refused, world, text, hint):
    (world / "night.toml").write_text(text)
    more = () if "missing" in hint else ("--model", "m.gguf", "--problems", "p.jsonl")
    assert hint in refused("run", world / "night.toml", *more)


@pytest.mark.parametrize("path", ["none.toml", "tmp"])
def test_a_file_of_settings_that_cannot_be_read(refused, path):
    line = refused("run", path)
    assert path in line
    assert "give the path of a TOML file" in line


def test_a_name_with_a_line_break_is_still_one_line(refused):
    assert "no such" in refused("run", "--problems", "two\nlines.jsonl").lower()
