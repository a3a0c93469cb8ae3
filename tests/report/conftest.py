"""Runs to report on."""

import pytest

from tests.report.making import Making


@pytest.fixture
def making(tmp_path):
    """A run directory that holds nothing but its configuration."""
    return Making(tmp_path / "run")


@pytest.fixture
def finished(making):
    """A run of one round that became better."""
    return making.everything()
