"""The sandbox under test: LOCALDISTILL_TEST_SANDBOX is auto, compose, docker, podman or local.

Where LOCALDISTILL_TEST_TIER is set, the tier that holds must have that in its name: else the tests
of one tier could quietly become tests of another. ``.ci/sandbox-tiers`` sets both.
"""

import os
from collections.abc import Iterator

import pytest
from programs import Program

from localdistill.sandbox import Sandbox, open_sandbox
from tests.sandbox.offered import offered_packages

_KIND = os.environ.get("LOCALDISTILL_TEST_SANDBOX", "auto")
_TIER = os.environ.get("LOCALDISTILL_TEST_TIER", "")


class _OneAtATime:
    """Keeps the sandbox that was asked for last: containers beside this one serve no second one."""

    def __init__(self) -> None:
        self._open: tuple[int, Sandbox] | None = None

    def with_workers(self, workers: int) -> Sandbox:
        if self._open is not None and self._open[0] == workers:
            return self._open[1]
        self.close()
        opened = open_sandbox(_KIND, workers=workers)
        self._open = workers, opened
        assert _TIER in opened.tier
        return opened

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


@pytest.fixture(scope="session")
def sandboxes() -> Iterator[_OneAtATime]:
    opened = _OneAtATime()
    yield opened
    opened.close()


@pytest.fixture
def sandbox(sandboxes: _OneAtATime) -> Sandbox:
    return sandboxes.with_workers(2)


@pytest.fixture
def single(sandboxes: _OneAtATime) -> Sandbox:
    """One worker: what runs, runs where the one before it ran."""
    return sandboxes.with_workers(1)


@pytest.fixture(scope="session")
def packages(sandboxes: _OneAtATime) -> frozenset[str]:
    """The installed packages that this sandbox's candidates have."""
    return offered_packages(sandboxes.with_workers(1))


@pytest.fixture
def program(request: pytest.FixtureRequest, packages: frozenset[str]) -> Program:
    """The program that a test is parametrised with, where the tier has what it needs."""
    given: Program = request.param
    if missing := given.needs - packages:
        pytest.skip(f"candidates have no {', '.join(sorted(missing))} in this tier: NOT tested")
    return given
