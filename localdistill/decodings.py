"""The ways of decoding that a model may be given before it is compared, by short names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localdistill.sampling import Sampling

# Of a way of decoding that leaves them out, no truncation: the section's own are for its own.
_SHAPE = ("temperature", "top_k", "top_p", "min_p")
# The likeliest answer, and near to it: as most models are run.
USUAL: tuple[Mapping[str, Any], ...] = (
    {"temperature": 0.0},
    {"temperature": 0.6, "top_p": 0.95},
)


def grid(own: Sampling, tables: Sequence[Mapping[str, Any]]) -> dict[str, Sampling]:
    """``own`` and those that ``tables`` of ``Sampling`` fields describe, each once, ``own`` first.

    What a table leaves out of temperature and truncation is as in ``Sampling()``, and of the rest
    (``max_tokens`` ...) as in ``own``. The names are names of folders.

    Raises:
        ValueError: a table has a field that ``Sampling`` has not, or an impossible value.
    """
    shared = own.model_dump(exclude=set(_SHAPE))
    found: dict[str, Sampling] = {}
    for sampling in (own, *(Sampling(**{**shared, **table}) for table in tables)):
        if any(_alike(sampling, other) for other in found.values()):
            continue
        name = first = _name(sampling)
        number = 2
        while name in found:
            name, number = f"{first}-{number}", number + 1
        found[name] = sampling
    return found


def samples_of(sampling: Sampling, samples: int, ks: Sequence[int]) -> int:
    """How many samples a problem to draw of ``samples``: one where all of them are the same text.

    pass@k for a larger k needs k samples all the same.
    """
    return 1 if sampling.greedy and list(ks) == [1] else samples


def _alike(one: Sampling, other: Sampling) -> bool:
    if one.greedy and other.greedy:  # truncation means nothing then
        without = set(_SHAPE) | {"order"}
        return one.model_dump(exclude=without) == other.model_dump(exclude=without)
    return one == other


def _name(sampling: Sampling) -> str:
    if sampling.greedy:
        return "greedy"
    parts = [f"t{sampling.temperature:g}"]
    parts += [f"k{sampling.top_k}"] if sampling.top_k else []
    parts += [f"p{sampling.top_p:g}"] if sampling.top_p < 1 else []
    parts += [f"m{sampling.min_p:g}"] if sampling.min_p else []
    return "-".join(parts)
