"""The commands that run one stage on files, for whoever has only a part of the work to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from localdistill import selection, starting_points
from localdistill.bootstrap import Method
from localdistill.display import open_display
from localdistill.errors import ConfigError
from localdistill.publishing import command
from localdistill.result_text import comparison
from localdistill.sampling import Sampling
from localdistill.stages import evaluate, export, generate, prepare, select, train, verify
from localdistill.stages.process import run_stage
from localdistill.stages.running import RUNNING
from localdistill.traces import Traces
from localdistill.types import EvalResult
from localdistill.usage import add_progress

Add = Callable[[argparse.ArgumentParser], None]


def add_commands(commands: Any) -> None:
    """Add one sub-command for each stage to ``commands`` (an argparse sub-parsers object)."""
    for name, (help_text, groups) in _COMMANDS.items():
        parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text)
        for add in groups:
            add(parser)
        parser.add_argument("--out", type=Path, required=name != "export")
        add_progress(parser)
        parser.set_defaults(act=run_stage_command)


def _generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file, or ollama:NAME ...")


def _server(parser: argparse.ArgumentParser) -> None:
    text = "draw from an OpenAI-compatible server; --model is then a name there (docs/servers.md)"
    parser.add_argument("--server", metavar="URL", help=text)


def _adaptive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--adaptive",
        action="store_true",
        help="draw by what passes, as `verify --follow` on --out finds out at the same time",
    )
    parser.add_argument("--verdicts", type=Path, help="with --adaptive: where that writes")
    parser.add_argument("--keep", type=int, help="with --adaptive: passes wanted of a problem")
    parser.add_argument("--cap", type=int, help="with --adaptive: completions of one problem")


def _problem_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--problems", required=True, help="[FORMAT:]FILE[#PART]")
    parser.add_argument("--limit", type=int, help="use the first N problems")


def _sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=1, help="completions a problem")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=0, help="0: off")
    parser.add_argument("--top-p", type=float, default=1.0, help="1: off")
    parser.add_argument("--min-p", type=float, default=0.0, help="0: off")
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument(
        "--stop-at-code",
        action="store_const",
        const=True,
        help="end with the first complete block of code that defines the entry point",
    )
    parser.add_argument(
        "--no-end-loops",
        dest="end_loops",
        action="store_const",
        const=False,
        help="let completions that only repeat themselves go on to their length",
    )
    parser.add_argument("--max-thinking-tokens", type=int, help="then a thinking model must answer")
    parser.add_argument("--sampler-order", choices=("paper", "llama.cpp"), default="paper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slots", type=int, help="sequences decoded together")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--gpu-layers", type=int, help="-1: all; else as many as have room")
    text = "stored: as in the file; f16: unpacked to 16 bits; auto: what is faster and has room"
    parser.add_argument("--weights", choices=("auto", "stored", "f16"), default="auto", help=text)
    parser.add_argument("--deterministic", action="store_true")


def _testing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--workers", type=int)


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-confirm",
        dest="confirm",
        action="store_const",
        const=False,
        help="do not run passes again with another hash seed",
    )
    parser.add_argument(
        "--follow",
        action="store_true",
        help="test completions while `generate` writes them, until it is done",
    )
    parser.add_argument(
        "--inseparable",
        action="store_const",
        const=True,
        help="also grade where tests reach into the candidate, who can then lie",
    )


def _completions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--completions", type=Path, required=True)


def _select(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verdicts", type=Path)
    parser.add_argument("--strategy", default="tests", help=", ".join(selection.names()))
    parser.add_argument("--max-per-problem", type=int, default=4)
    parser.add_argument("--confidence-share", type=float, help="of a problem's completions")
    text = "of a problem's completions, that must do the same (agreement; default 0.5)"
    parser.add_argument("--agreement-share", type=float, metavar="SHARE", help=text)
    text = "of all answers, the shortest of which are dropped first (default 0)"
    parser.add_argument("--drop-shortest", type=float, metavar="SHARE", help=text)
    parser.add_argument("--seed", type=int, default=0, help="of the inputs that agreement makes")


def _train(parser: argparse.ArgumentParser) -> None:
    text = "a Hugging Face folder, or ORGANISATION/NAME on the hub"
    parser.add_argument("--model", type=Path, required=True, help=text)
    parser.add_argument("--data", type=Path, required=True)
    for name in ("rank", "alpha", "epochs", "batch-size", "max-length", "micro-batch-tokens"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rate", type=float)
    text = "at most this share of problems is not trained on, for the held-out loss (default 0.1)"
    parser.add_argument("--held-out", type=float, metavar="SHARE", help=text)


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, help="GGUF, Hugging Face folder, or a name of one")
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--quant", default="same", help="same, Q4_K_M, Q8_0, F16 ...")
    command.add_options(parser)
    parser.add_argument("--data", type=Path, help="examples that were selected for the training")


def _evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--baseline", type=Path, help="a GGUF file to compare with")
    parser.add_argument("--k", type=int, action="append", help="report pass@K (default 1)")
    parser.add_argument("--level", type=float, help="of the intervals (default 0.95)")
    text = "how intervals are made (default percentile)"
    parser.add_argument("--interval", choices=get_args(Method), help=text)


_COMMANDS: dict[str, tuple[str, tuple[Add, ...]]] = {
    "generate": (
        "sample completions from a GGUF or a server",
        (_generate, _server, _problem_set, _sampling, _adaptive),
    ),
    "verify": ("test completions in the sandbox", (_problem_set, _completions, _testing, _verify)),
    "select": (
        "choose completions to train on",
        (_problem_set, _completions, _testing, _select),
    ),
    "train": ("fine-tune a LoRA adapter on a 4-bit base", (_train,)),
    "export": ("merge an adapter and write a GGUF, or a run's model for Ollama ...", (_export,)),
    "evaluate": (
        "score a model, against a baseline if one is named",
        (_generate, _evaluate, _problem_set, _sampling, _testing),
    ),
}


_OPTION_NAMES = {"ks": "k", "order": "sampler_order"}  # where a request calls it otherwise


def run_stage_command(options: argparse.Namespace) -> None:
    """Run the stage that was named, in its own process, with its noise in ``OUT.log``."""
    given = {name: value for name, value in vars(options).items() if value is not None}
    stage = given["command"]
    if stage == "export" and command.is_of_run(given):
        command.publish_run(given)
        return
    _locate_models(stage, given)
    out: Path = given["out"]
    log = out.with_name(out.name + ".log")
    request = None if stage == "export" else _request(stage, given)
    shown = open_display(options.progress, sys.stdout)
    with Traces(out), shown as display, RUNNING.telling(display):
        if stage == "export":
            export.check_early(out, given["adapter"], given["quant"], given.get("data"))
            command.check_early(given)
            work = out.with_name(out.name + ".work")
            first = prepare.PrepareRequest(model=given["model"], work_dir=work)
            start = run_stage("prepare", first, display, log)
            given |= {
                "template": start["gguf"],
                "master": start["master"],
                "merged": work / "merged",
            }
        summary = run_stage(stage, request or _request(stage, given), display, log)
        if stage == "export":
            command.publish_export(given, display)
    if stage == "evaluate" and options.progress != "json":
        print("\n".join(comparison(EvalResult.model_validate(summary))))  # noqa: T201


def _locate_models(stage: str, given: dict[str, Any]) -> None:
    """Put paths for names of models; a name on a server is another thing."""
    for name in ("model", "baseline"):
        if name in given and "server" not in given:
            made_of_it = stage in ("train", "export")
            found = starting_points.locate(
                str(given[name]),
                trained=made_of_it,
                fetch_it=made_of_it,
                progress=given.get("progress"),
            )
            path = Path(found)
            given[name] = path.absolute() if path.is_dir() else path


def _request(stage: str, given: dict[str, Any]) -> BaseModel:
    """The stage's request from the options that were given; its own defaults fill the rest."""
    types: dict[str, type[BaseModel]] = {
        "generate": generate.GenerateRequest,
        "verify": verify.VerifyRequest,
        "select": select.SelectRequest,
        "train": train.TrainRequest,
        "export": export.ExportRequest,
        "evaluate": evaluate.EvaluateRequest,
    }
    values = dict(given)
    if "temperature" in values:
        values["sampling"] = _validated(Sampling, {**values, "order": values["sampler_order"]})
    if stage == "evaluate":
        work: Path = values["out"].with_name(values["out"].name + ".work")
        values["ks"] = values.get("k", [1])
        values["candidate"] = evaluate.ModelUnderTest(
            label=values["model"].stem, gguf=values["model"], work_dir=work / "model"
        )
        if "baseline" in values:
            values["baseline"] = evaluate.ModelUnderTest(
                label=f"{values['baseline'].stem} (baseline)",
                gguf=values["baseline"],
                work_dir=work / "baseline",
            )
    return _validated(types[stage], values)


def _validated(model: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    known = {name: value for name, value in values.items() if name in model.model_fields}
    try:
        return model.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        text = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # more than one option is to blame
            raise ConfigError(f"{text[:1].upper()}{text[1:]}.") from error
        name = _OPTION_NAMES.get(str(first["loc"][0]), str(first["loc"][0]))
        raise ConfigError(f"--{name.replace('_', '-')} {first['input']}: {text}.") from error
