"""The sandbox under test: LOCALDISTILL_TEST_SANDBOX is auto, compose, docker, podman or local.

Where LOCALDISTILL_TEST_TIER is set, the tier that holds must have that in its name: else the tests
of one tier could quietly become tests of another. ``.ci/sandbox-tiers`` sets both.
"""

import os
from collections.abc import Iterator

import pytest
from programs import Program

from localdistill.sandbox import Sandbox, open_sandbox
from localdistill.sandbox.offered import offered_packages

_KIND = os.environ.get("LOCALDISTILL_TEST_SANDBOX", "auto")
_TIER = os.environ.get("LOCALDISTILL_TEST_TIER", "")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(_KIND, workers=2) as opened:
        assert _TIER in opened.tier
        yield opened


@pytest.fixture(scope="session")
def single() -> Iterator[Sandbox]:
    """One worker: what runs, runs where the one before it ran."""
    with open_sandbox(_KIND, workers=1) as opened:
        assert _TIER in opened.tier
        yield opened


@pytest.fixture(scope="session")
def packages(sandbox: Sandbox) -> frozenset[str]:
    """The installed packages that this sandbox's candidates have."""
    return offered_packages(sandbox)


@pytest.fixture
def program(request: pytest.FixtureRequest, packages: frozenset[str]) -> Program:
    """The program that a test is parametrised with, where the tier has what it needs."""
    given: Program = request.param
    if missing := given.needs - packages:
        pytest.skip(f"candidates have no {', '.join(sorted(missing))} in this tier: NOT tested")
    return given
