"""The first GGUF of a Hugging Face folder, by llama.cpp's own converter.

The converter stands in llama-cpp-python's source archive and not in what pip installs; the
installer puts it under the environment's ``share``. It runs in a process of its own, offline.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

from localdistill.durable import to_disk
from localdistill.errors import MissingDependency, ModelError
from localdistill.markers import done_facts, is_done, mark_done, marker
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.quantization.folder_write import partial
from localdistill.quantization.hf_folder import HfFolder
from localdistill.quantization.llama_quantize import IMPORTANCE_TYPES, file_type, quantise_file

# What home users run: about 5 bits a weight, under a third of the 16-bit size, and close to it in
# quality (llama.cpp, tools/quantize/README.md).
DEFAULT_QUANT = "Q4_K_M"
# Runs the script that its first argument names, and dies with the stage that started it: left
# alone it would go on writing where the next call writes.
_BESIDE = """
import ctypes, os, runpy, signal, sys
parent, sys.argv = int(sys.argv[1]), sys.argv[2:]
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
if os.getppid() == parent:
    sys.path.insert(0, os.path.dirname(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
_OUTTYPES = {"F16": "f16", "BF16": "bf16", "F32": "f32"}


def quant_of_start(quant: str) -> str:
    """The type of the GGUF that is made of a folder whose models will be exported as ``quant``.

    The same, so that a comparison finds what training does and not what a type does. ``same``
    leaves it open, and what needs an importance matrix cannot be made before there are examples:
    then it is ``DEFAULT_QUANT``.
    """
    name = quant.upper()
    return DEFAULT_QUANT if name == "SAME" or name in IMPORTANCE_TYPES else name


def convert(master: HfFolder, out: Path, quant: str = DEFAULT_QUANT) -> Path:
    """Make the GGUF ``out`` of a Hugging Face folder, quantised to ``quant``; once.

    What was made of another folder, of one that has changed since, or in another type is made anew.

    Raises:
        MissingDependency: the converter, or a package that it uses, is not installed.
        ModelError: the converter refuses the model, as it does with a tokenizer it does not know.
    """
    asked = {"quant": quant, "master": folder_fingerprint(master.path)}
    if is_done(out) and asked.items() <= done_facts(out).items():
        return out
    kind = file_type(quant)
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = out.with_name(out.name + ".16bit")
    unfinished = partial(out)
    try:
        _run_converter(master, whole)
        quantise_file(whole, unfinished, kind=kind)
        to_disk(unfinished)
        marker(out).unlink(missing_ok=True)
        unfinished.replace(out)
    finally:
        whole.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)
    mark_done(out, source=str(master.path), **asked)
    return out


def converter() -> Path:
    """Where llama.cpp's converter stands.

    Raises:
        MissingDependency: it does not.
    """
    script = Path(sys.prefix) / "share" / "localdistill" / "llama.cpp" / "convert_hf_to_gguf.py"
    if not script.is_file():
        raise MissingDependency(
            f"llama.cpp's converter is not at {script}. Run `make install` (it takes it from "
            "llama-cpp-python's source archive)."
        )
    return script


def _run_converter(master: HfFolder, out: Path) -> None:
    outtype = _OUTTYPES[_holds_all(master)]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [
            *(sys.executable, "-c", _BESIDE, str(os.getpid())),
            str(converter()),
            str(master.path.resolve()),
            *("--outfile", str(out.resolve()), "--outtype", outtype),
        ],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise _refusal(master, done.stderr + done.stdout)


def _holds_all(master: HfFolder) -> str:
    """The narrowest type that holds all matrices without rounding any.

    Neither 16-bit type holds the other, and a folder that was merged here has both.
    """
    stored = {tensor.dtype for tensor in master.tensors.values() if len(tensor.shape) > 1}
    return stored.pop() if len(stored) == 1 else "F32"


def _refusal(master: HfFolder, output: str) -> Exception:
    if os.strerror(errno.ENOSPC) in output:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    missing = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", output)
    if missing:
        return MissingDependency(
            f"llama.cpp's converter needs the Python package {missing[1]}. Run `make install`, or "
            f"`pip install {missing[1]}` in this environment."
        )
    if "BPE pre-tokenizer was not recognized" in output:
        return ModelError(
            f"{master.path}: llama.cpp's converter does not know its tokenizer. Put a GGUF file of "
            "the model, made by who made the model, into the folder."
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = lines[-1] if lines else "no message"
    return ModelError(
        f"{master.path}: llama.cpp's converter refuses it ({last}). Give a GGUF file instead."
    )
