"""What all commands' options have in common: how bad usage is told, and the display's option."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import Any, NoReturn

from localdistill.display import KINDS
from localdistill.errors import ConfigError

READY_SETS = (
    "Ready sets: MBPP (mbpp.jsonl of google-research, "
    "--problems mbpp:mbpp.jsonl#train), HumanEval (HumanEval.jsonl.gz of openai/human-eval), or "
    "your own JSONL with id, prompt, entry_point and tests."
)


class Parser(argparse.ArgumentParser):
    """Bad usage is one line that names the nearest valid option."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As in the class above, but what is unknown or missing is told in our words.

        Raises:
            ConfigError: an option or an argument too many, or no command.
        """
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            raise ConfigError(self._command(options.command)._unknown(unknown[0].split("=")[0]))
        if options.command is None:
            self.error("a command is missing")
        return options

    def _command(self, name: str | None) -> Parser:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found: Parser = action.choices.get(name or "", self)
                return found
        return self

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is one argument too many. See {self.prog} --help."
        valid = [option for action in self._actions for option in action.option_strings]
        return f"There is no option {word} here.{_nearest(word, valid, self.prog)}"

    def error(self, message: str) -> NoReturn:
        """Tell of bad usage; argparse's own method would end the process.

        Raises:
            ConfigError: always.
        """
        number = re.fullmatch(r"argument (\S+): invalid (int|float) value: (.*)", message)
        choice = re.fullmatch(r"argument COMMAND: invalid choice: '(.*)' \(choose .*", message)
        if number:
            kind = "a whole number" if number[2] == "int" else "a number"
            message = f"{number[1]} {number[3]}: give {kind}."
        elif choice:
            valid = [name for action in self._actions for name in action.choices or ()]
            message = f"There is no command {choice[1]}.{_nearest(choice[1], valid, self.prog)}"
        elif message.startswith("the following arguments are required") and "--problems" in message:
            message = f"{message}. {READY_SETS}"
        else:
            message = f"{message}. See {self.prog} --help."
        raise ConfigError(message)


def _nearest(word: str, valid: list[str], program: str) -> str:
    near = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else f" See {program} --help."


def add_progress(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses the display."""
    parser.add_argument("--progress", choices=KINDS, help="default: live on a terminal, else plain")
