from collections.abc import Iterator

import pytest

from localdistill.sandbox import Sandbox, open_sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(workers=2) as opened:
        yield opened


@pytest.fixture(scope="session")
def single() -> Iterator[Sandbox]:
    """One worker: what runs, runs where the one before it ran."""
    with open_sandbox(workers=1) as opened:
        yield opened
