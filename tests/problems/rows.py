"""Small rows in the shape of each format, made up for these tests."""

import gzip
import json


def native(number=1, **changes):
    row = {"id": f"mine/{number}", "prompt": f"Write a Python function `add{number}(a)`."}
    return {**row, **changes}


def mbpp(number=601, **changes):
    row = {
        "task_id": number,
        "text": "Write a function to double a number.",
        "code": "def half(x):\r\n    return x / 2\r\ndef twice(x):\r\n    return half(x) * 4",
        "test_setup_code": "",
        "test_list": ["assert twice(2) == 4", "assert twice(0) == 0", "assert twice(-1) == -2"],
        "challenge_test_list": ["assert twice(9) == 18"],
    }
    return {**row, **changes}


def humaneval(number=0, **changes):
    row = {
        "task_id": f"HumanEval/{number}",
        "prompt": (
            "import math\n\n\ndef shift(x: int) -> int:\n    return x + 1\n\n\n"
            'def jump(x: int) -> int:\n    """ Shift twice.\n    >>> jump(1)\n    3\n    """\n'
        ),
        "entry_point": "jump",
        "canonical_solution": "    return shift(shift(x))\n",
        "test": "\n\ndef check(candidate):\n    assert candidate(1) == shift(2)\n",
    }
    return {**row, **changes}


def write(path, *rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return str(path)
