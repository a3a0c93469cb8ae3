"""What can be refused before a run writes anything, and long before it has cost hours.

In rising order of cost: names, the run directory, the problems, the model, room on the disk and in
memory, the sandbox. Only files' headers are read of the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localdistill import manifest, memory, selection, trainers
from localdistill.config import Config
from localdistill.errors import ConfigError
from localdistill.events import Callback
from localdistill.jsonl import is_done
from localdistill.quantization.llama_quantize import file_type
from localdistill.quantization.start import Outlook, find_gguf, inspect
from localdistill.run_dir import RunDir, require_room
from localdistill.stages import split, verify
from localdistill.types import SandboxUse

_LESS_MEMORY = (
    "Close other programs, or take a smaller model or (--model FILE.gguf) a smaller quantisation."
)
Available = Callable[[], int]


@dataclass(frozen=True)
class Ready:
    """What the checks have found out and the run goes on with."""

    splits: split.Splits | None  # None: they have been written before
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
        if config.rounds > 1 and not splits["dev"]:
            message = "Choosing between rounds needs problems with tests: name a set that has with"
            raise ConfigError(f"{message} --dev-problems, or take one round.")
    outlook = inspect(Path(config.model), config.export.quant)
    pinned = saved is not None and splits is None and is_pinned(saved, directory)
    sandbox = None
    if not is_done(directory.evaluation):  # a finished run is only shown
        if saved is None:
            check_room(config, outlook, directory.path)
        check_memory(config.model, outlook, available)
        # The evaluation always needs it.
        sandbox = verify.try_sandbox(config.verify.sandbox)
    return Ready(splits, pinned, sandbox)


def is_pinned(saved: Config, directory: RunDir) -> bool:
    """Check that a begun run's model and problems are those of its manifest.

    False where there is no manifest, or the model's file has to be made again before it is known.

    Raises:
        ConfigError: they are not.
    """
    gguf = find_gguf(Path(saved.model)) or directory.start / "model.gguf"
    if not directory.manifest.exists() or not gguf.is_file():
        return False
    directory.check_hashes(manifest.hashes(saved, directory, gguf))
    return True


def check_names(config: Config) -> None:
    """Find a misspelt strategy, trainer or type.

    Raises:
        ConfigError, ModelError: the message names the nearest valid one; or a strategy does not
            go with how is sampled.
    """
    strategy = selection.load(config.select.strategy)
    if config.generate.adaptive and not getattr(strategy, "NEEDS_VERDICTS", False):
        message = f"The strategy {config.select.strategy} does not look at what passes, which"
        raise ConfigError(f"{message} generate.adaptive goes by; take tests, or leave it out.")
    trainers.load(config.train.trainer)
    if config.export.quant != "same":
        file_type(config.export.quant, with_importance=True)


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
    # The gate of an export compares with a file in 16 bits, which is gone afterwards.
    needed = made + config.rounds * (outlook.master + outlook.gguf) + outlook.master
    require_room(path, needed)


def check_memory(model: str, outlook: Outlook, available: Available) -> None:
    """Make sure that the model can be sampled and trained in memory, where no GPU may take it.

    Raises:
        MemoryShortage: the weights alone do not fit.
    """
    if not memory.has_gpu():
        memory.require(max(outlook.gguf, outlook.training), model, _LESS_MEMORY, available)
