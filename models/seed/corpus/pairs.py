"""Conditions and values on elements of two parts: pairs, numbered items, dict entries, rows.

`{x}` is the first part of the element and `{y}` the second.
"""

from __future__ import annotations

from dataclasses import replace

from corpus.primitives import INT_CONDITIONS, INT_VALUES, WORD_CONDITIONS, Condition, Value

PAIR_CONDITIONS = (
    Condition("first_greater", "{x} > {y}", ("where the first is greater than the second",), (),
              ("{x} >= {y}", "{x} < {y}")),
    Condition("first_less", "{x} < {y}", ("where the first is less than the second",), (),
              ("{x} <= {y}", "{x} > {y}")),
    Condition("unequal", "{x} != {y}", ("that are not equal",), (), ("{x} == {y}", "{x} > {y}")),
    Condition("sum_above", "{x} + {y} > {k}", ("whose sum is greater than {k}",), (5, 8, 10),
              ("{x} + {y} >= {k}", "{x} > {k}")),
    Condition("sum_multiple", "({x} + {y}) % {k} == 0", ("whose sum is divisible by {k}",), (2, 3),
              ("({x} + {y}) % {k} == 1", "({x} * {y}) % {k} == 0")),
    Condition("far", "abs({x} - {y}) > {k}", ("that differ by more than {k}",), (1, 2, 3),
              ("abs({x} - {y}) >= {k}", "{x} - {y} > {k}")),
    Condition("first_multiple", "{x} % {k} == 0", ("whose first number is divisible by {k}",),
              (2, 3), ("{y} % {k} == 0", "{x} % {k} == 1")),
    Condition("second_above", "{y} > {k}", ("whose second number is greater than {k}",),
              (3, 4, 5, 6), ("{x} > {k}", "{y} >= {k}")),
)  # fmt: skip

PAIR_VALUES = (
    Value("added", "{x} + {y}", "added up", "adds up {e}", (), ("{x} - {y}", "{x} * {y}"), "int"),
    Value("product", "{x} * {y}", "multiplied together", "multiplies together {e}", (),
          ("{x} + {y}", "{x} * {x}"), "int"),
    Value("first_minus", "{x} - {y}", "as first minus second",
          "takes first minus second of {e}", (),
          ("{y} - {x}", "abs({x} - {y})"), "int"),
    Value("second_minus", "{y} - {x}", "as second minus first",
          "takes second minus first of {e}", (),
          ("{x} - {y}", "abs({x} - {y})"), "int"),
    Value("larger", "max({x}, {y})", "as the larger of the two", "takes the larger of {e}", (),
          ("min({x}, {y})", "{x}"), "int"),
    Value("lesser", "min({x}, {y})", "as the smaller of the two", "takes the smaller of {e}", (),
          ("max({x}, {y})", "{y}"), "int"),
    Value("gap", "abs({x} - {y})", "as their absolute difference",
          "takes the absolute difference of {e}", (), ("{x} - {y}", "{y} - {x}"), "int"),
    Value("weighted", "{k} * {x} + {y}", "as {k} times the first plus the second",
          "takes {k} times the first plus the second of {e}", (2, 3, 10),
          ("{x} + {k} * {y}", "{k} * ({x} + {y})"), "int"),
)  # fmt: skip

INDEXED_CONDITIONS = (
    Condition("index_multiple", "{x} % {k} == 0", ("at positions divisible by {k}",), (2, 2, 3),
              ("{x} % {k} == 1", "{y} % {k} == 0"), {2: ("at even positions",)}),
    Condition("index_not_multiple", "{x} % {k} != 0", ("at positions not divisible by {k}",),
              (2, 2, 3), ("{x} % {k} == 0", "{y} % {k} != 0"), {2: ("at odd positions",)}),
    Condition("above_index", "{y} > {x}", ("that are greater than their position",), (),
              ("{y} >= {x}", "{x} > {y}")),
    Condition("below_index", "{y} < {x}", ("that are less than their position",), (),
              ("{y} <= {x}", "{x} < {y}")),
    Condition("from_index", "{x} >= {k}", ("from position {k} on",), (1, 2, 3),
              ("{x} > {k}", "{x} > {k}", "{y} >= {k}")),
    Condition("item_above", "{y} > {k}", ("that are greater than {k}",), (2, 3, 4, 5),
              ("{y} >= {k}", "{x} > {k}")),
)  # fmt: skip

INDEXED_VALUES = (
    Value("item", "{y}", "as it is", "takes {e}", (), ("{x}", "{y} + 1"), "int"),
    Value("index", "{x}", "replaced by its position", "takes the position of {e}", (),
          ("{y}", "{x} + 1"), "int"),
    Value("by_index", "{x} * {y}", "multiplied by its position",
          "multiplies {e} by its position", (),
          ("{x} + {y}", "({x} + 1) * {y}"), "int"),
    Value("plus_index", "{x} + {y}", "increased by its position", "adds its position to {e}", (),
          ("{x} * {y}", "{x} + 1 + {y}"), "int"),
    Value("minus_index", "{y} - {x}", "decreased by its position",
          "subtracts its position from {e}",
          (), ("{x} - {y}", "{y} - {x} - 1"), "int"),
    Value("item_square", "{y} * {y}", "squared",
          "squares {e}", (), ("{y} * 2", "{x} * {y}"), "int"),
    Value("item_plus", "{y} + {k}", "increased by {k}", "adds {k} to {e}", (1, 2, 3, 5),
          ("{y} - {k}", "{x} + {k}"), "int"),
)  # fmt: skip

