"""Prompts as they are typed or pasted on a terminal."""

import os

import pytest

from localdistill import trial, try_command
from localdistill.errors import ConfigError, Stopped
from localdistill.stages.running import RUNNING
from localdistill.try_command import typed


def test_lines_that_are_there_at_once_are_one_prompt():
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, buffering=1) as stream:
        prompts = typed(stream, one_at_a_time(read_end), paste_s=0)
        os.write(write_end, b"first\n")
        assert next(prompts) == "first"
        os.close(write_end)
        assert list(prompts) == []


def one_at_a_time(descriptor):
    def read():
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(descriptor, 1)
            if not byte:
                raise EOFError
            line += byte
        return line.decode().rstrip("\n")

    return read


def test_a_paste_is_one_prompt_and_an_empty_line_is_none():
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, buffering=1) as stream:
        prompts = typed(stream, one_at_a_time(read_end), paste_s=0)
        os.write(write_end, b"\n")
        os.write(write_end, b"def f():\n    pass\n\nWhat is it?\n")
        os.close(write_end)
        assert list(prompts) == ["\ndef f():\n    pass\n\nWhat is it?"]


def test_ctrl_c_gives_up_the_line_and_not_the_conversation(capsys):
    read_end, write_end = os.pipe()
    said = iter([KeyboardInterrupt, "again", EOFError])

    def read():
        word = next(said)
        if isinstance(word, str):
            return word
        raise word

    with os.fdopen(read_end, buffering=1) as stream:
        assert list(typed(stream, read, paste_s=0)) == ["again"]
    os.close(write_end)


@pytest.fixture
def no_wishes():
    yield
    RUNNING.reset()


@pytest.mark.parametrize(
    ("ends", "says"), [(Stopped(), "stopped"), (KeyboardInterrupt(), "stopped"), (None, None)]
)
def test_ctrl_c_gives_up_one_answer_and_the_next_prompt_is_asked(
    monkeypatch, capsys, no_wishes, ends, says
):
    """As ``steering`` has it: the first signal tells stages at work to stop."""
    asked = []

    def show(screen, models, problem, how):
        assert not RUNNING.stopping  # run_stage would raise Stopped at once
        asked.append(problem.prompt)
        if len(asked) == 1:
            RUNNING.stop()
            raise ends or ConfigError("no.")

    monkeypatch.setattr(try_command, "typed", lambda stream, read: iter(["first", "second"]))
    monkeypatch.setattr(try_command, "_show", show)
    try_command._converse(None, None, None, trial.Options())
    assert asked == ["first", "second"]
    printed = capsys.readouterr()
    if says is None:
        assert "localdistill: no." in printed.err
    else:
        assert says in printed.out.splitlines() and not printed.err
