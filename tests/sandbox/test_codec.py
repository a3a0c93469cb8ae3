"""What crosses between a candidate and the judge, and what does not."""

from __future__ import annotations

import array
import asyncio
import collections
import datetime
import decimal
import enum
import fractions
import random
from typing import Any

import pytest

from localdistill.sandbox.codec import CodecError, Handle, TooLarge, encode
from localdistill.sandbox.decode import decode, decode_pair, decode_texts

_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    127,
    128,
    -(2**63),
    10**5000,
    1.5,
    -0.0,
    float("inf"),
    1 + 2j,
    "é\ud800\0",
    b"\0\xff",
    bytearray(b"x"),
    [1, [2, (3,)]],
    (),
    {1, "a", (2, 3)},
    frozenset({1}),
    {1: {None: (2,)}, "k": []},
    range(3, 10, 2),
    collections.deque([1, 2]),
    collections.Counter("aab"),
    collections.OrderedDict(b=1, a=2),
    decimal.Decimal("1.20"),
    fractions.Fraction(1, 3),
    datetime.date(2020, 1, 2),
    datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
    datetime.time(1, 2, 3),
    datetime.timedelta(days=-1, microseconds=5),
    array.array("i", [1, -2]),
    int,
    dict,
]


@pytest.mark.parametrize("value", _VALUES, ids=lambda value: f"{type(value).__name__}")
def test_value_crosses_as_it_is(value: Any) -> None:
    crossed = decode(encode(value))
    assert crossed == value
    assert type(crossed) is type(value)


def test_subclasses_cross_as_their_base() -> None:
    class Colour(enum.IntEnum):
        RED = 3

    class Text(str):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = str.__hash__

    values = [Colour.RED, Text("a"), collections.defaultdict(int, a=1), collections.UserList([1])]
    crossed = decode(encode(values))
    assert crossed == [3, "a", {"a": 1}, [1]]
    assert [type(each) for each in crossed] == [int, str, dict, list]


def test_named_tuples_keep_their_names() -> None:
    point = collections.namedtuple("point", "x y")
    crossed = decode(encode([point(1, 2)]))[0]
    assert (crossed, crossed.y, repr(crossed)) == ((1, 2), 2, "point(x=1, y=2)")
    for fields in (("_x",), ("__eq__",), ("x, y=print()",), (3,), ("x",) * 2, ("x",) * 200):
        with pytest.raises(CodecError):
            decode(_tagged(b"n", "point", fields, *range(len(fields))))


def _tagged(tag: bytes, *values: Any) -> bytes:
    return tag + encode(values)[1:]


def test_objects_of_a_candidate_cross_as_their_attributes() -> None:
    class Bent:
        __slots__ = ("low", "unset")

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    Bent.__module__ = "candidate"
    bent = Bent()
    bent.low = 3
    crossed = decode(encode(bent))
    assert crossed.low == 3
    assert crossed != 3
    assert not hasattr(crossed, "unset")
    for name in ("__class__", "_x", 3):
        with pytest.raises(CodecError):
            decode(_tagged(b"R", name, 1))


def test_nothing_of_a_candidate_answers_for_a_value() -> None:
    kept = {0: lambda *given: True}

    def decoded(tag: bytes, *parts: bytes) -> Any:
        return decode(tag + len(parts).to_bytes(4, "little") + b"".join(parts), kept.__getitem__)

    stub = encode(Handle(0))
    pairs = {"isdigit": stub, "isupper": encode(object), "size": stub, "index": encode(3)}
    record = decoded(
        b"R", *(each for name, value in pairs.items() for each in (encode(name), value))
    )
    assert vars(record) == {"size": kept[0], "index": 3}
    point = collections.namedtuple("point", "index x")(3, int)
    assert decode(encode(point)) == (3, int)
    for value in (encode(int), stub):
        with pytest.raises(CodecError, match="answers for itself"):
            decoded(b"n", encode("point"), encode(("count",)), value)


