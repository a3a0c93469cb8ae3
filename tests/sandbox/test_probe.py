"""The attack itself: what it takes for a breach."""

import os

import pytest

from localdistill.sandbox import probe


def signalled(processes, other_user):
    """The numbers that ``probe`` would try to signal as processes of the run's."""
    given = {"processes": processes, "other_user": other_user}
    return [
        attempt.args[0] for what, attempt in probe._processes(given) if what == "signals the run"
    ]


@pytest.mark.parametrize("other_user", [True, False])
def test_a_number_that_is_its_own_here_is_no_process_of_the_runs(other_user):
    run = os.getpid() + 100_000
    assert signalled([os.getpid(), run], other_user) == [run]
    # Its parent may be signalled by the same user only.
    assert signalled([os.getppid()], other_user) == ([os.getppid()] if other_user else [])
