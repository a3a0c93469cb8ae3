"""The size of a generation on the machine that this process runs on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from localdistill import gpus, memory
from localdistill.config import MAX_SLOTS, Config
from localdistill.problems import load
from localdistill.quantization.gguf_file import GgufFile, read_header
from localdistill.stages.f16_weights import f16_shape
from localdistill.stages.model_shape import shape_of
from localdistill.stages.sizing import Sizing, Task, choose, longest_prompt


def offloads() -> bool:
    """Whether llama.cpp was built to use a GPU, of whatever kind."""
    from localdistill.backends.llama_model import bindings

    return bool(bindings().llama_supports_gpu_offload())


def choose_here(gguf: GgufFile, task: Task) -> Sizing:
    """``choose`` with what is free now.

    A GPU that NVML does not know (of another maker, or one that shares the machine's memory) gets
    all layers, as llama.cpp does by default, and all memory is counted as the machine's own.

    Raises:
        ModelError: the header does not tell.
        MemoryShortage: see ``choose``.
    """
    free, shape = memory.available_bytes(), shape_of(gguf)
    if not offloads() or gpus.are_hidden():  # it would ignore any wish
        task = replace(task, gpu_layers=0)
        return choose(shape, task, free=free, unpacked=f16_shape(gguf, task.weights))
    known = gpus.gpus()
    if not known and task.gpu_layers is None:
        task = replace(task, gpu_layers=-1)
    return choose(shape, task, free=free, gpus=known)


def settled(config: Config, sets: Iterable[Path], gguf: Path) -> tuple[Config, int]:
    """A run's configuration with slots, GPU layers and weights chosen, and the cache's tokens.

    ``sets`` are the problems that it will draw for. What is set already stays.

    Raises:
        MemoryShortage: see ``choose``.
    """
    generate = config.generate
    undecided = generate.weights == "auto"
    problems = [load(str(path)).problems for path in sets]
    most = max(map(len, problems), default=0) * max(generate.samples, config.evaluate.samples)
    task = Task(
        max([generate.max_tokens, *(each.max_tokens for each in config.evaluate.grid().values())]),
        longest_prompt(problem for some in problems for problem in some),
        generate.slots,
        requests=max(MAX_SLOTS, most),  # of one stage: each takes a little memory
        samples=1 if generate.adaptive else min(generate.samples, config.evaluate.samples),
        exact=config.deterministic,
        gpu_layers=generate.gpu_layers,
        threads=generate.threads or 1,
        path=gguf,
        weights="stored" if config.deterministic and undecided else generate.weights,
    )
    sizing = choose_here(read_header(gguf), task)
    chosen: dict[str, object] = {"slots": sizing.slots}
    if generate.gpu_layers is None:
        chosen["gpu_layers"] = sizing.gpu_layers
    if undecided:
        chosen["weights"] = sizing.weights
    generate = generate.model_copy(update=chosen)
    return config.model_copy(update={"generate": generate}), sizing.cells
