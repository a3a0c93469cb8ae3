"""What can be refused before a run writes anything, and long before it has cost hours.

In rising order of cost: names, the run directory, the problems, the model, room on the disk and in
memory, the sandbox. Only files' headers are read of the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localdistill import disk_use, gpus, manifest, memory, selection, trainers
from localdistill.config import Config
from localdistill.controls import without_references
from localdistill.detectable import what_can_be_shown
from localdistill.errors import ConfigError
from localdistill.events import Callback, Notice
from localdistill.folders import require_room
from localdistill.markers import done_facts, is_cut_short, is_done
from localdistill.quantization.convert import quant_of_start
from localdistill.quantization.file_type import file_type_of
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import has_weights
from localdistill.quantization.llama_quantize import file_type
from localdistill.quantization.quantise import keeps_types, loses_small_updates
from localdistill.quantization.start import Outlook, find_gguf, inspect
from localdistill.run_dir import RunDir
from localdistill.selection import SelectOptions
from localdistill.stages import split, train_here, verify
from localdistill.stages.this_machine import offloads
from localdistill.stages.train_shape import trainable
from localdistill.time_plan import for_people, least_seconds
from localdistill.types import SandboxUse

_LESS_MEMORY = (
    "Close other programs, or take a smaller model or (--model FILE.gguf) a smaller quantisation."
)
_NEAR_ONE = 0.1  # of the temperature
Available = Callable[[], int]


@dataclass(frozen=True)
class Ready:
    """What the checks have found out and the run goes on with."""

    splits: split.Separation | None  # None: they have been written before
    pinned: bool  # model and problems have been compared with the manifest
    sandbox: SandboxUse | None  # None: a finished run is only shown


def check(
    config: Config,
    directory: RunDir,
    callback: Callback,
    *,
    available: Available = memory.available_bytes,
) -> Ready:
    """Refuse what this run would fail on.

    Raises:
        UserError: of the class that says which boundary would be crossed.
    """
    check_names(config)
    saved = directory.check(config)
    request = split_request(config, directory)
    splits = None
    if saved is None or not split.is_written(request):
        splits = split.separate(request, callback)
        _check_dev(config, len(splits.splits["dev"]))
        check_arms(config, splits.splits)
        say_if_nothing_can_be_learnt(config, callback)
        say_what_can_be_shown(config, len(splits.splits["eval"]), callback)
        say_if_types_differ(config, callback)
        say_if_updates_get_lost(config, callback)
        say_if_a_gpu_idles(callback)
    outlook = inspect(Path(config.model), config.export.quant)
    if saved is None:
        check_hours(config, outlook)
    pinned = saved is not None and splits is None and is_pinned(saved, directory)
    sandbox = None
    finished = (
        saved is not None and directory.is_finished(saved.rounds) and not directory.grows(saved)
    )
    if saved is not None and splits is None and not finished:
        _check_dev(saved, done_facts(request.out["dev"])["count"])
    if not finished:  # else it is only shown
        if saved is None or not directory.manifest.exists():  # not prepared, or not wholly
            check_room(config, outlook, directory)
        # As it was chosen when the run was begun, if it was.
        trained = is_done(directory.round(config.rounds).adapter)
        check_memory(config if saved is None else saved, outlook, available, train=not trained)
        # The evaluation always needs it.
        sandbox = verify.try_sandbox(config.verify.sandbox)
    return Ready(splits, pinned, sandbox)


def check_arms(config: Config, splits: split.Splits) -> None:
    """Find out whether strategies can be compared and controls made of these problems.

    Raises:
        ConfigError: they cannot.
    """
    if config.compare and not splits["dev"]:
        message = "Comparing strategies needs problems with tests: name a set that has with"
        raise ConfigError(f"{message} --dev-problems.")
    if "references" in config.controls and not any(row.reference for row in splits["train"]):
        raise ConfigError(without_references(f"the problems of {config.problems}"))


def check_hours(config: Config, outlook: Outlook) -> None:
    """Refuse a time in which not even one round can be done, on any machine.

    Raises:
        ConfigError: the message has the least, as far as it can be told beforehand.
    """
    least = least_seconds(outlook.gguf)
    if config.hours is not None and 3600 * config.hours < least:
        text = f"--hours {config.hours:g} is {for_people(3600 * config.hours)}: a round of this"
        text += f" model takes {for_people(least)} at the very least. Give --hours"
        raise ConfigError(f"{text} {2 * least / 3600:.2g} or more.")


def _check_dev(config: Config, problems: int) -> None:
    if config.rounds > 1 and not problems:
        message = "Choosing between rounds needs problems with tests: name a set that has with"
        raise ConfigError(f"{message} --dev-problems, or take one round.")


def say_what_can_be_shown(config: Config, problems: int, callback: Callback) -> None:
    """Tell how large a gain must be to be found, before a night is spent on what shows nothing."""
    text, coarse = what_can_be_shown(config.evaluate, problems)
    callback(Notice(level="warning" if coarse else "info", message=text))


def say_if_a_gpu_idles(callback: Callback) -> None:
    """Warn of a GPU that a night is spent beside, as llama.cpp was built without it."""
    names = [each.name for each in gpus.gpus()]
    if names and not gpus.are_hidden() and not offloads():
        text = f"{', '.join(names)} is not used: this installation is for the processor alone. See"
        text += " docs/docker.md (the image's target cuda), or run `make clean`, then `make run`."
        callback(Notice(level="warning", message=text))


def say_if_types_differ(config: Config, callback: Callback) -> None:
    """Warn where the new model will be of another file type than the one that it is compared with.

    Raises:
        ModelError: the model is missing or damaged.
    """
    quant, given = config.export.quant, find_gguf(Path(config.model))
    if given is None:
        old = quant_of_start(quant)
        same = quant == "same" or old == quant.upper()
    else:
        header = read_header(given)
        old, same = file_type_of(header), keeps_types(header, quant)
    if not same:
        text = f"The model that you have is compared as a file of type {old}, and the new one will"
        text += f" be {quant} (export.quant): what is found is then training and quantisation"
        text += f" together. To see training alone give a {quant} file, or leave export.quant out."
        callback(Notice(level="warning", message=text))


def say_if_updates_get_lost(config: Config, callback: Callback) -> None:
    """Warn where the new file's type would round away what is trained from a GGUF file alone.

    Raises:
        ModelError: the model is missing or damaged.
    """
    model = Path(config.model)
    given = find_gguf(model)
    if given is None or not (model.is_file() or not has_weights(model)):
        return
    header, quant = read_header(given), config.export.quant
    if loses_small_updates(header, quant):
        made = file_type_of(header) if keeps_types(header, quant) else quant
        text = f"The weights are read from a file of type {file_type_of(header)}, and a new file of"
        text += f" type {made} holds little of a small training on them. Set export.quant to Q8_0,"
        text += " or give the Hugging Face folder of the model beside the file."
        callback(Notice(level="warning", message=text))


def say_if_nothing_can_be_learnt(config: Config, callback: Callback) -> None:
    """Warn of training on one's own unfiltered, untempered samples: a fixed point.

    The expected gradient of the log-likelihood of samples of the model itself is zero: what it
    learns is the noise of the draw (Zhang et al., arXiv 2604.01193, name T = 1 without truncation).
    That holds for *none* as it keeps repeated samples; that a sample was cut, by its length or in a
    loop, changes nothing in it. What can be learnt is what is not as the model would have it: that
    there is code in an answer, that it is none of the shortest where those are dropped, and that it
    ends with its program where ``stop_at_code`` has cut it there.
    """
    sampling = config.generate
    if (
        "none" in strategies(config)
        and not sampling.truncates
        and abs(sampling.temperature - 1) < _NEAR_ONE
    ):
        what = "nothing but noise"
        if sampling.stop_at_code:
            what += ", and to end with the program"
        text = f"select.strategy = none at temperature 1 without truncation teaches {what}:"
        text += " the model is its own best fit. Select by tests or confidence, or sample as the"
        text += " paper does: generate.temperature = 1.6, generate.top_k = 20, generate.top_p = 0.8"
        callback(Notice(level="warning", message=f"{text}."))


def is_pinned(saved: Config, directory: RunDir) -> bool:
    """Check that a begun run's model and problems are those of its manifest.

    False where there is no manifest, or the model's file has to be made again before it is known.

    Raises:
        ConfigError: they are not.
    """
    model = Path(saved.model)
    gguf = find_gguf(model) or directory.start / "model.gguf"
    if not directory.manifest.exists() or not gguf.is_file() or is_cut_short(gguf):
        return False
    directory.check_hashes(manifest.hashes(directory, model, gguf))
    return True


def check_names(config: Config) -> None:
    """Find a misspelt strategy, trainer or type.

    Raises:
        ConfigError, ModelError: the message names the nearest valid one; or a strategy does not
            go with how is sampled.
    """
    for name in strategies(config):
        strategy = selection.load(name)
        if config.generate.adaptive and selection.passes_wanted(strategy, SelectOptions()) is None:
            message = f"The strategy {name} does not say how many passes it has a use for, which"
            message = f"{message} generate.adaptive goes by; take tests or hybrid, or leave it out."
            raise ConfigError(message)
    trainers.load(config.train.trainer)
    if config.export.quant != "same":
        file_type(config.export.quant, with_importance=True)


def split_request(config: Config, directory: RunDir) -> split.SplitRequest:
    """What is to be split, and where to."""
    wanted = strategies(config)
    needing = [name for name in wanted if getattr(selection.load(name), "NEEDS_VERDICTS", False)]
    return split.SplitRequest(
        problems=config.problems,
        dev_problems=config.dev_problems,
        eval_problems=config.eval_problems,
        limit=config.limit,
        seed=config.seed,
        out={name: directory.problems(name) for name in ("train", "dev", "eval")},
        strategy=(needing or wanted)[0],
        needs_tests=bool(needing),
    )


def strategies(config: Config) -> list[str]:
    """By which strategies the run selects."""
    return config.compare or [config.select.strategy]


def passes_wanted(config: Config) -> int:
    """How many different passing programs of a problem the run's strategies have a use for."""
    settings = config.select
    options = SelectOptions(settings.max_per_problem, settings.confidence_share)
    wanted = [selection.passes_wanted(selection.load(name), options) for name in strategies(config)]
    return max([each for each in wanted if each is not None], default=settings.max_per_problem)


