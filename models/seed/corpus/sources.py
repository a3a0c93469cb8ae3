"""Where the elements of a pipeline come from."""

from __future__ import annotations

from dataclasses import dataclass

from corpus import pairs, primitives
from corpus.primitives import Condition, Value


@dataclass(frozen=True)
class Source:
    """An iterable made of the parameters, its element's names, and what can be asked of it.

    `{a}` and `{b}` are the parameters. `element` is "int", "str" or "" where only a value that
    turns it into a number or a string may be returned.
    """

    name: str
    types: tuple[str, ...]  # of the parameters: keys of `inputs.MAKERS`
    iterable: str
    says: tuple[str, ...]
    element: str
    names: tuple[tuple[str, str], ...]  # choices of names for {x}, {y}
    conditions: tuple[Condition, ...]
    values: tuple[Value, ...]
    wrong: tuple[str, ...] = ()

    def target(self, x: str, y: str) -> str:
        """The loop variables: "x" or "x, y"."""
        return f"{x}, {y}" if y else x


SOURCES = (
    Source("numbers", ("ints",), "{a}", ("the numbers in {a}", "the elements of {a}"), "int",
           (("x", ""), ("n", ""), ("num", "")),
           primitives.INT_CONDITIONS, primitives.INT_VALUES, ("{a}[1:]", "{a}[:-1]")),
    Source("range", ("int",), "range(1, {a} + 1)",
           ("the integers from 1 to {a} inclusive", "the numbers from 1 up to and including {a}"),
           "int", (("i", ""),), primitives.INT_CONDITIONS, primitives.INT_VALUES,
           ("range(1, {a})", "range({a})", "range({a} + 1)")),
    Source("below", ("int",), "range({a})",
           ("the integers from 0 up to but not including {a}", "the numbers in range({a})"),
           "int", (("i", ""),), primitives.INT_CONDITIONS, primitives.INT_VALUES,
           ("range(1, {a})", "range({a} + 1)", "range(1, {a} + 1)")),
    Source("digits", ("natural",), "map(int, str({a}))",
           ("the decimal digits of {a}", "the digits of {a}"), "int", (("d", ""),),
           primitives.INT_CONDITIONS, primitives.INT_VALUES,
           ("map(int, str({a})[1:])", "str({a})")),
    Source("words", ("words",), "{a}", ("the words in {a}", "the strings in {a}"), "str",
           (("w", ""), ("word", ""), ("s", "")),
           primitives.WORD_CONDITIONS, primitives.WORD_VALUES, ("{a}[1:]", "{a}[:-1]")),
    Source("sentence", ("sentence",), "{a}.split()",
           ("the words of the sentence {a}", "the space-separated words of {a}"), "str",
           (("w", ""), ("word", "")),
           primitives.WORD_CONDITIONS, primitives.WORD_VALUES, ("{a}", "{a}.split(\",\")")),
    Source("characters", ("text",), "{a}",
           ("the characters of {a}", "the characters in the string {a}"), "str",
           (("c", ""), ("ch", "")),
           primitives.CHAR_CONDITIONS, primitives.CHAR_VALUES, ("{a}[1:]", "{a}.split()")),
    Source("pairs", ("ints", "ints"), "zip({a}, {b})",
           ("the pairs of numbers at the same position in {a} and {b}",
            "the pairs of {a} and {b}"), "", (("x", "y"), ("p", "q")),
           pairs.PAIR_CONDITIONS, pairs.PAIR_VALUES, ("zip({b}, {a})", "zip({a}, {b}[1:])")),
    Source("neighbours", ("ints",), "zip({a}, {a}[1:])",
           ("the pairs of neighbouring numbers in {a}", "the pairs of adjacent elements of {a}"),
           "", (("x", "y"), ("p", "q")), pairs.PAIR_CONDITIONS, pairs.PAIR_VALUES,
           ("zip({a}[1:], {a})", "zip({a}, {a})")),
    Source("indexed", ("ints",), "enumerate({a})",
           ("the numbers in {a}", "the elements of the list {a}"), "", (("i", "x"),),
           pairs.INDEXED_CONDITIONS, pairs.INDEXED_VALUES, ("enumerate({a}, 1)",)),
    Source("entries", ("dict",), "{a}.items()",
           ("the entries of {a}", "the items of the dict {a}"), "", (("key", "value"), ("k", "v")),
           pairs.ENTRY_CONDITIONS, pairs.ENTRY_VALUES, ("{a}",)),
    Source("rows", ("rows",), "{a}", ("the rows of {a}", "the lists in {a}"), "",
           (("row", ""),), pairs.ROW_CONDITIONS, pairs.ROW_VALUES, ("{a}[1:]", "{a}[:-1]")),
)  # fmt: skip
