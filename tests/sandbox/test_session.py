"""What the end of a child means, whatever signal it was."""

from __future__ import annotations

import signal

import pytest

from localdistill.sandbox.session import End


@pytest.mark.parametrize("number", range(1, 65))
def test_every_signal_is_an_end(number: int) -> None:
    status, detail = End(status=number, cpu_s=0.0, why="exit").outcome()
    assert status == ("timeout" if number == signal.SIGXCPU else "runtime_error")
    assert detail


def test_a_signal_is_named_where_it_has_a_name() -> None:
    assert End(signal.SIGSEGV, 0.0, "exit").outcome()[1] == "ended by SIGSEGV"
    assert End(40, 0.0, "exit").outcome()[1] == "ended by signal 40"