def test_named_tuples_of_long_names_are_refused() -> None:
    for name, field in (("a" * 1000, "b"), ("b", "a" * 1000)):
        with pytest.raises(CodecError):  # their classes are kept for the next candidates
            decode(encode(collections.namedtuple(name, [field])(1)))


def test_coroutines_cross_as_ones_that_have_run() -> None:
    async def three() -> int:
        await asyncio.sleep(0)
        return 3

    assert asyncio.run(decode(encode(three()))) == 3


def test_functions_cross_where_they_are_kept() -> None:
    kept: list[Any] = []

    def keep(value: Any) -> Handle:
        kept.append(value)
        return Handle(7)

    assert decode(encode([len], keep), lambda number: number) == [7]
    assert kept == [len]


def test_what_is_short_to_say_and_long_to_make_is_refused() -> None:
    endless = range(10**10)
    for data in (_tagged(b"Q", "1e1000000000"), _tagged(b"x", endless), _tagged(b"A", "b", 10**10)):
        with pytest.raises(CodecError):
            decode(data)


def test_the_pit_takes_texts_only() -> None:
    assert decode_texts(encode(("a", "é", ""))) == ["a", "é", ""]
    for value in (range(10**10), ["a"], "ab", ("a", 1), ("a", ("b",))):
        with pytest.raises(CodecError):
            decode_texts(encode(value))
    with pytest.raises(CodecError):
        decode_texts(b"t\xff\xff\xff\xff")


def test_iterators_cross_as_iterators_over_their_elements() -> None:
    for iterator in ((n for n in range(3)), map(int, "012"), zip(range(3), strict=False)):
        crossed = decode(encode(iterator))
        assert iter(crossed) is crossed
        assert len(list(crossed)) == 3


def test_nan_and_dict_views_cross() -> None:
    assert str(decode(encode(float("nan")))) == "nan"
    assert decode(encode({1: 2}.keys())) == {1: 2}.keys()
    assert list(decode(encode({1: 2}.values()))) == [2]
    assert decode(encode({1: 2}.items())) == {1: 2}.items()


@pytest.mark.parametrize(
    "value", [object(), lambda: 0, [object()], Exception("x"), CodecError, len], ids=repr
)
def test_other_things_do_not_cross(value: Any) -> None:
    with pytest.raises(CodecError):
        encode(value)


def test_values_over_a_cap_do_not_cross() -> None:
    nested: list[Any] = []
    for _ in range(1000):
        nested = [nested]
    holding_itself: list[Any] = []
    holding_itself.append(holding_itself)
    doubled: list[Any] = []
    for _ in range(40):
        doubled = [doubled, doubled]
    for value in (nested, holding_itself, doubled, "x" * (40 << 20), 1 << (40 << 20)):
        with pytest.raises(TooLarge):
            encode(value)


def test_whatever_the_decoder_is_given_it_ends_in_no_other_error() -> None:
    chance = random.Random(0)
    good = encode([1, "a", {2: (3.5, None)}, {4}, datetime.date(2020, 1, 1)])
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            decode(bytes(data[: chance.randint(0, len(data))]))
        except CodecError:
            continue


def test_decoder_refuses_a_length_that_the_bytes_do_not_hold() -> None:
    for data in (b"l\xff\xff\xff\x7f", b"s\xff\xff\xff\x7fabc", b"l\xff\xff\xff\xff" + b"N" * 9):
        with pytest.raises(CodecError):
            decode(data)


def test_decoder_refuses_a_million_nested_lists() -> None:
    with pytest.raises(TooLarge):
        decode(b"l\x01\0\0\0" * 1_000_000 + b"N")


def test_handles_are_refused_where_none_can_be() -> None:
    with pytest.raises(CodecError):
        decode(encode(Handle(0)))
    with pytest.raises(CodecError):
        decode_pair(encode(Handle(0)) + encode(None))
    assert decode(encode([Handle(1)]), lambda number: number + 1) == [2]