ROW_CONDITIONS = (
    Condition("row_longer", "len({x}) > {k}", ("with more than {k} numbers",), (1, 2, 3),
              ("len({x}) >= {k}", "sum({x}) > {k}")),
    Condition("row_sum", "sum({x}) > {k}", ("whose sum is greater than {k}",), (5, 8, 10, 12),
              ("sum({x}) >= {k}", "len({x}) > {k}")),
    Condition("row_even_sum", "sum({x}) % {k} == 0", ("whose sum is divisible by {k}",), (2, 3),
              ("sum({x}) % {k} == 1", "len({x}) % {k} == 0")),
    Condition("row_max", "max({x}) < {k}", ("whose largest number is less than {k}",), (7, 8, 9),
              ("max({x}) <= {k}", "min({x}) < {k}")),
    Condition("row_rises", "{x}[0] < {x}[-1]", ("whose first number is less than the last",), (),
              ("{x}[0] <= {x}[-1]", "{x}[0] > {x}[-1]")),
    Condition("row_has", "{k} in {x}", ("that contain {k}",), (2, 3, 4, 5, 6),
              ("{k} not in {x}", "{x}[0] == {k}")),
)  # fmt: skip

ROW_VALUES = (
    Value("row_sum", "sum({x})", "added up", "adds up {e}", (), ("len({x})", "max({x})"), "int"),
    Value("row_max", "max({x})", "replaced by its largest number",
          "takes the largest number of {e}",
          (), ("min({x})", "{x}[-1]"), "int"),
    Value("row_min", "min({x})", "replaced by its smallest number",
          "takes the smallest number of {e}",
          (), ("max({x})", "{x}[0]"), "int"),
    Value("row_len", "len({x})", "replaced by its length", "takes the length of {e}", (),
          ("sum({x})", "len({x}) - 1"), "int"),
    Value("row_first", "{x}[0]", "replaced by its first number",
          "takes the first number of {e}", (),
          ("{x}[1]", "{x}[-1]"), "int"),
    Value("row_last", "{x}[-1]", "replaced by its last number", "takes the last number of {e}", (),
          ("{x}[0]", "{x}[:-1]"), "int"),
    Value("row_span", "max({x}) - min({x})", "replaced by its largest minus its smallest number",
          "takes largest minus smallest of {e}", (), ("max({x})", "{x}[-1] - {x}[0]"), "int"),
)  # fmt: skip


def _second(template: str) -> str:
    return template.replace("{x}", "{y}")


VALUE_CONDITIONS = tuple(
    replace(c, name=f"value_{c.name}", code=_second(c.code), wrong=tuple(map(_second, c.wrong)),
            says=tuple(f"with values {s}" for s in c.says),
            special={k: tuple(f"with values {s}" for s in v) for k, v in c.special.items()})
    for c in INT_CONDITIONS if c.name in ("greater", "at_least", "less", "multiple", "differs")
)  # fmt: skip
KEY_CONDITIONS = tuple(
    replace(c, name=f"key_{c.name}", says=tuple(f"with keys {s}" for s in c.says))
    for c in WORD_CONDITIONS if c.name in ("longer", "shorter", "starts", "contains", "lacks")
)  # fmt: skip
ENTRY_CONDITIONS = VALUE_CONDITIONS + KEY_CONDITIONS

KEY_VALUES = (
    Value("key", "{x}", "replaced by its key", "takes the key of {e}", (), ("{y}",), "str"),
    Value("key_upper", "{x}.upper()", "replaced by its key in upper case",
          "takes the upper-cased key of {e}", (), ("{x}.lower()", "{x}"), "str"),
    Value("key_first", "{x}[0]", "replaced by the first letter of its key",
          "takes the first letter of the key of {e}", (), ("{x}[1]", "{x}[-1]"), "str"),
    Value("value", "{y}", "replaced by its value", "takes the value of {e}", (), ("{x}",), "int"),
    Value("key_length", "len({x})", "replaced by the length of its key",
          "takes the length of the key of {e}", (), ("len({x}) + 1", "{y}"), "int"),
)  # fmt: skip
NUMBER_VALUES = tuple(
    replace(v, name=f"value_{v.name}", code=_second(v.code), wrong=tuple(map(_second, v.wrong)),
            each=f"replaced by its value {v.each}",
            do="takes the value of {e} and " + v.do.replace("{e}", "it"))
    for v in INT_VALUES if v.name in ("square", "times", "plus", "minus", "cap", "modulo")
)  # fmt: skip
ENTRY_VALUES = KEY_VALUES + NUMBER_VALUES
