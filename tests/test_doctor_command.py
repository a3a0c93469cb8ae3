"""``doctor``: table, advice and exit code, with the attacks stood in for; and once in earnest."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest

from localdistill import cli, sandbox
from localdistill.display.doctor import open_screen
from localdistill.errors import SandboxUnavailable
from localdistill.hardware import Machine
from localdistill.sandbox import attacks
from localdistill.sandbox.attacks import Finding

_HELD = Finding("network", "sockets", "held")
_THROUGH = Finding("fork bomb", "384 processes", "GOT THROUGH", "has 384 processes")
_NOT_COVERED = Finding("conspiracy", "a file", "not covered", "They share one /dev/shm.")
_KIND = os.environ.get("LOCALDISTILL_TEST_SANDBOX", "auto")


class FakeSandbox:
    tier = "9 (fake)"
    not_covered = ("The kernel.",)
    passed_over = ("docker is not installed",)
    notes = ("Two at a time.",)
    unsafe = False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.fixture
def doctor(monkeypatch, capsys):
    """Runs the command on given findings; returns exit code, output, error."""

    def run(*findings, arguments=()):
        kinds = []
        monkeypatch.setattr(
            sandbox, "open_sandbox", lambda kind, workers: kinds.append(kind) or FakeSandbox()
        )
        monkeypatch.setattr(attacks, "attack_all", lambda opened, bait: iter(findings))
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor", *arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err, kinds

    return run


def test_where_all_holds_the_code_is_zero_and_each_attack_has_a_row(doctor):
    code, out, err, kinds = doctor(_HELD, _NOT_COVERED)
    assert (code, err, kinds) == (0, "", ["auto"])
    assert "held         network: sockets\n" in out
    assert "not covered  conspiracy: a file\n" in out
    assert "nothing got through" in out
    assert "does not cover: conspiracy" in out


def test_tier_what_it_does_not_cover_and_tiers_passed_over_are_told(doctor):
    _, out, _, _ = doctor(_HELD)
    for said in ("tier 9 (fake)", "The kernel.", "docker is not installed", "Two at a time."):
        assert said in out


def test_the_machine_is_told(doctor):
    _, out, _, _ = doctor(_HELD)
    assert re.search(r"Linux \S+ on \S+, Python 3\.\d+", out)
    assert re.search(r"\d+ cores, [\d.,]+ GB of memory .*GPU", out)


def test_one_attack_that_got_through_is_enough_for_code_one(doctor):
    code, out, err, _ = doctor(_HELD, _THROUGH, _HELD)
    assert code == 1
    assert "GOT THROUGH  fork bomb: 384 processes\n" in out
    assert "has 384 processes" in out
    assert "1 of 3 attacks got through (fork bomb)" in err
    assert err.count("\n") == 1


def test_no_attack_at_all_proves_nothing(doctor):
    assert doctor()[0] == 1


def test_the_tier_that_is_asked_for_is_the_one_that_is_opened(doctor):
    assert doctor(_HELD, arguments=["--sandbox", "podman"])[3] == ["podman"]


def test_where_there_is_no_sandbox_the_code_is_two_and_the_fix_is_named(monkeypatch, capsys):
    def refuse(kind, workers):
        raise SandboxUnavailable("No sandbox holds here: build the image.")

    monkeypatch.setattr(sandbox, "open_sandbox", refuse)
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor"])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert "Machine: " in captured.out
    assert captured.err == "localdistill: No sandbox holds here: build the image.\n"


def test_unsafe_is_nothing_to_be_proven(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--sandbox", "unsafe"])
    assert ended.value.code == 2
    assert "--sandbox" in capsys.readouterr().err


@pytest.mark.parametrize("rich", [False, True])
def test_what_a_program_says_cannot_move_the_cursor(rich):
    stream = io.StringIO()
    screen = open_screen(stream, rich=rich)
    with screen.table() as row:
        row(Finding("a", "b", "GOT THROUGH", "\x1b[2Jgone"))
    assert "\x1b[2J" not in stream.getvalue()
    assert "gone" in stream.getvalue()


def test_on_a_terminal_it_is_a_table_with_a_line_for_each_attack():
    stream = io.StringIO()
    screen = open_screen(stream, rich=True)
    screen.machine(Machine("Linux", "6.1", "x86_64", "3.11.2", 2, 8 << 30, 4 << 30, True))
    with screen.table() as row:
        for each in (_HELD, _THROUGH, _NOT_COVERED):
            row(each)
    text = stream.getvalue()
    assert "what was tried" in text
    assert re.search(r"network +sockets +held", text)
    assert "has 384 processes" in text
    assert "a GPU" in text


@pytest.mark.real
def test_in_earnest_the_sandbox_of_this_machine_holds():
    program = "from localdistill.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "doctor", "--sandbox", _KIND],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "GOT THROUGH" not in done.stdout
    assert done.stdout.count("\nheld ") >= 18
