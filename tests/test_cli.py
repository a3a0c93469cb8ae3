"""What a user types wrong is answered with one line that names the fix, and exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from localdistill import cli, run_options
from localdistill.errors import ConfigError


def configured(*arguments):
    return run_options.run_config(cli.build_parser().parse_args(["run", *arguments]))


def ended(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    return caught.value.code, capsys.readouterr().err


def test_nothing_named_means_the_seed_model_and_its_problems():
    config = configured()
    assert config.model.endswith("models/seed")
    assert config.problems.endswith("models/seed/problems/train.jsonl")
    assert config.eval_problems.endswith("models/seed/problems/eval.jsonl")


def test_options_win_over_the_file(tmp_path):
    file = tmp_path / "night.toml"
    file.write_text('model = "m.gguf"\nproblems = "mbpp:p.jsonl#train"\nrounds = 3\n')
    config = configured(str(file), "--rounds", "5", "--set", "train.rank=4")
    assert (config.rounds, config.train.rank) == (5, 4)
    assert config.model == str(tmp_path / "m.gguf")
    assert config.problems == f"mbpp:{tmp_path}/p.jsonl#train"


def test_a_model_without_problems_names_ready_sets():
    with pytest.raises(ConfigError, match=r"MBPP.*HumanEval"):
        configured("--model", "m.gguf")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["run", "--modle", "m"], "Did you mean --model?"),
        (["run", "--set", "train.rnak=3"], "Did you mean train.rank?"),
        (["run", "--set", "train.rank"], "NAME=VALUE"),
        (["run", "--rounds", "two"], "--rounds"),
        (["run", "--limit", "0"], "limit"),
        (["generte"], "generate"),
        (["verify", "--out", "x"], "--problems"),
        (["generate", "--model", "m", "--problems", "p", "--out", "o", "--top-p", "7"], "--top-p"),
        (["run", "missing.toml"], "missing.toml"),
    ],
)
def test_bad_usage_is_one_line_with_the_fix(capsys, arguments, hint):
    code, err = ended(capsys, *arguments)
    assert code == 2
    assert err.count("\n") == 1
    assert hint in err


def test_help_is_quick_and_lists_the_stages(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for name in ("run", "generate", "verify", "select", "train", "export", "evaluate"):
        assert name in out


def test_heavy_libraries_are_not_imported_for_the_command_line():
    code = "import sys, localdistill.cli; print([m for m in ('torch', 'llama_cpp', 'unsloth', "
    code += "'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_watch_brings_nothing_that_only_a_run_needs(tmp_path):
    """Several may look at a run that has all cores busy, and each start is paid by the run."""
    path = tmp_path / "run"
    path.mkdir()
    (path / "events.jsonl").write_text("")
    code = (
        "import sys, localdistill.cli as cli\n"
        f"try: cli.main(['watch', {str(path)!r}, '--progress', 'plain'])\n"
        "except SystemExit as end: print(end.code)\n"
    )
    code += "print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'jinja2') "
    code += "or m.startswith(('localdistill.pipeline', 'localdistill.catalogue'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["0", "[]"]


def test_every_command_is_found_in_its_own_module_alone(capsys):
    """And its help is the same as when all of them are there."""
    whole = cli.build_parser()
    (names,) = (action.choices for action in whole._actions if action.choices)
    assert set(names) == {name for of_module in cli._MODULES.values() for name in of_module}
    for name, parser in names.items():
        alone = cli.build_parser(name)
        (few,) = (action.choices for action in alone._actions if action.choices)
        assert few[name].format_help() == parser.format_help()
        assert callable(few[name].get_default("act"))


def test_a_path_means_the_same_file_from_wherever_it_is_continued(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = configured("--model", "m.gguf", "--problems", "mbpp:p.jsonl#train")
    monkeypatch.chdir("/")
    absolute = (str(tmp_path / "m.gguf"), f"mbpp:{tmp_path}/p.jsonl#train")
    assert (first.model, first.problems) == absolute
    assert configured("--model", absolute[0], "--problems", absolute[1]) == first


def test_output_into_a_closed_pipe_is_no_traceback(seed_problems, tmp_path):
    program = Path(sys.executable).with_name("localdistill")
    done = subprocess.run(
        f"{program} generate --model {tmp_path}/none.gguf --problems {seed_problems} "
        f"--out {tmp_path}/o.jsonl --progress plain | true",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


@pytest.fixture
def seed_problems():
    return Path(__file__).resolve().parents[1] / "models" / "seed" / "problems" / "train.jsonl"
