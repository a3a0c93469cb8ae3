"""Models in the stores of Ollama and LM Studio, by the names that they go by there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from localdistill.catalogue.stores import (
    find_lm_studio,
    find_ollama,
    has_ollama,
    ollama_models,
    ollama_name,
)
from localdistill.errors import ConfigError

MODEL, TEMPLATE = "application/vnd.ollama.image.model", "application/vnd.ollama.image.template"
ADAPTER = "application/vnd.ollama.image.adapter"


def write_ollama(store: Path, path: str, content: bytes = b"GGUF", kinds=(MODEL,)) -> Path:
    """A model ``HOST/NAMESPACE/MODEL/TAG``; returns its blob."""
    digest = hashlib.sha256(content).hexdigest()
    blob = store / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    layers = [{"mediaType": kind, "digest": f"sha256:{digest}"} for kind in kinds]
    layers.append({"mediaType": TEMPLATE, "digest": "sha256:" + "1" * 64})
    manifest = store / "manifests" / path
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return blob


@pytest.fixture
def ollama(tmp_path) -> Path:
    store = tmp_path / "ollama"
    write_ollama(store, "registry.ollama.ai/library/qwen2.5-coder/0.5b", b"half")
    write_ollama(store, "registry.ollama.ai/library/qwen3/latest", b"three")
    write_ollama(store, "registry.ollama.ai/somebody/tuned/v1", b"tuned")
    write_ollama(store, "hf.co/bartowski/Qwen3-4B-GGUF/Q4_K_M", b"four")
    return store


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("qwen2.5-coder:0.5b", b"half"),
        ("QWEN2.5-Coder:0.5B", b"half"),
        ("library/qwen2.5-coder:0.5b", b"half"),
        ("registry.ollama.ai/library/qwen2.5-coder:0.5b", b"half"),
        ("qwen3", b"three"),
        ("qwen3:latest", b"three"),
        ("somebody/tuned:v1", b"tuned"),
        ("hf.co/bartowski/Qwen3-4B-GGUF:Q4_K_M", b"four"),
    ],
)
def test_ollamas_names(ollama, name, content):
    blob = find_ollama(name, [ollama])
    assert blob.read_bytes() == content
    assert has_ollama(name, [ollama])


def test_a_blob_is_known_by_its_name(ollama):
    assert ollama_name(find_ollama("qwen2.5-coder:0.5b", [ollama])) == "qwen2.5-coder:0.5b"
    assert ollama_name(ollama / "blobs" / ("sha256-" + "0" * 64)) is None
    assert ollama_name(ollama / "model.gguf") is None


def test_a_name_that_is_not_there_lists_those_that_are(ollama, tmp_path):
    with pytest.raises(ConfigError, match=r"no such model here; it holds .*qwen2\.5-coder:0\.5b"):
        find_ollama("qwen2.5-coder:7b", [ollama])
    with pytest.raises(ConfigError, match="OLLAMA_MODELS"):
        find_ollama("qwen3", [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="none at all"):
        find_ollama("qwen3", [tmp_path / "empty"])
    assert not has_ollama("qwen2.5-coder", [ollama])


def test_weights_that_have_not_come_are_told(ollama):
    find_ollama("qwen3", [ollama]).unlink()
    with pytest.raises(ConfigError, match="`ollama pull qwen3:latest`"):
        find_ollama("qwen3", [ollama])
    other = ollama.with_name("other")
    whole = write_ollama(other, "registry.ollama.ai/library/qwen3/latest", b"three")
    assert find_ollama("qwen3", [ollama, other]) == whole


@pytest.mark.parametrize(
    ("kinds", "said"), [((), "0 files"), ((MODEL, ADAPTER), "adapter"), ((MODEL, MODEL), "2 files")]
)
def test_models_of_other_parts_are_refused(ollama, kinds, said):
    write_ollama(ollama, "registry.ollama.ai/library/other/latest", b"other", kinds)
    with pytest.raises(ConfigError, match=said):
        find_ollama("other", [ollama])


def test_the_same_in_two_stores_is_one_and_another_is_not(ollama, tmp_path):
    second = tmp_path / "second"
    write_ollama(second, "registry.ollama.ai/library/qwen3/latest", b"three")
    assert find_ollama("qwen3", [ollama, second]).parent.parent == ollama
    write_ollama(second, "registry.ollama.ai/library/qwen3/latest", b"another")
    with pytest.raises(ConfigError, match="two stores"):
        find_ollama("qwen3", [ollama, second])


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"layers": [1]}', '{"layers": [{}]}', "[" * 100_000]
)
def test_other_files_among_the_manifests_are_passed_over(ollama, content):
    (ollama / "manifests" / "registry.ollama.ai" / "library" / "qwen3" / "odd").write_text(content)
    assert len(list(ollama_models(ollama))) == 4


def test_a_digest_cannot_lead_out_of_the_store(ollama):
    manifest = ollama / "manifests" / "registry.ollama.ai" / "library" / "evil" / "latest"
    manifest.parent.mkdir()
    layer = {"mediaType": MODEL, "digest": "sha256:/../../../etc/passwd"}
    manifest.write_text(json.dumps({"layers": [layer]}))
    with pytest.raises(ConfigError, match="0 files"):
        find_ollama("evil", [ollama])


@pytest.fixture
def studio(tmp_path) -> Path:
    store = tmp_path / "studio"
    for path in (
        "Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf",
        "Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q8_0.gguf",
        "lmstudio-community/Qwen2.5-Coder-0.5B-GGUF/qwen2.5-coder-0.5b-q8_0.gguf",
        "lmstudio-community/Qwen2.5-Coder-0.5B-GGUF/mmproj-model.gguf",
    ):
        (store / path).parent.mkdir(parents=True, exist_ok=True)
        (store / path).write_bytes(b"GGUF")
    return store


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("lmstudio-community/Qwen2.5-Coder-0.5B-GGUF", "qwen2.5-coder-0.5b-q8_0.gguf"),
        ("qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b-q8_0.gguf"),
        ("qwen2.5-coder-0.5b-q8_0", "qwen2.5-coder-0.5b-q8_0.gguf"),
        ("qwen3-4b@q4_k_m", "Qwen3-4B-Q4_K_M.gguf"),
        ("Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q8_0.gguf", "Qwen3-4B-Q8_0.gguf"),
        ("Qwen3-4B-Q8_0.gguf", "Qwen3-4B-Q8_0.gguf"),
    ],
)
def test_lm_studios_names(studio, name, file):
    assert find_lm_studio(name, [studio]).name == file


def test_several_of_one_name_are_listed(studio):
    with pytest.raises(ConfigError, match=r"give one whole: .*Q4_K_M\.gguf, .*Q8_0\.gguf"):
        find_lm_studio("qwen3-4b", [studio])


def test_what_lm_studio_does_not_hold_is_told_with_what_it_does(studio):
    with pytest.raises(ConfigError, match=r"no such model here; it holds Qwen/Qwen3-4B-GGUF/"):
        find_lm_studio("qwen3-8b", [studio])
    with pytest.raises(ConfigError, match="no folder of its models"):
        find_lm_studio("qwen3-8b", [])
