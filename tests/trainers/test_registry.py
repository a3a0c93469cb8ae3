"""Trainers by name."""

from __future__ import annotations

import pytest

from localdistill import trainers
from localdistill.errors import ConfigError


def test_trainers_go_by_the_names_of_their_files():
    assert trainers.load("unsloth_qlora").__name__ == "localdistill.trainers.unsloth_qlora"


def test_an_unknown_trainer_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"no trainer unsloth_lora\. Did you mean unsloth_qlora"):
        trainers.load("unsloth_lora")
    with pytest.raises(ConfigError, match="There are unsloth_qlora"):
        trainers.load("batches")