def check_room(config: Config, outlook: Outlook, directory: RunDir) -> None:
    """Make sure that the weights of all rounds that are kept fit on the disk of ``directory``.

    What of the starting model has been made there is not needed once more.

    Raises:
        StorageError: they do not. Samples, logs and adapters are small beside them and not counted.
    """
    arms = len(config.compare) + len(config.controls)  # all of them are kept
    needed = disk_use.least(on_disk(outlook), config.rounds, config.keep)
    made = sum(path.stat().st_size for path in directory.start.rglob("*") if path.is_file())
    needed -= min(made, outlook.master + outlook.gguf)
    require_room(directory.path, needed + arms * (outlook.master + outlook.gguf))


def on_disk(outlook: Outlook, adapter: int = 0) -> disk_use.Model:
    """What is known of the model's files; ``adapter`` is the bytes of one."""
    made = 0 if outlook.master_is_there else outlook.master
    return disk_use.Model(gguf=outlook.gguf, master=outlook.master, adapter=adapter, made=made)


def check_memory(
    config: Config, outlook: Outlook, available: Available, *, train: bool = True
) -> None:
    """Make sure that the model can be sampled, and trained after that (``train``), in memory.

    Not both at once: a stage's process has ended before the next one begins.

    Raises:
        MemoryShortage: the weights alone do not fit, or training does not.
    """
    if not memory.has_gpu():
        memory.require(outlook.gguf, config.model, _LESS_MEMORY, available)
    if train:
        model = trainable(Path(config.model))
        train_here.choose_here(model, train_here.wish_of(config.train), available)
