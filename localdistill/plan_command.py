"""The command ``plan``: what a run will take of a machine's memory, and of its disk."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from localdistill import disk_use, folders, gpus, memory, starting_points
from localdistill.catalogue import memory as estimates
from localdistill.catalogue.entry import Entry
from localdistill.catalogue.load import read_catalogue
from localdistill.config import MAX_SLOTS, EvaluateConfig, TrainConfig
from localdistill.cores import usable_cores
from localdistill.detectable import what_can_be_shown
from localdistill.display.plan import Plan, show
from localdistill.display.plan_disk import show_disk
from localdistill.display.plan_train import Row, TrainPlan, show_training
from localdistill.errors import ConfigError, ModelError
from localdistill.models import default_home, models_dir
from localdistill.problems import load
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.start import find_gguf
from localdistill.stages import this_machine, train_here
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.model_shape import shape_of
from localdistill.stages.sizing import Task, longest_prompt
from localdistill.stages.split import is_comparable
from localdistill.stages.train_shape import Trainable, trainable
from localdistill.stages.train_sizing import Wish
from localdistill.stages.train_table import machines, outcome
from localdistill.trainers.cpu import bytes_of_a_value

_PROMPT = 512  # tokens of a prompt where no problems are named


@dataclass(frozen=True)
class _Subject:
    """The model that is planned for."""

    name: str
    gguf: Path | None  # None: there is none, or none yet
    training: Trainable | None
    entry: Entry | None = None  # of the catalogue, where the model is not on this disk
    reason: str = ""  # why it cannot be trained


def add_commands(commands: Any) -> None:
    """Add ``plan`` to ``commands`` (an argparse sub-parsers object)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "plan",
        help="what generation and training will take of this machine's memory and disk",
        description="From the header of the model's file and the memory that is free now; a model "
        "of the catalogue need not be on this disk.",
    )
    parser.add_argument("--model", help=f"{starting_points.HELP}; else the seed model")
    parser.add_argument("--problems", help="[FORMAT:]FILE[#PART], for the length of prompts")
    text = "what models will be compared on: how large a gain that can find"
    parser.add_argument("--eval-problems", metavar="PROBLEMS", help=text)
    samples = EvaluateConfig().samples
    text = f"of each of those, evaluate.samples ({samples})"
    parser.add_argument("--eval-samples", type=int, default=samples, metavar="N", help=text)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--slots", type=int, help="sequences decoded together")
    parser.add_argument("--weights", choices=("auto", "stored", "f16"), default="auto")
    text = "what a run with --deterministic takes: room for all slots at full length"
    parser.add_argument("--deterministic", action="store_true", help=text)
    parser.add_argument("--samples", type=int, default=8, help="completions a problem (8)")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=1, help="of a run, for the disk (1)")
    parser.add_argument("--keep", choices=("best+last", "all"), default="best+last")
    parser.add_argument("--run-dir", type=Path, help="where it will be; else the usual place")
    defaults = TrainConfig()
    text = f"train.rank ({defaults.rank})"
    parser.add_argument("--rank", type=int, default=defaults.rank, help=text)
    text = f"train.max_length ({defaults.max_length})"
    parser.add_argument("--max-length", type=int, default=defaults.max_length, help=text)
    text = f"train.batch_size ({defaults.batch_size})"
    parser.add_argument("--batch-size", type=int, default=defaults.batch_size, help=text)
    parser.set_defaults(act=run_plan_command)


def run_plan_command(options: argparse.Namespace) -> None:
    """Show what generation and training would take.

    Raises:
        ModelError: the file is no model.
        MemoryShortage: generation does not fit; the message has the figures.
    """
    if options.rounds < 1:
        raise ConfigError(f"--rounds {options.rounds}: give 1 or more.")
    if options.eval_samples < 1:
        raise ConfigError(f"--eval-samples {options.eval_samples}: give 1 or more.")
    # Read before anything is shown, as it may be no problem set.
    compared = _comparable(options.eval_problems) if options.eval_problems else 0
    subject = _subject(options.model)
    wish = _wish(options)
    _show_generation(subject, options)
    sys.stdout.write("\n")
    if subject.training is None:
        sys.stdout.write(f"Training: cannot be done. {subject.reason}\n")
    else:
        show_training(_training(subject.name, subject.training, wish), sys.stdout)
        sys.stdout.write("\n")
        _show_disk(subject.training, subject.gguf, options, compared)
    if compared:
        text, _ = what_can_be_shown(EvaluateConfig(samples=options.eval_samples), compared)
        sys.stdout.write(f"\n{text}\n")


