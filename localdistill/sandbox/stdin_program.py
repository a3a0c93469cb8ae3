"""What runs in a confined child: a candidate's whole program, on standard input and output."""

from __future__ import annotations

import builtins
import os
import sys
import types
from typing import NoReturn

from localdistill.sandbox.at_exit import finish
from localdistill.sandbox.candidate import FATAL, compiled, fatal
from localdistill.sandbox.channel import Line
from localdistill.sandbox.codec import encode
from localdistill.sandbox.own_file import own_file


def run_program(line: Line, source: str) -> NoReturn:
    """Run ``source`` as a whole program on descriptors 0 and 1, and end as Python would."""
    main = types.ModuleType("__main__")
    code = compiled(line, source, own_file(main, "main.py", source))
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    # Who asks for the original ones gets these too: those of the warm parent are its own.
    sys.__dict__.update(__stdin__=sys.stdin, __stdout__=sys.stdout)
    exit_code = 0
    try:
        exec(code, main.__dict__)  # noqa: S102
    except SystemExit as error:
        exit_code = _exit_code(error.code)
    except BaseException as error:
        exit_code = 1
        line.send(FATAL, encode(fatal(error)))
    del main
    if not finish(source):
        exit_code = exit_code or 120  # as Python does where the last flush fails
    os._exit(exit_code)


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1
