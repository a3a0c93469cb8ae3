"""What becomes of the elements that a pipeline has kept and changed: the ends, with their mistakes.

`short` is one expression, where `{g}` is the whole generator ("v for x in xs if c"), `{h}` what
follows its value ("for x in xs if c"), `{f}` its loop and `{c}` its condition; `start`, `step` and
`finish` are the loop that does the same, `{v}` being the value. Some ends have only the loop.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class End:
    """How values become the result. `says` completes "returns ..."."""

    name: str
    takes: str  # "int", "str", "any", "cond" (elements as they are) or "entry" (of a dict)
    says: tuple[str, ...]
    short: str = ""
    start: str = ""
    step: str = ""
    finish: str = "return result"
    wrong: tuple[str, ...] = ()  # wrong short forms
    wrong_loop: tuple[tuple[str, str, str], ...] = ()  # wrong (start, step, finish)


ENDS = (
    End("list", "any", ("a list of", "the list of"), "[{g}]",
        "result = []", "result.append({v})", wrong=("sorted({g})",),
        wrong_loop=(("result = []", "result.append({v})", "return result[1:]"),
                    ("result = []", "result.insert(0, {v})", "return result"))),
    End("sum", "int", ("the sum of", "the total of"), "sum({g})",
        "total = 0", "total += {v}", "return total", ("max([{g}])", "len([{g}])"),
        (("total = 1", "total += {v}", "return total"),
         ("total = 0", "total = {v}", "return total"))),
    End("product", "int", ("the product of",), "",
        "result = 1", "result *= {v}", "return result", (),
        (("result = 0", "result *= {v}", "return result"),
         ("result = 1", "result += {v}", "return result"))),
    End("largest", "int", ("the largest (or 0 if there are none) of",
                           "the maximum, or 0 if nothing is left, of"),
        "max([{g}], default=0)", "values = []", "values.append({v})",
        "return max(values) if values else 0",
        ("max([{g}])", "min([{g}], default=0)"),
        (("values = []", "values.append({v})", "return max(values)"),
         ("values = []", "values.append({v})", "return min(values) if values else 0"))),
    End("smallest", "int", ("the smallest (or 0 if there are none) of",
                            "the minimum, or 0 if nothing is left, of"),
        "min([{g}], default=0)", "values = []", "values.append({v})",
        "return min(values) if values else 0",
        ("min([{g}])", "max([{g}], default=0)"),
        (("values = []", "values.append({v})", "return min(values)"),
         ("values = []", "values.append({v})", "return max(values) if values else 0"))),
    End("distinct", "any", ("how many different values there are among",
                            "the number of distinct values among"),
        "len(set({g}))", "seen = set()", "seen.add({v})", "return len(seen)",
        ("len([{g}])",), (("seen = []", "seen.append({v})", "return len(seen)"),)),
    End("sorted", "any", ("the sorted list of", "the list, sorted in ascending order, of"),
        "sorted({g})",
        "result = []", "result.append({v})", "return sorted(result)",
        ("[{g}]", "sorted([{g}], reverse=True)"),
        (("result = []", "result.append({v})", "return result"),
         ("result = []", "result.append({v})", "return result.sort()"))),
    End("descending", "any", ("the list, sorted from largest to smallest, of",
                              "the list, sorted in descending order, of"),
        "sorted([{g}], reverse=True)", "result = []", "result.append({v})",
        "return sorted(result, reverse=True)", ("sorted({g})", "[{g}][::-1]"),
        (("result = []", "result.append({v})", "return sorted(result)"),
         ("result = []", "result.append({v})", "return result[::-1]"))),
    End("backwards", "any", ("the list, in reverse order, of",), "[{g}][::-1]",
        "result = []", "result.append({v})", "return result[::-1]",
        ("[{g}]", "sorted([{g}], reverse=True)"),
        (("result = []", "result.append({v})", "return result"),
         ("result = []", "result.append({v})", "return result.reverse()"))),
    End("running", "int", ("the list of running totals of",), "",
        "result = []\ntotal = 0", "total += {v}\nresult.append(total)", "return result", (),
        (("result = []\ntotal = 0", "result.append(total)\ntotal += {v}", "return result"),
         ("result = []\ntotal = 0", "total = {v}\nresult.append(total)", "return result"))),
    End("spread", "int", ("the difference between the largest and smallest (0 if none) of",), "",
        "values = []", "values.append({v})",
        "return max(values) - min(values) if values else 0", (),
        (("values = []", "values.append({v})", "return max(values) - min(values)"),
         ("values = []", "values.append({v})",
          "return max(values) - values[0] if values else 0"))),
    End("unique", "any", ("the list without repeats of",
                          "the list, keeping only the first of equal values, of"), "",
        "result = []", "if {v} not in result:\n    result.append({v})", "return result", (),
        (("result = []", "result.append({v})", "return result"),
         ("result = []", "if {v} in result:\n    result.append({v})", "return result"))),
    End("joined", "str", ("one string made of",), "\"\".join({g})",
        "result = \"\"", "result += {v}", "return result",
        ("\" \".join({g})", "[{g}]"),
        (("result = \"\"", "result = {v} + result", "return result"),
         ("result = \"\"", "result = {v}", "return result"))),
    End("dashed", "str", ("a string joined with dashes of",), "\"-\".join({g})",
        "parts = []", "parts.append({v})", "return \"-\".join(parts)",
        ("\"\".join({g})", "\" \".join({g})"),
        (("parts = []", "parts.append({v})", "return \"\".join(parts)"),
         ("parts = []", "parts.append({v})", "return \" \".join(parts)"))),
    End("tally", "str", ("a dict that counts each of",
                         "a dict with the number of times of each of"),
        "", "counts = {}", "counts[{v}] = counts.get({v}, 0) + 1", "return counts", (),
        (("counts = {}", "counts[{v}] = 1", "return counts"),
         ("counts = {}", "counts[{v}] = counts.get({v}, 1) + 1", "return counts"))),
    End("longest", "str", ("the longest (first of equals, or \"\" if none) of",),
        "max([{g}], key=len, default=\"\")", "best = \"\"",
        "if len({v}) > len(best):\n    best = {v}", "return best",
        ("max([{g}], default=\"\")", "min([{g}], key=len, default=\"\")"),
        (("best = \"\"", "if len({v}) >= len(best):\n    best = {v}", "return best"),
         ("best = \"\"", "if {v} > best:\n    best = {v}", "return best"))),
    End("count", "cond", ("how many there are of", "the number of"), "sum(1 {h})",
        "count = 0", "count += 1", "return count", ("sum({x} {h})",),
        (("count = 1", "count += 1", "return count"),
         ("count = 0", "count += {v}", "return count"))),
    End("any", "cond", ("whether there are any of", "True if there is at least one of"),
        "any({c} {f})",
        "", "return True", "return False", ("all({c} {f})",),
        (("", "return False", "return True"), ("", "return True", "return True"))),
    End("first", "any", ("the first (or None if there is none) of",), "next(({g}), None)",
        "", "return {v}", "return None", (), (("result = None", "result = {v}", "return result"),)),
    End("mapping", "entry", ("a dict that maps the keys to the values of",),
        "{{x}: {v} {h}}", "result = {}", "result[{x}] = {v}", "return result",
        ("{{v}: {x} {h}}",),
        (("result = {}", "result[{v}] = {x}", "return result"),
         ("result = {}", "result = {{x}: {v}}", "return result"))),
)  # fmt: skip
