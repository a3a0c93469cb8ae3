"""Keys from a terminal, whose modes are put back."""

import io
import os
import pty
import queue
import termios

import pytest

from localdistill.display.keys import Keys


@pytest.fixture
def terminal():
    """The two ends of one: where a person types, and a program's stdin."""
    person, program = pty.openpty()
    stream = os.fdopen(program, "r")
    yield person, stream
    stream.close()
    os.close(person)


def modes(stream):
    return termios.tcgetattr(stream.fileno())


def test_single_keys_come_at_once_and_unseen(terminal):
    person, stream = terminal
    pressed = queue.Queue()
    with Keys(stream, pressed.put) as keys:
        assert keys.active
        assert not modes(stream)[3] & (termios.ECHO | termios.ICANON)
        assert modes(stream)[3] & termios.ISIG  # Ctrl-C is a signal as ever
        os.write(person, b"p")
        assert pressed.get(timeout=30) == "p"
        os.write(person, b"q")
        assert pressed.get(timeout=30) == "q"


def test_codes_of_other_keys_and_pasted_text_are_passed_over(terminal):
    person, stream = terminal
    pressed = queue.Queue()
    with Keys(stream, pressed.put):
        for text in (b"\x1bOq", b"quit"):
            os.write(person, text)
            while stream_has_more(stream):
                pass
        os.write(person, b"p")
        assert pressed.get(timeout=30) == "p"
    assert pressed.empty()


def stream_has_more(stream):
    import select

    return bool(select.select([stream.fileno()], [], [], 0)[0])


def test_the_modes_are_put_back_after_an_error(terminal):
    _, stream = terminal
    before = modes(stream)
    with pytest.raises(KeyboardInterrupt), Keys(stream, print):
        assert modes(stream) != before
        raise KeyboardInterrupt
    assert modes(stream) == before


def test_what_is_no_terminal_is_not_read():
    stream = io.StringIO("q")
    with Keys(stream, pytest.fail) as keys:
        assert not keys.active
    assert stream.read() == "q"
    assert not Keys(None, pytest.fail).active


def test_a_terminal_that_closes_ends_the_reading():
    person, program = pty.openpty()
    with os.fdopen(program, "r") as stream, Keys(stream, pytest.fail):
        os.close(person)
