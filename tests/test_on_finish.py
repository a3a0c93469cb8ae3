"""What is done at the end of a run, however it ends."""

import json
import sys

import pytest

from localdistill import on_finish
from localdistill.errors import ConfigError, StageFailed, Stopped
from localdistill.events import Notice, RunFinished, ignore
from localdistill.on_finish import Ending, parse, run_command

END = RunFinished(outcome="finished", exit_code=0, verdict="better", gain=0.1, model="m.gguf")
# Writes what it was handed to the file that is its argument.
TELL = (
    "import os, sys; stdin = sys.stdin.read(); print('noise');"
    "open(sys.argv[1], 'w').write(stdin + os.environ['LOCALDISTILL_RESULT'])"
)


def command(path, code=TELL):
    return f"{sys.executable} -c {json.dumps(code)} {path}"


def test_the_command_gets_the_result_on_stdin_and_in_its_environment(tmp_path, capfd):
    with Ending(command(tmp_path / "told"), last_line=False) as ending:
        ending.through(ignore)(Notice(message="a"))
        ending.through(ignore)(END)
    stdin, environment = (tmp_path / "told").read_text().splitlines()
    assert stdin == environment
    assert RunFinished.model_validate_json(stdin) == END
    out, err = capfd.readouterr()
    assert out == "" and err == "noise\n"  # stdout ends with the run's own words


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (StageFailed("it broke."), "failed", 1),
        (ConfigError("wrong."), "failed", 2),
        (Stopped(), "stopped", 130),
        (KeyboardInterrupt(), "stopped", 130),
        (OSError(28, "No space left on device", "f"), "failed", 2),
        (ZeroDivisionError("oh"), "failed", 1),
    ],
)
def test_a_run_that_is_cut_short_is_told_of_too(tmp_path, capfd, error, outcome, code):
    path = tmp_path / "told"
    with pytest.raises(type(error)), Ending(command(path), last_line=True) as ending:
        ending.run_dir = tmp_path
        raise error
    told = RunFinished.model_validate_json(path.read_text().splitlines()[0])
    assert (told.outcome, told.exit_code, told.run_dir) == (outcome, code, str(tmp_path))
    assert told.reason
    assert RunFinished.model_validate_json(capfd.readouterr().out) == told


def test_the_last_line_comes_once_and_after_all_that_is_said_later(capfd):
    end = RunFinished(outcome="failed", exit_code=1, reason="it broke.")
    with pytest.raises(StageFailed), Ending(None, last_line=True) as ending:
        take = ending.through(lambda event: print(event.model_dump_json()))  # noqa: T201
        take(end)
        take(Notice(message="the report could not be written"))
        raise StageFailed("it broke.")
    said, last = capfd.readouterr().out.splitlines()
    assert "the report" in said
    assert RunFinished.model_validate_json(last) == end


def test_a_display_for_people_is_told_of_the_end_at_once():
    seen = []
    with Ending(None, last_line=False) as ending:
        ending.through(seen.append)(END)
        assert seen == [END]


@pytest.mark.parametrize("mute", [False, True])
def test_a_command_that_fails_is_a_warning_where_anybody_can_be_told(capfd, mute):
    with Ending(f"{sys.executable} -c 'raise SystemExit(3)'", last_line=False) as ending:
        ending.through(lambda event: None)(END)
        ending.mute = mute
    told = capfd.readouterr().err
    assert told == "" if mute else told.endswith("ended with exit code 3\n")


def test_a_command_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(on_finish, "_LIMIT_STOPPED_S", 0.0)
    stopped = END.model_copy(update={"outcome": "stopped"})
    told = run_command([sys.executable, "-c", "import signal; signal.pause()"], stopped)
    assert "was ended after 0 seconds" in told


def test_no_shell_reads_the_command(tmp_path):
    parsed = parse(f"{sys.executable} -c 'print(1)' $HOME; rm *")
    assert parsed == [sys.executable, "-c", "print(1)", "$HOME;", "rm", "*"]


@pytest.mark.parametrize("text", ["", "'open", "/no/such/program -x"])
def test_a_command_that_cannot_be_run_is_refused_before_the_run(text):
    with pytest.raises(ConfigError, match="--on-finish"):
        Ending(text, last_line=False)
