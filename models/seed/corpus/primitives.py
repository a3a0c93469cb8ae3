"""The parts that tasks are composed of: conditions, values and ends, with their usual mistakes.

In a template `{x}` is the element, `{k}` a constant and `{j}` five more than it.
`wrong` lists what people write by mistake.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Constant = int | str

# Parts that differ from each other in no more than a constant: held out together.
UNITS = {
    "greater": "bound_below", "at_least": "bound_below",
    "less": "bound_above", "at_most": "bound_above",
    "multiple": "residue", "last_digit": "residue", "remainder": "residue",
    "plus": "shift", "minus": "shift",
    "value_greater": "value_bound_below", "value_at_least": "value_bound_below",
    "value_plus": "value_shift", "value_minus": "value_shift",
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """A test on one element."""

    name: str
    code: str
    says: tuple[str, ...]  # completes "that are ..." / "numbers that ..."
    constants: tuple[Constant, ...] = ()
    wrong: tuple[str, ...] = ()
    special: dict[Constant, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def unit(self) -> str:
        """The part that it is held out with."""
        return UNITS.get(self.name, self.name)

    @property
    def identity(self) -> str:
        """Equal for parts that are made alike and usually got wrong alike."""
        return f"{self.code} | {self.wrong[0] if self.wrong else ''}"


@dataclass(frozen=True)
class Value:
    """A function of one element. `each` follows "each ...", and in `do` `{e}` is the element."""

    name: str
    code: str
    each: str
    do: str
    constants: tuple[Constant, ...] = ()
    wrong: tuple[str, ...] = ()
    gives: str = "same"  # the type of the result: "int", "str" or "same" as the element

    @property
    def unit(self) -> str:
        """The part that it is held out with."""
        return UNITS.get(self.name, self.name)

    @property
    def identity(self) -> str:
        """Equal for parts that are made alike and usually got wrong alike."""
        return f"{self.code} | {self.wrong[0] if self.wrong else ''}"


INT_CONDITIONS = (
    Condition("greater", "{x} > {k}", ("that are greater than {k}", "above {k}", "larger than {k}"),
              (0, 2, 3, 4, 5, 6, 8, 10), ("{x} >= {k}", "{x} < {k}"),
              {0: ("that are positive", "that are greater than 0")}),
    Condition("at_least", "{x} >= {k}", ("that are at least {k}", "that are {k} or more"),
              (1, 2, 3, 4, 5, 6, 8, 10), ("{x} > {k}", "{x} > {k}", "{x} <= {k}")),
    Condition("less", "{x} < {k}", ("that are less than {k}", "below {k}", "smaller than {k}"),
              (3, 4, 5, 6, 7, 8, 9, 10), ("{x} <= {k}", "{x} > {k}")),
    Condition("at_most", "{x} <= {k}", ("that are at most {k}", "that are {k} or less"),
              (3, 4, 5, 6, 7, 8, 9), ("{x} < {k}", "{x} < {k}", "{x} >= {k}")),
    Condition("multiple", "{x} % {k} == 0", ("divisible by {k}", "that are multiples of {k}"),
              (2, 2, 3, 3, 4, 5), ("{x} % {k} == 1", "{x} % {k} != 0", "{x} % {k}"),
              {2: ("that are even", "that are divisible by 2")}),
    Condition("not_multiple", "{x} % {k} != 0",
              ("not divisible by {k}", "that are not multiples of {k}"),
              (2, 2, 3, 3, 4, 5), ("{x} % {k} == 0", "{x} % {k} == 1"),
              {2: ("that are odd", "that are not divisible by 2")}),
    Condition("differs", "{x} != {k}", ("other than {k}", "that are not equal to {k}"),
              (1, 2, 3, 4, 5, 6, 7), ("{x} == {k}", "{x} > {k}")),
    Condition("last_digit", "{x} % 10 == {k}",
              ("whose last digit is {k}", "that end in the digit {k}"),
              (1, 2, 3, 4, 5, 6, 7), ("{x} % {k} == 0", "{x} // 10 == {k}")),
    Condition("remainder", "{x} % 3 == {k}",
              ("that leave a remainder of {k} when divided by 3",),
              (1, 2), ("{x} % {k} == 0", "{x} // 3 == {k}")),
    Condition("between", "{k} <= {x} <= {j}",
              ("from {k} to {j} inclusive", "between {k} and {j}, both included"),
              (1, 2, 3, 4), ("{k} < {x} < {j}", "{k} <= {x} < {j}")),
)  # fmt: skip

INT_VALUES = (
    Value("square", "{x} * {x}", "squared", "squares {e}", (), ("{x} * 2", "{x} + {x}"), "int"),
    Value("times", "{x} * {k}", "multiplied by {k}", "multiplies {e} by {k}",
          (2, 3, 4, 5, 10), ("{x} + {k}", "{x} ** {k}"), "int"),
    Value("plus", "{x} + {k}", "increased by {k}", "adds {k} to {e}", (1, 2, 3, 4, 5, 10),
          ("{x} - {k}", "{x} * {k}"), "int"),
    Value("minus", "{x} - {k}", "decreased by {k}", "subtracts {k} from {e}", (1, 2, 3, 4, 5),
          ("{x} + {k}", "{k} - {x}"), "int"),
    Value("from", "{k} - {x}", "subtracted from {k}", "subtracts {e} from {k}", (5, 10, 20, 100),
          ("{x} - {k}", "{x} - {k}"), "int"),
    Value("cube", "{x} ** 3", "cubed", "cubes {e}", (), ("{x} * 3", "{x} ** 2"), "int"),
    Value("modulo", "{x} % {k}", "taken modulo {k}", "takes {e} modulo {k}", (2, 3, 4, 5, 7),
          ("{x} // {k}", "{x} / {k}"), "int"),
    Value("floor", "{x} // {k}", "floor-divided by {k}", "floor-divides {e} by {k}", (2, 3, 4),
          ("{x} / {k}", "{x} % {k}"), "int"),
    Value("cap", "min({x}, {k})", "capped at {k}", "caps {e} at {k}", (4, 5, 6, 7, 8),
          ("max({x}, {k})", "max({x}, {k})"), "int"),
    Value("raise", "max({x}, {k})", "raised to at least {k}", "raises {e} to at least {k}",
          (2, 3, 4, 5, 6), ("min({x}, {k})", "min({x}, {k})"), "int"),
    Value("distance", "abs({x} - {k})", "replaced by its distance to {k}",
          "takes the distance to {k} of {e}", (3, 4, 5, 6, 7),
          ("{x} - {k}", "abs({x}) - {k}"), "int"),
    Value("affine", "2 * {x} + {k}", "doubled and increased by {k}", "doubles and adds {k} to {e}",
          (1, 3, 5), ("2 * ({x} + {k})", "2 + {x} * {k}"), "int"),
)  # fmt: skip

WORD_CONDITIONS = (
    Condition("longer", "len({x}) > {k}", ("longer than {k} letters", "with more than {k} letters"),
              (2, 3, 4, 5), ("len({x}) >= {k}", "len({x}) < {k}")),
    Condition("shorter", "len({x}) < {k}", ("shorter than {k} letters", "with under {k} letters"),
              (4, 5, 6), ("len({x}) <= {k}", "len({x}) > {k}")),
    Condition("starts", "{x}.startswith({k})", ("that start with {k}", "beginning with {k}"),
              ("a", "b", "s", "t", "p"), ("{x}.endswith({k})", "{k} in {x}")),
    Condition("ends", "{x}.endswith({k})", ("that end with {k}", "ending in {k}"),
              ("e", "n", "s", "t", "r"), ("{x}.startswith({k})", "{k} in {x}")),
    Condition("contains", "{k} in {x}", ("that contain {k}", "containing {k}"),
              ("a", "e", "o", "t", "r"), ("{k} not in {x}", "{x}.startswith({k})")),
    Condition("lacks", "{k} not in {x}", ("that do not contain {k}", "without {k}"),
              ("a", "e", "o", "t", "r"), ("{k} in {x}", "not {x}.startswith({k})")),
    Condition("even_length", "len({x}) % 2 == 0", ("of even length", "whose length is even"),
              (), ("len({x}) % 2 == 1", "len({x}) % 2")),
    Condition("vowel_first", '{x}[0] in "aeiou"', ("that start with a vowel",),
              (), ('{x}[-1] in "aeiou"', '{x}[0] not in "aeiou"')),
    Condition("same_ends", "{x}[0] == {x}[-1]",
              ("whose first and last letters are the same",),
              (), ("{x}[0] == {x}[1]", "{x}[0] != {x}[-1]")),
)  # fmt: skip

WORD_VALUES = (
    Value("upper", "{x}.upper()", "in upper case", "upper-cases {e}", (),
          ("{x}.lower()", "{x}.capitalize()"), "str"),
    Value("capital", "{x}.capitalize()", "capitalized", "capitalizes {e}", (),
          ("{x}.upper()", "{x}.lower()"), "str"),
    Value("reverse", "{x}[::-1]", "reversed", "reverses {e}", (), ("{x}[::1]", "{x}[:-1]"), "str"),
    Value("first", "{x}[0]", "cut to its first letter", "takes the first letter of {e}", (),
          ("{x}[1]", "{x}[-1]"), "str"),
    Value("last", "{x}[-1]", "cut to its last letter", "takes the last letter of {e}", (),
          ("{x}[0]", "{x}[:-1]"), "str"),
    Value("rest", "{x}[1:]", "without its first letter", "drops the first letter of {e}", (),
          ("{x}[:1]", "{x}[:-1]"), "str"),
    Value("stem", "{x}[:-1]", "without its last letter", "drops the last letter of {e}", (),
          ("{x}[-1]", "{x}[1:]"), "str"),
    Value("prefix", "{x}[:{k}]", "cut to its first {k} letters",
          "takes the first {k} letters of {e}",
          (2, 3), ("{x}[{k}:]", "{x}[:{k} - 1]"), "str"),
    Value("suffix", "{x} + {k}", "followed by {k}", "appends {k} to {e}", ("!", "s", "?", "-"),
          ("{k} + {x}", "{x}"), "str"),
    Value("twice", "{x} * 2", "repeated twice", "repeats {e} twice", (),
          ("{x} * 3", "{x} + {x}[0]"), "str"),
    Value("swap", "{x}.replace({k}, \"*\")", "with {k} replaced by \"*\"", "masks {k} in {e}",
          ("a", "e", "o"), ("{x}.replace(\"*\", {k})", "{x}.strip({k})"), "str"),
    Value("length", "len({x})", "replaced by its length", "takes the length of {e}", (),
          ("len({x}) - 1", "len({x}) + 1"), "int"),
    Value("letter_count", "{x}.count({k})", "replaced by its number of {k}", "counts {k} in {e}",
          ("a", "e", "o", "t"), ("{x}.index({k})", "{x}.find({k})"), "int"),
)  # fmt: skip

CHAR_CONDITIONS = (
    Condition("digit", "{x}.isdigit()", ("that are digits",), (),
              ("{x}.isalpha()", "not {x}.isdigit()")),
    Condition("letter", "{x}.isalpha()", ("that are letters",), (),
              ("{x}.isdigit()", "not {x}.isalpha()", "{x}.isalnum()")),
    Condition("is_upper", "{x}.isupper()", ("that are upper case",), (),
              ("{x}.islower()", "not {x}.isupper()")),
    Condition("is_lower", "{x}.islower()", ("that are lower case",), (),
              ("{x}.isupper()", "{x}.isalpha()")),
    Condition("vowel", '{x}.lower() in "aeiou"', ("that are vowels",), (),
              ('{x}.lower() not in "aeiou"', '{x} in "aeiou"')),
    Condition("no_vowel", '{x}.lower() not in "aeiou"', ("that are not vowels",), (),
              ('{x}.lower() in "aeiou"', '{x} not in "aeiou"')),
    Condition("not_char", "{x} != {k}", ("other than {k}", "that are not {k}"),
              (" ", "a", "e", "-"), ("{x} == {k}", "{x} > {k}")),
    Condition("before", "{x} < {k}", ("that come before {k} in order",), ("k", "m", "p"),
              ("{x} > {k}", "{x} <= {k}")),
)  # fmt: skip

CHAR_VALUES = (
    Value("upper", "{x}.upper()", "in upper case", "upper-cases {e}", (),
          ("{x}.lower()", "{x}"), "str"),
    Value("lower", "{x}.lower()", "in lower case", "lower-cases {e}", (),
          ("{x}.upper()", "{x}"), "str"),
    Value("swapcase", "{x}.swapcase()", "with its case swapped", "swaps the case of {e}", (),
          ("{x}.upper()", "{x}.lower()"), "str"),
    Value("twice", "{x} * 2", "repeated twice", "repeats {e} twice", (), ("{x} * 3", "{x}"), "str"),
    Value("tag", "{x} + {k}", "followed by {k}", "appends {k} to {e}", (".", "-", "*"),
          ("{k} + {x}", "{x}"), "str"),
    Value("code", "ord({x})", "replaced by its code point", "takes the code point of {e}", (),
          ("ord({x}) - 97", "ord({x}) + 1"), "int"),
    Value("wrap", "{k} + {x}", "preceded by {k}", "prepends {k} to {e}", (".", "-", "*"),
          ("{x} + {k}", "{x}"), "str"),
)  # fmt: skip
