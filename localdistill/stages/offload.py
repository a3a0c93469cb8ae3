"""Which of a model's layers go to GPUs, by llama.cpp's source. Not measured on a GPU.

llama.cpp counts the output matrix as a layer, and puts it on a GPU first (``get_layer_buft_list``
in llama-model.cpp); then layers from the last one on, each with its part of the cache. The
embedding stays in the machine's memory; where it is the output matrix as well, GPUs have a copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from localdistill.backends.llama_memory import ModelShape, Need, need
from localdistill.gpus import Gpu
from localdistill.trainers.train_memory import CUDA

GPU_BATCH = 512  # tokens in a forward pass
_MARGIN = 0.1  # of a GPU's memory: what is known not exactly, and fragments


def gpu_layers(
    shape: ModelShape, gpus: Sequence[Gpu], *, slots: int, cells: int, threads: int = 1
) -> int:
    """Layers that the GPUs have room for beside this cache; -1 if for all, with the output.

    Each GPU has intermediate results of its own.
    """
    if not gpus:
        return 0
    whole = need(shape, sequences=slots + 1, cells=cells, batch=GPU_BATCH, threads=threads)
    buffers = whole.compute + CUDA
    room = sum(max(0, int(gpu.free * (1 - _MARGIN)) - buffers) for gpu in gpus) - shape.output
    if room <= 0:
        return 0
    fitting = int(room / ((_stack(shape) + whole.cache) / max(1, shape.layers)))
    return -1 if fitting >= shape.layers else 1 + fitting


def on_gpus(shape: ModelShape, layers: int, found: Need) -> int:
    """Bytes of ``found`` that are on GPUs with ``layers`` there (-1: all), and not here.

    What is on a GPU is not copied for the processor, and the file's pages can be dropped once they
    have been sent there.
    """
    if layers == 0:
        return 0
    inner = shape.layers if layers < 0 else min(shape.layers, layers - 1)
    share = inner / max(1, shape.layers)
    output = 0 if shape.tied else shape.output
    return output + int(share * (_stack(shape) + shape.repacked + found.cache))


def _stack(shape: ModelShape) -> int:
    """Bytes of the weights of all layers."""
    return shape.weights - shape.inputs - (0 if shape.tied else shape.output)
