"""A run whose stages are stood in for."""

import json

import pytest

from localdistill import pipeline, preflight
from localdistill.quantization.start import Outlook
from localdistill.stages.general.questions import QUESTIONS
from localdistill.stages.regression import compare
from localdistill.types import Completion
from tests.pipeline.helpers import ON_DEV, chosen, evaluated


def answers():
    """Good ones to all plain questions."""
    said = {"sample": 0, "finish_reason": "stop", "token_count": 1, "mean_logprob": None, "seed": 0}
    return [Completion(problem_id=each.id, text=each.answer, **said) for each in QUESTIONS]


@pytest.fixture
def on_dev():
    """pass@1 on dev of each model, or of each way of decoding it; a test may change it."""
    return dict(ON_DEV)


@pytest.fixture
def requests(monkeypatch, on_dev):
    """Every stage's request in order; on dev the second of three rounds does best."""
    seen = []

    def fake_stage(name, request, callback, log, inherit=()):
        seen.append((name, request))
        if name == "prepare":
            gguf = request.work_dir / "start.gguf"
            gguf.parent.mkdir(parents=True, exist_ok=True)
            gguf.write_bytes(b"weights")
            return {"gguf": str(gguf), "master": str(request.work_dir / "master")}
        if name == "export":  # a file of its own for each round
            request.out.parent.mkdir(parents=True, exist_ok=True)
            request.out.write_text(str(request.out.parent))
        if name == "decoding":
            return chosen(request, on_dev)
        if name == "evaluate":
            return evaluated(request)
        if name == "regression":
            return compare([1.0] * 40, [1.0] * 40, *[answers()] * 2).model_dump()
        return {}

    def fake_pair(generate, verify, callback, log, inherit=()):
        fake_stage("generate", generate, callback, log, inherit)
        fake_stage("verify", verify, callback, log, inherit)

    def fake_size(config, sets, gguf):
        chosen = config.generate.model_copy(update={"slots": 5, "gpu_layers": 2})
        return config.model_copy(update={"generate": chosen}), 768

    def fake_passes(config, master):
        chosen = {"micro_batch_tokens": 640, "keep_activations": "products"}
        return config.model_copy(update={"train": config.train.model_copy(update=chosen)})

    monkeypatch.setattr(pipeline.beginning, "settled", fake_size)
    monkeypatch.setattr(pipeline.beginning, "settled_training", fake_passes)
    monkeypatch.setattr(preflight, "check_memory", lambda *arguments, **how: None)
    monkeypatch.setattr(pipeline.session, "run_stage", fake_stage)
    monkeypatch.setattr(pipeline.session, "generate_and_verify", fake_pair)
    monkeypatch.setattr(preflight, "inspect", lambda model, quant: Outlook(0, 0, True))
    monkeypatch.setattr(preflight, "find_gguf", lambda model: None)
    return seen


@pytest.fixture
def config(tmp_path):
    def one(name):
        row = {
            "id": name,
            "prompt": name,
            "entry_point": "f",
            "tests": {"kind": "call", "cases": [{"args": [1], "expected": 1}]},
        }
        path = tmp_path / f"{name}.jsonl"
        path.write_text(json.dumps(row) + "\n")
        return str(path)

    values = {f"{name}problems": one(name or "train") for name in ("", "dev_", "eval_")}
    return {"model": "m.gguf", **values}
