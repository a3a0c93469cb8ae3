"""What numpy's scalars and arrays cross as, and that nobody but a candidate needs numpy for it."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localdistill.sandbox.codec import MAX_VALUES, CodecError, TooLarge, encode
from localdistill.sandbox.decode import decode

_REPOSITORY = Path(__file__).parents[2]


class _Bent(np.ndarray):
    size = 1

    def tolist(self) -> Any:
        return "bent"

    def __eq__(self, other: object) -> Any:
        return True

    __hash__ = None


_CROSSING = [
    (np.int8(-1), -1),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.float16(0.5), 0.5),
    (np.float64(0.1), 0.1),
    (np.longdouble(0.5), 0.5),
    (np.clongdouble(2j), 2j),
    (np.bool_(True), True),
    (np.str_("a"), "a"),
    (np.bytes_(b"a"), b"a"),
    (np.datetime64("2024-02-03"), datetime.date(2024, 2, 3)),
    (np.datetime64("2024-02-03T04:05:06", "ns"), 1706933106000000000),
    (np.array(4), 4),
    (np.array([]), []),
    (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
    (np.arange(4)[::-2], [3, 1]),
    (np.array([0.5], dtype=np.longdouble), [0.5]),
    (np.array([None, "a", (np.int8(1),)], dtype=object), [None, "a", (1,)]),
    (np.array([(1, 0.5)], dtype="i4,f8"), [(1, 0.5)]),
    (np.ma.masked_array([1, 2], mask=[False, True]), [1, 2]),
    (np.array([1, 2]).view(_Bent), [1, 2]),
    ({np.int64(1): {np.int64(2)}}, {1: {2}}),
]


def _types(value: Any) -> Any:
    return [_types(each) for each in value] if isinstance(value, list | tuple) else type(value)


@pytest.mark.parametrize(("value", "wanted"), _CROSSING, ids=lambda value: type(value).__name__)
def test_value_of_numpy_crosses_as_a_plain_one(value: Any, wanted: Any) -> None:
    crossed = decode(encode(value))
    assert crossed == wanted
    assert _types(crossed) == _types(wanted)


def test_arrays_over_a_cap_do_not_cross_and_are_not_written_out() -> None:
    endless = np.broadcast_to(np.int8(0), (1 << 40,))
    for value in (endless, endless.view(_Bent), np.zeros(MAX_VALUES + 1, dtype=np.int8)):
        with pytest.raises(TooLarge):
            encode(value)
    holding_itself = np.empty((), dtype=object)
    holding_itself[()] = holding_itself
    with pytest.raises(TooLarge):
        encode(holding_itself)


def test_what_only_says_that_it_is_of_numpy_does_not_cross() -> None:
    class Like:
        size = 1

        def tolist(self) -> list[int]:
            return [1]

        def __array__(self) -> Any:
            return np.array([1])

    Like.__module__ = "numpy"
    for value in (Like(), np.dtype("i4"), np.int64, np.random.default_rng(0)):
        with pytest.raises(CodecError):
            encode(value)


def test_no_part_of_the_sandbox_loads_numpy() -> None:
    modules = [path.stem for path in (_REPOSITORY / "localdistill/sandbox").glob("[a-z]*.py")]
    code = (
        "import importlib, sys\n"
        f"for name in {[name for name in modules if name not in ('boot', 'confined')]}:\n"
        "    importlib.import_module(f'localdistill.sandbox.{name}')\n"
        "import localdistill.sandbox.confined\n"
        "sys.exit('numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=_REPOSITORY, check=True)
