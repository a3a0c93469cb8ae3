"""Adding an adapter's update to the 16-bit master weights, a piece of one tensor at a time.

The result is a folder of the same files as the master, with other bytes only where the update
changed them. It is what the next round trains from.

A matrix in bfloat16 becomes one in float16, of the same size, where an update changes it: weights
on bfloat16's grid, with 8 bits each, lose most of what a short training changes, and again in each
round (docs/decisions/0004-export.md).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from localdistill.errors import ExportRejected, ModelError
from localdistill.quantization.adapter import Adapter, LoraPair, read_adapter
from localdistill.quantization.folder_write import folder_of, is_made_from, read_note, write_note
from localdistill.quantization.ggml import largest
from localdistill.quantization.hf_folder import INDEX, HfFolder, read_folder
from localdistill.quantization.safetensors_file import (
    StoredTensor,
    chunks,
    decode,
    encode,
    write_types,
)

# What belongs to a model beside its weights; a folder may hold anything else besides.
_COMPANIONS = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "chat_template.jinja", "chat_template.json", INDEX,
)  # fmt: skip
_SLAB = 1 << 20  # values updated at a time: 4 MiB of float32
_BLOCK = 1 << 24  # bytes copied at a time
_LARGEST = {"F16": 65504.0, "BF16": 3.38e38, "F32": 3.40e38}
# Root mean square of a matrix below which it stays in bfloat16: float16's steps do not become finer
# below 2**-14, and below about 2**-17 they are coarser than bfloat16's.
_LEAST_RMS = 2.0**-14


def merge(
    master_dir: Path,
    adapter_dir: Path,
    out_dir: Path,
    facts: dict[str, Any],
    on_tensor: Callable[[str, bool], None] = lambda name, changed: None,
) -> frozenset[str]:
    """Write the master weights plus the adapter's update to ``out_dir``; once for ``facts``.

    Returns the Hugging Face names of all tensors that differ from the model that a run started
    from: those that this adapter changed, and those that earlier merges had changed in the master.
    ``on_tensor`` hears of each tensor and whether its bytes changed now.

    Raises:
        ModelError: a folder cannot be used, or the adapter belongs to another model.
        ExportRejected: an updated weight is not a finite number.
    """
    if is_made_from(out_dir, facts):
        return changed_since_start(out_dir)
    master = read_folder(master_dir)
    adapter = read_adapter(adapter_dir, master)
    changed = set(changed_since_start(master_dir))
    # One thread: for matrices this thin, BLAS's threads wait for each other longer than they work
    # (docs/decisions/0004-export.md), and its sums depend on how many there are.
    with folder_of(out_dir, facts) as folder, threadpool_limits(limits=1, user_api="blas"):
        for name in _COMPANIONS:
            if (master_dir / name).is_file():
                shutil.copyfile(master_dir / name, folder / name)
        for file in master.files:
            changed |= _merge_file(master, file, adapter, folder / file.name, on_tensor)
        # Which adapters are in it: none may be added twice.
        adapters = merged_adapters(master_dir)
        if "adapter" in facts:
            adapters.append(str(facts["adapter"]))
        write_note(folder, changed=sorted(changed), adapters=adapters)
    return frozenset(changed)


def changed_since_start(folder: Path) -> frozenset[str]:
    """The tensors in which a merged folder differs from the weights that its run started from."""
    return frozenset(str(name) for name in read_note(folder).get("changed", []))


def merged_adapters(folder: Path) -> list[str]:
    """Digests of the adapters that a merged folder contains, in the order of their merging."""
    return [str(digest) for digest in read_note(folder).get("adapters", [])]


def _merge_file(
    master: HfFolder,
    file: Path,
    adapter: Adapter,
    out: Path,
    on_tensor: Callable[[str, bool], None],
) -> set[str]:
    """Write one safetensors file; returns the names of the tensors that changed in it."""
    tensors = sorted(
        (tensor for tensor in master.tensors.values() if tensor.file == file),
        key=lambda tensor: tensor.start,
    )
    changed = set()
    types = {}  # of the tensors that got another one
    with file.open("rb") as source, out.open("wb") as target:
        for tensor in tensors:
            # Sizes and shapes stay, so all that stands between the tensors stays too.
            _copy(source, target, tensor.start)
            pair = adapter.pairs.get(tensor.name)
            dtype = _update(tensor, pair, adapter.scaling, target) if pair is not None else None
            if dtype is not None:
                changed.add(tensor.name)
                types[tensor.name] = dtype
            _copy(source, target, tensor.start + tensor.size)
            on_tensor(tensor.name, tensor.name in changed)
        _copy(source, target, file.stat().st_size)
    write_types(out, types)
    return changed


def _copy(source: BinaryIO, target: BinaryIO, end: int) -> None:
    """Copy what stands in ``source`` between the position of ``target`` and ``end``."""
    source.seek(target.tell())
    while (left := end - target.tell()) > 0:
        block = source.read(min(left, _BLOCK))
        if not block:
            raise ModelError("a weight file became shorter while it was read. Fetch it again.")
        target.write(block)


def _update(tensor: StoredTensor, pair: LoraPair, scaling: float, target: BinaryIO) -> str | None:
    """Write W + scaling * B @ A, computed in float32; returns the type that it was written in.

    Nothing is written, and None returned, for an update that changes no value.
    """
    a, b = pair.factors()
    b = np.float32(scaling) * b
    if not (a.any() and b.any()) and np.isfinite(a).all() and np.isfinite(b).all():
        return None
    if tensor.dtype == "BF16":
        changed = _write(tensor, a, b, "F16", target)
        if changed is not None:
            return "F16" if changed else None
    changed = _write(tensor, a, b, tensor.dtype, target)
    if changed is None:
        raise ExportRejected(
            f"training made values of {tensor.name!r} that are not finite in {tensor.dtype}. "
            "Train again with a lower learning rate."
        )
    return tensor.dtype if changed else None


def _write(
    tensor: StoredTensor,
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    dtype: str,
    target: BinaryIO,
) -> bool | None:
    """Write W + B @ A in ``dtype``; returns whether any value differs from W in that type.

    If none does, or if the result is not for ``dtype`` (None), ``target`` stands where it stood.
    """
    start, retyped = target.tell(), dtype != tensor.dtype
    rows, columns = tensor.shape
    step = max(1, _SLAB // columns)
    blocks = chunks(tensor, limit=step * tensor.size // rows)
    changed = False
    squares = 0.0
    for first, block in zip(range(0, rows, step), blocks, strict=True):
        with np.errstate(all="ignore"):  # what overflows is found below
            values = b[first : first + step] @ a
            values += decode(block, tensor.dtype).reshape(values.shape)
        if not largest(values) <= _LARGEST[dtype]:
            target.seek(start)
            return None
        merged = encode(values, dtype)
        if not changed:
            changed = merged != (encode(decode(block, tensor.dtype), dtype) if retyped else block)
        if retyped:
            squares += float(np.vdot(values, values))
        target.write(merged)
    small = retyped and squares < _LEAST_RMS**2 * rows * columns
    if small or not changed:
        target.seek(start)
    return None if small else changed
