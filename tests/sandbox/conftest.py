"""The sandbox under test: LOCALDISTILL_TEST_SANDBOX is auto, docker, podman or local."""

import os
from collections.abc import Iterator

import pytest

from localdistill.sandbox import Sandbox, open_sandbox

_KIND = os.environ.get("LOCALDISTILL_TEST_SANDBOX", "auto")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(_KIND, workers=2) as opened:
        yield opened


@pytest.fixture(scope="session")
def single() -> Iterator[Sandbox]:
    """One worker: what runs, runs where the one before it ran."""
    with open_sandbox(_KIND, workers=1) as opened:
        yield opened
