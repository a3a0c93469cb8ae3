"""The command ``try``: ask the old and the new model of a run, and see both answers."""

from __future__ import annotations

import argparse
import contextlib
import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from localdistill import trial
from localdistill.display.answers import Pair, Screen, Shown, open_screen
from localdistill.errors import ConfigError, LocaldistillError, Stopped
from localdistill.stages.running import RUNNING
from localdistill.trial_tests import read_tests
from localdistill.types import Problem
from localdistill.usage import add_progress

_PASTE_S = 0.05  # lines of one paste come closer together than a person types
_PROMPT = "try> "


def add_commands(commands: Any) -> None:
    """Add ``try`` to ``commands`` (an argparse sub-parsers object)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "try",
        help="ask a run's old and new model, and see both answers side by side",
        description="Without a prompt it asks for one after the other, on a terminal; Ctrl-D ends "
        "it. Each model is decoded as it was when the two were compared.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("prompt", nargs="?", help="what to ask; - reads it from standard input")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--problem", metavar="ID", help="a problem of the run, with its tests")
    which.add_argument("--tests", type=Path, metavar="FILE", help="asserts in Python, or JSON")
    parser.add_argument("--samples", type=int, default=1, help="answers of each model (default 1)")
    parser.add_argument("--greedy", action="store_true", help="the likeliest token, always")
    parser.add_argument("--seed", type=int, default=0, help="another one gives other answers")
    parser.add_argument("--sandbox", help="default: as the run had it")
    add_progress(parser)
    parser.set_defaults(act=run_try_command)


def run_try_command(options: argparse.Namespace) -> None:
    """Ask, and show the answers.

    Raises:
        ConfigError: there is nothing to ask or to compare with; the message says what is missing.
    """
    if options.samples < 1:
        raise ConfigError(f"--samples {options.samples}: give 1 or more.")
    models = trial.models_of(options.run, greedy=options.greedy)
    tests = read_tests(options.tests) if options.tests else None
    how = trial.Options(options.samples, options.seed, options.sandbox)
    screen = open_screen(options.progress, sys.stdout)
    if options.problem is not None:
        if options.prompt is not None:
            raise ConfigError("--problem brings its own prompt: leave yours out.")
        _show(screen, models, trial.problem_of(options.run, options.problem), how)
    elif options.prompt is not None:
        prompt = sys.stdin.read() if options.prompt == "-" else options.prompt
        _show(screen, models, _problem(prompt, tests), how)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        _converse(screen, models, tests, how)
    else:
        raise ConfigError(
            "Nothing to ask: give a prompt, - for one on standard input, or --problem."
        )


def _problem(prompt: str, tests: dict[str, Any] | None) -> Problem:
    if not prompt.strip():
        raise ConfigError("The prompt is empty.")
    return trial.typed(prompt.strip("\n"), tests)


def _show(screen: Screen, models: trial.Models, problem: Problem, how: trial.Options) -> None:
    with screen.working() as says:
        old, new = trial.ask(models, problem, how, says)
    screen.show(problem.prompt, pairs(models, old, new))


def pairs(
    models: trial.Models, old: tuple[trial.Answer, ...], new: tuple[trial.Answer, ...]
) -> list[Pair]:
    """Answers as they are shown: the first of one model beside the first of the other."""
    return [
        (_shown(models.old, one), _shown(models.new, other))
        for one, other in zip(old, new, strict=True)
    ]


def _shown(model: trial.Asked, answer: trial.Answer) -> Shown:
    verdict = answer.verdict
    outcome = None
    if verdict is not None:
        detail = f" ({verdict.detail})" if verdict.detail else ""
        outcome = verdict.status.replace("_", " ") + detail
    return Shown(
        model=answer.model,
        decoding=model.sampling.told(),
        text=answer.text,
        notes=f"{answer.tokens:,} tokens" + (", cut at its length" if answer.cut else ""),
        outcome=outcome,
        passed=verdict is not None and verdict.passed,
    )


def _converse(
    screen: Screen, models: trial.Models, tests: dict[str, Any] | None, how: trial.Options
) -> None:
    """Prompt after prompt, until the end of input; Ctrl-C gives up one answer only."""
    with contextlib.suppress(ImportError):
        import readline  # line editing and history for input()

        # A paste is then one line to it, however many it has; Python turns that off.
        readline.parse_and_bind("set enable-bracketed-paste on")
    print("Type or paste a prompt and press Enter; Ctrl-D ends.")  # noqa: T201
    for prompt in typed(sys.stdin, lambda: input(_PROMPT)):
        try:
            _show(screen, models, _problem(prompt, tests), how)
        except (KeyboardInterrupt, Stopped):
            print("stopped")  # noqa: T201
        except LocaldistillError as error:
            print(f"localdistill: {error}", file=sys.stderr)  # noqa: T201
        finally:
            RUNNING.reset()  # the wish to stop was for this answer


def typed(stream: TextIO, read: Callable[[], str], paste_s: float = _PASTE_S) -> Iterator[str]:
    """Prompts as they are typed: a line, with all that was pasted after it; empty ones are not.

    ``read`` gives a line of ``stream`` and raises ``EOFError`` at its end. Lines of one paste are
    there at once, which a person's next line is not.
    """
    while True:
        try:
            lines = [read()]
            while select.select([stream], [], [], paste_s)[0]:
                line = stream.readline()
                if not line:
                    break
                lines.append(line.rstrip("\n"))
        except EOFError:
            return
        except KeyboardInterrupt:
            print()  # noqa: T201
            continue
        # What is pasted while a terminal is read character by character has its Enter key's "\r".
        text = "\n".join(lines).replace("\r", "\n").rstrip("\n")
        if text.strip():
            yield text
