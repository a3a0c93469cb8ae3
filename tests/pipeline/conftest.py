"""A run whose stages are stood in for."""

import json

import pytest

from localdistill import pipeline, preflight
from localdistill.quantization.start import Outlook
from localdistill.types import SandboxUse
from tests.pipeline.helpers import ON_DEV, answer


@pytest.fixture
def on_dev():
    """pass@1 on dev of each model, or of each way of decoding it; a test may change it."""
    return dict(ON_DEV)


@pytest.fixture
def diversities():
    """What is found of the samples of each round; where there is nothing, nothing is judged."""
    return {}


@pytest.fixture
def requests(monkeypatch, on_dev, diversities):
    """Every stage's request in order; on dev the second of three rounds does best."""
    seen = []

    def fake_stage(name, request, callback, log, inherit=(), started=None):
        seen.append((name, request))
        return answer(name, request, on_dev, diversities)

    def fake_pair(generate, verify, callback, log, inherit=(), started=None):
        fake_stage("generate", generate, callback, log, inherit)
        fake_stage("verify", verify, callback, log, inherit)

    def fake_size(config, sets, gguf):
        chosen = config.generate.model_copy(update={"slots": 5, "gpu_layers": 2, "weights": "f16"})
        return config.model_copy(update={"generate": chosen}), 768

    def fake_passes(config, master):
        chosen = {"micro_batch_tokens": 640, "keep_activations": "products"}
        return config.model_copy(update={"train": config.train.model_copy(update=chosen)})

    monkeypatch.setattr(pipeline.beginning, "settled", fake_size)
    monkeypatch.setattr(pipeline.beginning, "settled_training", fake_passes)
    monkeypatch.setattr(preflight.verify, "try_sandbox", lambda kind: SandboxUse(tier="of a test"))
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
