"""For all tests: which need the machine to themselves, and what the others do side by side.

    pytest -n 2 --dist loadfile -m "not alone"       side by side, a core for each
    pytest -m alone                                  the remaining ones

is what CI does; without these options all run one after the other.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

with contextlib.suppress(ModuleNotFoundError):  # containers that run tests/sandbox have none
    from hypothesis import settings

    # How long an example takes is the machine's, not the code's.
    settings.register_profile("here", deadline=None)
    settings.load_profile("here")

_HERE = Path(__file__).parent
# What has limits on time, or counts processes of the machine.
_ALONE = ("sandbox", "container", "test_doctor_command.py")
# The longest first, or one worker is left with them at the end.
_FIRST = ("e2e", "trainers", "models", "quantization", "stages/parity")


def pytest_configure(config: pytest.Config) -> None:
    """Keep each worker of pytest-xdist, and all that it starts, on a core of its own.

    Two processes that compute with two threads each on two cores wait for one another's threads.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what must run alone; put what takes longest first where workers share the tests."""
    for item in items:
        if _is_in(item, _ALONE):
            item.add_marker(pytest.mark.alone)
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: not _is_in(item, _FIRST))


def _is_in(item: pytest.Item, places: tuple[str, ...]) -> bool:
    path = item.path.relative_to(_HERE).as_posix()
    return any(path == place or path.startswith(f"{place}/") for place in places)
