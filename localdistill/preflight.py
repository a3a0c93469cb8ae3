"""What can be refused before a run writes anything, and long before it has cost hours.

In rising order of cost: names, the run directory, the problems, the model, room on the disk and in
memory, the sandbox. Only files' headers are read of the model.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from localdistill import memory, selection, trainers
from localdistill.config import Config
from localdistill.errors import ConfigError, StorageError
from localdistill.events import Callback
from localdistill.jsonl import is_done
from localdistill.quantization.llama_quantize import file_type
from localdistill.quantization.start import Outlook, inspect
from localdistill.run_dir import RunDir
from localdistill.stages import split, verify

_LESS_MEMORY = (
    "Close other programs, or take a smaller model or (--model FILE.gguf) a smaller quantisation."
)
Available = Callable[[], int]


def check(
    config: Config,
    directory: RunDir,
    callback: Callback,
    *,
    available: Available = memory.available_bytes,
) -> split.Splits | None:
    """Refuse what this run would fail on; returns the splits where they have yet to be written.

    Raises:
        UserError: of the class that says which boundary would be crossed.
    """
    check_names(config)
    saved = directory.check(config)
    request = split_request(config, directory)
    splits = None
    if saved is None or not split.is_written(request):
        splits = split.separate(request, callback)
        if config.rounds > 1 and not splits["dev"]:
            message = "Choosing between rounds needs problems with tests: name a set that has with"
            raise ConfigError(f"{message} --dev-problems, or take one round.")
    outlook = inspect(Path(config.model), config.export.quant)
    if not is_done(directory.evaluation):  # a finished run is only shown
        if saved is None:
            check_room(config, outlook, directory.path)
        check_memory(config.model, outlook, available)
        # The evaluation always needs it.
        verify.open_real(config.verify.sandbox, 1).close()
    return splits


def check_names(config: Config) -> None:
    """Find a misspelt strategy, trainer or type.

    Raises:
        ConfigError, ModelError: the message names the nearest valid one.
    """
    selection.load(config.select.strategy)
    trainers.load(config.train.trainer)
    if config.export.quant != "same":
        file_type(config.export.quant)


def split_request(config: Config, directory: RunDir) -> split.SplitRequest:
    """What is to be split, and where to."""
    strategy = config.select.strategy
    return split.SplitRequest(
        problems=config.problems,
        dev_problems=config.dev_problems,
        eval_problems=config.eval_problems,
        limit=config.limit,
        seed=config.seed,
        out={name: directory.problems(name) for name in ("train", "dev", "eval")},
        strategy=strategy,
        needs_tests=getattr(selection.load(strategy), "NEEDS_VERDICTS", False),
    )


def check_room(config: Config, outlook: Outlook, path: Path) -> None:
    """Make sure that the weights of all rounds fit on the disk of ``path``.

    Raises:
        StorageError: they do not. Samples, logs and adapters are small beside them and not counted.
    """
    made = 0 if outlook.master_is_there else outlook.master
    needed = made + config.rounds * (outlook.master + outlook.gguf)
    there = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        text = f"{path}: the run will write {needed / 1e9:,.2f} GB and {free / 1e9:,.2f} GB are"
        raise StorageError(f"{text} free on that disk. Free some space, or name another --run-dir.")


def check_memory(model: str, outlook: Outlook, available: Available) -> None:
    """Make sure that the model can be sampled and trained in memory, where no GPU may take it.

    Raises:
        MemoryShortage: the weights alone do not fit.
    """
    if not memory.has_gpu():
        memory.require(max(outlook.gguf, outlook.training), model, _LESS_MEMORY, available)