def _show_disk(
    training: Trainable, gguf: Path | None, options: argparse.Namespace, compared: int
) -> None:
    """What a run takes; of a file that is yet to be made, as much as 4.5 bits a weight."""
    rounds = options.rounds
    path = Path(training.path)
    model = disk_use.Model(
        gguf=gguf.stat().st_size if gguf is not None else training.stored * 9 // 32,
        master=training.stored,
        adapter=4 * options.rank * training.shape.edges,
        made=training.stored if path.is_file() else 0,
    )
    problems = len(load(options.problems).problems) if options.problems else 0
    # Both models on eval, and each of them in every way of decoding on as many problems of dev.
    ways = 2 + (1 + rounds) * len(EvaluateConfig().grid())
    completions = problems * options.samples * rounds + ways * compared * options.eval_samples
    drawn = disk_use.Drawn(completions, options.max_tokens)
    place = options.run_dir or default_home()
    parts = disk_use.parts(model, rounds, options.keep, drawn)
    show_disk(parts, rounds, folders.free_bytes(place), place, sys.stdout)


def _comparable(problems: str) -> int:
    """How many of ``problems`` models can be compared on.

    Raises:
        ConfigError: none of them.
    """
    count = sum(map(is_comparable, load(problems).problems))
    if not count:
        raise ConfigError(f"--eval-problems {problems}: none has tests to compare by.")
    return count


def _subject(given: str | None) -> _Subject:
    if given is not None and not Path(given).exists():
        entry = next((entry for entry in read_catalogue() if entry.name == given), None)
        try:
            given = starting_points.locate(given, trained=False, fetch_it=False)
        except ConfigError as error:
            if entry is None:
                raise
            if entry.why_not_trainable is not None:
                raise ConfigError(f"--model {given}: {entry.why_not_trainable}.") from error
            shape = estimates.train_shape(entry.architecture)
            return _Subject(given, None, Trainable(given, shape, 2 * shape.parameters), entry)
    path = Path(given) if given is not None else models_dir() / "seed"
    gguf = find_gguf(path)
    name = (gguf or path).name
    try:
        return _Subject(name, gguf, trainable(path))
    except ModelError as error:
        if gguf is None:
            raise
        return _Subject(name, gguf, None, reason=str(error))  # but sampled, maybe


def _show_generation(subject: _Subject, options: argparse.Namespace) -> None:
    path = subject.gguf
    _check(options, path or Path(subject.name))
    if path is None:
        sys.stdout.write("\n".join(_without_file(subject)) + "\n")
        return
    problems = load(options.problems).problems if options.problems else []
    prompt = longest_prompt(problems) if problems else _PROMPT
    gguf, threads = read_header(path), options.threads or usable_cores()
    exact, weights = options.deterministic, options.weights
    task = Task(
        options.max_tokens,
        prompt,
        options.slots,
        exact=exact,
        samples=options.samples,
        requests=len(problems) * options.samples if problems else MAX_SLOTS,
        path=path,
        threads=threads,
        weights="stored" if exact and weights == "auto" else weights,
    )
    sizing = this_machine.choose_here(gguf, task)
    shape = shape_of(gguf)
    show(
        Plan(path, shape, task, sizing, threads, gpus.gpus(), this_machine.offloads()),
        sys.stdout,
    )


def _without_file(subject: _Subject) -> list[str]:
    lines = [f"Generation with {subject.name}"]
    if subject.entry is None:
        return [*lines, "  There is no GGUF file yet; `localdistill run` makes it of the folder."]
    found = estimates.inference(subject.entry.architecture)
    parts = ", ".join(f"{name} {memory.size(amount)}" for name, amount in found.parts.items())
    return [
        *lines,
        "  It is not on this disk. A Q4_K_M file, 8 slots of 2,048 tokens:",
        f"  {memory.size(found.total)}: {parts}",
    ]


def _training(model: str, training: Trainable, wish: Wish) -> TrainPlan:
    width = bytes_of_a_value()
    place, gpu = train_here.place()
    free = gpu.free if gpu is not None else memory.available_bytes()
    here = f"here, {'GPU' if place.gpu else 'CPU'}, {memory.size(free)}"
    rows, refusal = [], None
    for name, where, room in [*machines(width), (here, place, free)]:
        sizing, refusal, longest = outcome(training, wish, where, room)
        rows.append(Row(name, room, sizing, longest))
    return TrainPlan(model, wish.rank, wish.max_length, rows, refusal, width)


def _wish(options: argparse.Namespace) -> Wish:
    names = ("rank", "max_length", "batch_size")
    try:
        train = TrainConfig.model_validate({name: getattr(options, name) for name in names})
    except ValidationError as error:
        raise _mistake(error) from error
    return Wish(train.rank, train.max_length, train.batch_size)


def _check(options: argparse.Namespace, path: Path) -> None:
    sampling = {"max_tokens": options.max_tokens}
    try:
        GenerateRequest.model_validate(
            {
                "model": path,
                "problems": "",
                "out": path,
                "slots": options.slots,
                "threads": options.threads,
                "samples": options.samples,
                "sampling": sampling,
            }
        )
    except ValidationError as error:
        raise _mistake(error) from error


def _mistake(error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    name = str(first["loc"][-1]).replace("_", "-")
    return ConfigError(f"--{name} {first['input']}: {first['msg']}.")
