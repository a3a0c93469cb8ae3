"""What Unsloth and the Hugging Face libraries are told before they are imported."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

# Read once, at import. Training needs no network, so nothing may wait for it or report to it.
_VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "UNSLOTH_DISABLE_STATISTICS": "1",
    "UNSLOTH_USE_MODELSCOPE": "0",
    "TOKENIZERS_PARALLELISM": "false",
    # By default PyTorch's threads spin while they wait for each other. On a machine that does other
    # work as well they take the time from those they wait for: 100 tokens/s instead of 1,300.
    "OMP_WAIT_POLICY": "PASSIVE",
    # cuBLAS adds in one order only with a workspace of fixed size (cuBLAS manual, 2.1.4).
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


@contextlib.contextmanager
def for_unsloth(scratch: Path) -> Iterator[None]:
    """Set the variables, and give Unsloth the new folder ``scratch`` for the code that it writes.

    By default it writes Python files into the working directory and imports what it finds there:
    that litters, fails in a read-only directory, and would run what somebody else put there.
    """
    scratch.mkdir()
    os.environ.update(_VARIABLES, UNSLOTH_COMPILE_LOCATION=str(scratch.resolve()))
    try:
        yield
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
