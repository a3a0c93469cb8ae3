"""How far each quantisation type takes a sound model from its 16-bit weights, and what an
importance matrix makes of it.

The figures that the bounds of the parity gate (localdistill/stages/parity/bounds.py) and the types
that profit by an importance matrix (localdistill/quantization/importance.py) were chosen by.

    python benchmarks/parity_bounds.py MODEL --problems FILE [--types Q4_K_M,Q4_0]

MODEL is a GGUF file or a folder. Texts are the problems of FILE with their reference solutions as
answers: the importance matrix is taken from every second one, and divergences are measured on the
answers of the others. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from localdistill.backends.llama_model import LlamaModel
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.importance import Importance
from localdistill.quantization.llama_quantize import FILE_TYPES, IMPORTANCE_TYPES, file_type
from localdistill.quantization.merge import changed_since_start
from localdistill.quantization.quantise import _requantise, write_f16
from localdistill.quantization.reference import Reference
from localdistill.quantization.start import resolve_start
from localdistill.stages.parity.passes import Compared, compare
from localdistill.stages.parity.positions import Row

_TOGETHER = 8  # files


def rows_of(model: LlamaModel, spec: str) -> tuple[list[Row], list[Row]]:
    """The texts that importance is taken from, and those that are compared on."""
    rows = []
    for problem in load(spec).problems:
        if problem.reference:
            prompt = model.prompt_tokens(messages(problem))
            answer = model.tokenize(f"```python\n{problem.reference.strip()}\n```")
            rows.append(Row(prompt + answer, len(prompt) - 1, "own"))
    return rows[::2], rows[1::2]


def up_to(rows: list[Row], count: int, positions: bool) -> Iterator[Row]:
    for row in rows:
        if count <= 0:
            return
        count -= row.positions if positions else len(row.tokens)
        yield row


def told(found: Compared, number: int) -> dict[str, float]:
    return {
        "kl": round(found.agreements[number].mean_kl, 7),
        "kl_99": round(found.agreements[number].high_kl, 6),
        "top1": round(found.agreements[number].top1, 4),
        "perplexity": round(found.losses[number + 1].perplexity, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--problems", required=True, help="[FORMAT:]FILE[#PART], with references")
    parser.add_argument("--types", default=",".join(FILE_TYPES + IMPORTANCE_TYPES))
    parser.add_argument("--positions", type=int, default=2000)
    parser.add_argument("--importance-tokens", type=int, default=8192, help="0: without")
    parser.add_argument("--prompts", action="store_true", help="compare on the prompts as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        start = resolve_start(options.model, work / "start")
        template, master = read_header(start.gguf), read_folder(start.master)
        model = LlamaModel(start.gguf, gpu_layers=0)
        first, second = rows_of(model, options.problems)
        model.close()
        counted = list(up_to(first, options.importance_tokens, positions=False))
        if options.prompts:
            second = [Row(row.tokens, 0, row.source) for row in second]
        rows = list(up_to(second, options.positions, positions=True))
        found = Importance()
        reference = Reference(master)
        texts = [row.tokens for row in counted] + [row.tokens[:-1] for row in rows]
        hidden = reference.hidden(texts, found, len(counted))[len(counted) :]
        means = found.means()
        changed = changed_since_start(start.master)
        write_f16(template, master, changed, halves := work / "f16.gguf")
        result: dict[str, object] = {"model": start.gguf.name}
        result["positions"] = sum(row.positions for row in rows)
        result["importance_tokens"] = sum(len(row.tokens) for row in counted)
        types: dict[str, dict[str, dict[str, float]]] = {}
        print(f"{result}\n{'type':19} {'KL':>10} {'top-1':>7} {'perplexity':>9}")
        wanted = [
            (name, key)
            for name in options.types.split(",")
            for key in ("plain", "importance")
            if not (key == "plain" and name in IMPORTANCE_TYPES)
            and not (key == "importance" and not counted)
        ]
        # Some at a time: each takes disk, and every time the first two are run anew.
        for start_at in range(0, len(wanted), _TOGETHER):
            group, files = wanted[start_at : start_at + _TOGETHER], [halves]
            for name, key in group:
                files.append(out := work / f"{name}-{key}.gguf")
                kind = file_type(name, with_importance=True)
                used = means if key == "importance" else {}
                # Not `quantise`, which uses importance only where it is known to help, and copies
                # what has the template's own type.
                _requantise(template, master, [], kind, out, lambda tensor: None, used)
            found_now = compare(reference, hidden, files, rows)
            result.setdefault("f16", told(found_now, 0))
            for number, (name, key) in enumerate(group, 1):
                entry = types.setdefault(name, {})[key] = told(found_now, number)
                figures = f"{entry['kl']:10.6f} {entry['top1']:7.4f} {entry['perplexity']:9.4f}"
                print(f"{name:8} {key:10} {figures}", flush=True)
                files[number].unlink()
        print(json.dumps({**result, "types": types}))


if __name__ == "__main__":
    main()
