"""The command line: parse, dispatch, print. What commands do is in the pipeline and stages."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import localdistill
from localdistill import config as configuration
from localdistill import problems, run_command, selection, starting_points, steering
from localdistill.catalogue_command import add_models_command, run_models_command
from localdistill.config import Config
from localdistill.display import KINDS
from localdistill.doctor_command import add_doctor_command, run_doctor_command
from localdistill.errors import ConfigError, LocaldistillError, storage_error
from localdistill.models import models_dir
from localdistill.plan_command import add_plan_command, run_plan_command
from localdistill.report_command import add_report_command, run_report_command
from localdistill.stage_commands import add_stage_commands, run_stage_command
from localdistill.try_command import add_try_command, run_try_command
from localdistill.watch_command import add_watch_command, run_watch_command

_STOPPED = 130  # as shells say for a command ended by Ctrl-C
_BROKEN_PIPE = 141  # and for one ended by SIGPIPE
_READY_SETS = (
    "Ready sets: MBPP (mbpp.jsonl of google-research, "
    "--problems mbpp:mbpp.jsonl#train), HumanEval (HumanEval.jsonl.gz of openai/human-eval), or "
    "your own JSONL with id, prompt, entry_point and tests."
)


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line that names the nearest valid option."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            raise ConfigError(self._command(options.command)._unknown(unknown[0].split("=")[0]))
        if options.command is None:
            self.error("a command is missing")
        return options

    def _command(self, name: str | None) -> _Parser:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found: _Parser = action.choices.get(name or "", self)
                return found
        return self

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is one argument too many. See {self.prog} --help."
        valid = [option for action in self._actions for option in action.option_strings]
        return f"There is no option {word} here.{_nearest(word, valid, self.prog)}"

    def error(self, message: str) -> NoReturn:
        number = re.fullmatch(r"argument (\S+): invalid (int|float) value: (.*)", message)
        choice = re.fullmatch(r"argument COMMAND: invalid choice: '(.*)' \(choose .*", message)
        if number:
            kind = "a whole number" if number[2] == "int" else "a number"
            message = f"{number[1]} {number[3]}: give {kind}."
        elif choice:
            valid = [name for action in self._actions for name in action.choices or ()]
            message = f"There is no command {choice[1]}.{_nearest(choice[1], valid, self.prog)}"
        elif message.startswith("the following arguments are required") and "--problems" in message:
            message = f"{message}. {_READY_SETS}"
        else:
            message = f"{message}. See {self.prog} --help."
        raise ConfigError(message)


def _nearest(word: str, valid: list[str], program: str) -> str:
    near = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else f" See {program} --help."


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _Parser(prog="localdistill", description=localdistill.__doc__)
    parser.add_argument("--version", action="version", version=localdistill.__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="improve a model over one or more rounds, and say whether it got better",
        description="Without a model it runs on the bundled seed model and its problems. The same "
        "command on an existing run directory goes on where it was.",
    )
    run.add_argument("config", nargs="?", type=Path, metavar="CONFIG.toml")
    run.add_argument("--model", help=starting_points.HELP)
    run.add_argument("--problems", help="[FORMAT:]FILE[#PART] to train on")
    run.add_argument("--dev-problems", help="for choices between rounds (else 15%% of --problems)")
    text = "for the final comparison (else 15%% of --problems)"
    run.add_argument("--eval-problems", help=text)
    run.add_argument("--limit", type=int, help="use the first N problems of each set")
    run.add_argument("--rounds", type=int)
    run.add_argument("--samples", type=int, help="completions a problem")
    run.add_argument("--select", help=", ".join(selection.names()))
    run.add_argument(
        "--compare", metavar="S,S", help="train by each of these strategies, compare them on dev"
    )
    run.add_argument(
        "--compare-tokens", type=int, metavar="N", help="trained tokens each (else the least)"
    )
    run.add_argument(
        "--controls", metavar="C,C", help="references, shuffled: what tuning alone would give"
    )
    run.add_argument(
        "--hours", type=float, help="working time of all calls: end in it, with the best model"
    )
    run.add_argument("--seed", type=int)
    run.add_argument(
        "--deterministic", action="store_true", default=None, help="equal texts after a kill"
    )
    run.add_argument(
        "--adaptive",
        action="store_true",
        default=None,
        help="draw by what passes: no more of a problem than selection will keep",
    )
    run.add_argument("--run-dir", type=Path)
    run.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any setting: train.rank=8"
    )
    run.add_argument(
        "--on-finish", metavar="COMMAND", help="run it at the end; the result is JSON on its stdin"
    )
    add_progress(run)
    add_watch_command(commands, add_progress)
    add_stage_commands(commands, add_progress)
    add_models_command(commands)
    add_plan_command(commands)
    add_doctor_command(commands)
    add_report_command(commands)
    add_try_command(commands, add_progress)
    return parser


def add_progress(parser: argparse.ArgumentParser) -> None:
    """The option that chooses the display."""
    parser.add_argument("--progress", choices=KINDS, help="default: live on a terminal, else plain")


_OPTIONS = {
    "model": "model",
    "problems": "problems",
    "dev_problems": "dev_problems",
    "eval_problems": "eval_problems",
    "limit": "limit",
    "rounds": "rounds",
    "samples": "generate.samples",
    "select": "select.strategy",
    "seed": "seed",
    "deterministic": "deterministic",
    "adaptive": "generate.adaptive",
    "compare": "compare",
    "compare_tokens": "compare_tokens",
    "controls": "controls",
    "hours": "hours",
}
_LISTS = ("compare", "controls")  # given with commas
_PATHS = ("model", "problems", "dev_problems", "eval_problems")


def run_config(options: argparse.Namespace) -> Config:
    """The configuration that the options of `run` describe."""
    values: dict[str, Any] = {}
    file = options.config
    if file is None and options.model is None:
        file = models_dir() / "seed" / "run.toml"
    if file is not None:
        values = configuration.read_toml(file)
        for name in _PATHS:  # a path in a file is relative to that file
            if isinstance(values.get(name), str):
                values[name] = _anchored(name, values[name], file.resolve().parent)
    for option, name in _OPTIONS.items():
        value = getattr(options, option)
        if option in _LISTS and value is not None:
            value = [part.strip() for part in value.split(",") if part.strip()]
        if value is not None:
            configuration.apply(values, name, _anchored(name, value))
    for text in options.set:
        name, value = configuration.parse_assignment(text)
        configuration.apply(values, name, _anchored(name, value))
    if "model" in values and "problems" not in values:
        raise ConfigError(f"--model needs --problems FILE. {_READY_SETS}")
    config = configuration.build(values)
    located = starting_points.locate(
        config.model, progress=options.progress, before=lambda: _check_cheaply(config)
    )
    # Absolute, where it was a name: the same model, from wherever the run is continued.
    return config.model_copy(update={"model": str(Path.cwd() / located)})


def _check_cheaply(config: Config) -> None:
    """What would make it pointless to fetch gigabytes."""
    from localdistill import preflight

    preflight.check_names(config)
    for spec in (config.problems, config.dev_problems, config.eval_problems):
        if spec is not None:
            problems.load(spec, config.limit)


def _anchored(name: str, value: Any, folder: Path | None = None) -> Any:
    """A path made absolute: the same file, from wherever the run is continued."""
    folder = folder or Path.cwd()
    if name not in _PATHS or not isinstance(value, str):
        return value
    if name == "model" and not (folder / value).exists() and starting_points.is_name(value):
        return value
    return _relative_to(folder, value)


def _relative_to(folder: Path, spec: str) -> str:
    head, colon, rest = spec.partition(":")
    if colon and "/" not in head:
        return f"{head}:{folder / rest}"
    return str(folder / spec)


def _complain(text: str) -> None:
    """One line, whatever a file's name or a library's message holds."""
    line = "".join(c if c.isprintable() else " " for c in text)
    print(f"localdistill: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the command ``localdistill``; ends the process with its exit code."""
    steering.install()
    options = argparse.Namespace()
    try:
        options = build_parser().parse_args(arguments)
        commands: dict[str, Callable[[argparse.Namespace], None]] = {
            "run": lambda given: run_command.run(given, run_config),
            "watch": run_watch_command,
            "models": run_models_command,
            "doctor": run_doctor_command,
            "plan": run_plan_command,
            "report": run_report_command,
            "try": run_try_command,
        }
        commands.get(options.command, run_stage_command)(options)
    except LocaldistillError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `| head`: whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)
    except OSError as error:
        place = getattr(options, "out", None) or getattr(options, "run_dir", None)
        _complain(str(storage_error(error, place) or error))
        sys.exit(2)
    except KeyboardInterrupt:
        _complain("stopped; the same command goes on from here.")
        sys.exit(_STOPPED)
    sys.exit(0)
