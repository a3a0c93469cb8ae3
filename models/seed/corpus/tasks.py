"""All compositions of all families, and one way to build a task from any of them."""

from __future__ import annotations

import random

from corpus import branches, names, pipelines
from corpus.branches import Branch, Shrink
from corpus.pipelines import Composition
from corpus.task import Task

Anything = Composition | Branch | Shrink


def compositions() -> list[Anything]:
    """Everything there is, in a fixed order."""
    return [*pipelines.compositions(), *branches.compositions()]


def build(composition: Anything, rng: random.Random) -> Task:
    """The composition with constants and names."""
    params = names.parameters(rng, composition.types)
    if isinstance(composition, Composition):
        return pipelines.build(composition, rng, params)
    return branches.build(composition, rng, params)
