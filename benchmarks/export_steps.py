"""The steps that export.py measures, each run by it in a process of its own.

``STEP`` on the command line, what to work on as JSON on stdin; the last line of stdout is the
seconds that the step took without imports.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.start import is_trained

Work = dict[str, str]  # names of paths, and the type
_RANK = 16


@contextlib.contextmanager
def timed(spent: list[float]) -> Iterator[None]:
    """Note the seconds of a block."""
    began = time.perf_counter()
    yield
    spent.append(time.perf_counter() - began)


def merge_and_quantise(work: Work, spent: list[float]) -> None:
    """Ours, without the checks of the new file."""
    from localdistill.quantization.ggml import llama_library
    from localdistill.quantization.gguf_file import read_header
    from localdistill.quantization.merge import merge
    from localdistill.quantization.quantise import quantise

    llama_library()
    out = Path(work["ours"])
    with timed(spent):
        merged = out / "merged"
        changed = merge(Path(work["master"]), Path(work["adapter"]), merged, {"run": time.time()})
        template, weights = read_header(Path(work["template"])), read_folder(merged)
        quantise(template, weights, changed, work["quant"], out / "model.gguf")


def whole_stage(work: Work, spent: list[float]) -> None:
    """Ours, as `localdistill export` runs it, without the parity gate."""
    from localdistill.events import ignore
    from localdistill.quantization.ggml import llama_library
    from localdistill.stages import export

    llama_library()
    out = Path(work["stage"])
    request = export.ExportRequest(
        template=Path(work["template"]), master=Path(work["master"]), adapter=Path(work["adapter"]),
        merged=out / "merged", out=out / "model.gguf", quant=work["quant"], gate=False,
    )  # fmt: skip
    with timed(spent):
        export.run(request, ignore)


def unsloth_merge(work: Work, spent: list[float]) -> None:
    """The peer's 16-bit model: base and adapter loaded in 16 bits, saved merged."""
    from localdistill.trainers.environment import for_unsloth

    with tempfile.TemporaryDirectory() as folder, for_unsloth(Path(folder) / "scratch"):
        import unsloth

        with timed(spent):
            model, tokenizer = unsloth.FastLanguageModel.from_pretrained(
                work["adapter"],  # which names its base
                load_in_4bit=False,
            )
            model.save_pretrained_merged(
                str(Path(work["peer"]) / "merged"),
                tokenizer,
                save_method="merged_16bit",
                safe_serialization=None,  # safetensors; its default on two cores is a pickle
            )


def convert(work: Work, spent: list[float]) -> None:
    """llama.cpp's converter on what the peer has merged."""
    from localdistill.quantization.convert import converter

    peer = Path(work["peer"])
    command = [sys.executable, converter(), peer / "merged", "--outtype", "f16"]
    with timed(spent):
        subprocess.run(
            [*map(str, command), "--outfile", str(peer / "f16.gguf")],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def quantise_whole(work: Work, spent: list[float]) -> None:
    """llama.cpp's quantiser as it is, on the peer's F16 file."""
    import ctypes

    import llama_cpp

    from localdistill.quantization.llama_quantize import file_type

    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = file_type(work["quant"])
    peer = Path(work["peer"])
    paths = (str(peer / name).encode() for name in ("f16.gguf", "model.gguf"))
    with timed(spent):
        code = llama_cpp.llama_model_quantize(*paths, ctypes.byref(params))
    if code != 0:
        sys.exit("llama_model_quantize failed")


def random_adapter(master: Path, folder: Path) -> Path:
    """A LoRA on all linear layers of ``master``, whose update is about a tenth of the weights."""
    from localdistill.quantization.names import to_gguf

    rng = np.random.default_rng(0)
    factors = {}
    for name, weight in read_folder(master).tensors.items():
        if not is_trained(to_gguf(name)):
            continue
        a = rng.standard_normal((_RANK, weight.shape[1])) / np.sqrt(weight.shape[1])
        b = rng.standard_normal((weight.shape[0], _RANK)) * 0.02
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        factors[f"{stem}.lora_A.weight"] = a.astype(np.float32)
        factors[f"{stem}.lora_B.weight"] = b.astype(np.float32)
    modules = sorted({key.split(".")[-3] for key in factors})
    folder.mkdir(parents=True)
    save_file(factors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(master),
        "r": _RANK, "lora_alpha": _RANK, "lora_dropout": 0.0, "bias": "none",
        "target_modules": modules, "inference_mode": True,
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


STEPS: dict[str, Callable[[Work, list[float]], None]] = {
    function.__name__: function
    for function in (merge_and_quantise, whole_stage, unsloth_merge, convert, quantise_whole)
}


def main() -> None:
    """Do one step."""
    spent: list[float] = []
    STEPS[sys.argv[1]](json.loads(sys.stdin.read()), spent)
    print(f"\n{spent[0]}")


if __name__ == "__main__":
    main()
