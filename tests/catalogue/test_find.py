"""Models are found where they usually lie, and known by what they say of themselves."""

import json

import pytest

from localdistill.catalogue.find import find_models
from localdistill.catalogue.identify import plain
from localdistill.catalogue.places import usual_places
from localdistill.errors import ConfigError, MemoryShortage
from localdistill.markers import mark_done, marker
from localdistill.quantization.folder_write import write_note
from tests.catalogue.conftest import place, write_folder, write_gguf


def names(disk):
    return [(found.entry, found.path.name) for found in disk.models]


def test_a_gguf_is_known_by_its_metadata_and_not_by_its_file_name(entries, by_name, tmp_path):
    coder = by_name["qwen2.5-coder-7b-instruct"]
    write_gguf(tmp_path / "a.gguf", coder, "Qwen2.5 Coder 7B Instruct")
    write_gguf(tmp_path / "qwen2.5-coder-7b-instruct-q4_k_m.gguf", coder, "Qwen2.5 7B Instruct")
    disk = find_models(entries, [place(tmp_path)])
    assert names(disk) == [
        ("qwen2.5-coder-7b-instruct", "a.gguf"),
        (None, "qwen2.5-coder-7b-instruct-q4_k_m.gguf"),
    ]
    assert disk.models[0].type == "Q4_K_M"
    assert disk.models[0].size == (tmp_path / "a.gguf").stat().st_size
    assert disk.unknown[0].says == "Qwen2.5 7B Instruct"


def test_a_name_without_the_shape_is_not_believed(entries, by_name, tmp_path):
    write_gguf(tmp_path / "a.gguf", by_name["qwen3-4b"], "Qwen3 8B")
    assert names(find_models(entries, [place(tmp_path)])) == [(None, "a.gguf")]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("qwen2.5-coder-0.5b-instruct", "Qwen2.5 Coder 0.5B Instruct AWQ"),  # the official files
        ("qwen3-8b", "Qwen3 8B Instruct"),
        ("qwen3-4b-instruct-2507", "Qwen3-4B-Instruct-2507"),
        ("qwen3-coder-30b-a3b-instruct", "Qwen3-Coder-30B-A3B-Instruct"),
        ("seed", "localdistill seed"),
    ],
)
def test_names_that_files_give_themselves(entries, by_name, tmp_path, name, says):
    write_gguf(tmp_path / "m.gguf", by_name[name], says)
    assert names(find_models(entries, [place(tmp_path)])) == [(name, "m.gguf")]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("qwen2.5-coder-7b-instruct", "Qwen2.5 Coder 7B"),  # the base model
        ("qwen2.5-coder-7b-instruct", "Qwen2.5 Coder 7B Instruct Abliterated"),
        ("qwen3-4b", "Qwen3 4B Base"),
        ("qwen3-4b", "model"),
    ],
)
def test_relatives_of_the_same_shape_are_not_taken_for_it(entries, by_name, tmp_path, name, says):
    write_gguf(tmp_path / "m.gguf", by_name[name], says)
    assert names(find_models(entries, [place(tmp_path)])) == [(None, "m.gguf")]


def test_models_of_one_shape_are_told_apart_by_name(entries, by_name, tmp_path):
    write_gguf(tmp_path / "a.gguf", by_name["qwen3-4b"], "Qwen3-4B-Thinking-2507")
    write_gguf(tmp_path / "b.gguf", by_name["qwen3-4b"], "Qwen3-4B")
    found = [entry for entry, _ in names(find_models(entries, [place(tmp_path)]))]
    assert found == ["qwen3-4b-thinking-2507", "qwen3-4b"]


def test_a_name_in_parts_is_put_together(entries, by_name, tmp_path):
    parts = {"basename": "Qwen2.5-Coder", "size_label": "7B", "finetune": "Instruct"}
    write_gguf(tmp_path / "m.gguf", by_name["qwen2.5-coder-7b-instruct"], "3f2a", **parts)
    assert names(find_models(entries, [place(tmp_path)])) == [
        ("qwen2.5-coder-7b-instruct", "m.gguf")
    ]


def test_names_are_compared_without_their_punctuation_and_added_words():
    same = {"Qwen2.5 Coder 0.5B Instruct AWQ", "qwen2.5-coder-0.5b-instruct", "Qwen2.5-Coder-0.5B"}
    assert {plain(name) for name in same} == {"qwen25coder05binstruct", "qwen25coder05b"}
    assert plain("Qwen3-8B-Q4_K_M-GGUF") == plain("qwen3 8b")
    assert plain("GGUF") == "gguf"


def test_the_hubs_cache_names_a_file_that_does_not(entries, by_name, tmp_path):
    model = by_name["qwen3-8b"]
    blob = write_gguf(tmp_path / "models--Qwen--Qwen3-8B-GGUF" / "blobs" / "1a2b", model)
    snapshot = tmp_path / "models--Qwen--Qwen3-8B-GGUF" / "snapshots" / "9f"
    snapshot.mkdir(parents=True)
    (snapshot / "m.gguf").symlink_to(blob)
    write_folder(tmp_path / "models--Qwen--Qwen3-8B" / "snapshots" / "77", model)
    write_folder(tmp_path / "models--someone--Qwen3-8B" / "snapshots" / "78", model)
    disk = find_models(entries, [place(tmp_path)])
    assert names(disk) == [("qwen3-8b", "77"), ("qwen3-8b", "m.gguf"), (None, "78")]
    assert [found.form for found in disk.models] == ["folder", "gguf", "folder"]


def test_a_folder_is_known_by_its_name_and_shape(entries, by_name, tmp_path):
    write_folder(tmp_path / "Qwen3-8B", by_name["qwen3-8b"])
    write_folder(tmp_path / "Qwen3-14B", by_name["qwen3-8b"])
    found = names(find_models(entries, [place(tmp_path)]))
    assert found == [(None, "Qwen3-14B"), ("qwen3-8b", "Qwen3-8B")]


def test_ollamas_manifests_name_its_blobs(entries, by_name, tmp_path):
    model = by_name["qwen2.5-coder-7b-instruct"]
    digests = {"7b": "sha256:aa", "7b-instruct-q8_0": "sha256:bb", "7b-base": "sha256:cc"}
    tags = tmp_path / "manifests" / "registry.ollama.ai" / "library" / "qwen2.5-coder"
    tags.mkdir(parents=True)
    for tag, digest in digests.items():
        write_gguf(tmp_path / "blobs" / digest.replace(":", "-"), model)
        layers = [
            {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:00"},
            {"mediaType": "application/vnd.ollama.image.model", "digest": digest},
        ]
        (tags / tag).write_text(json.dumps({"layers": layers}))
    (tags / "torn").write_text('{"layers": [')
    outside = {"mediaType": "application/vnd.ollama.image.model", "digest": "../../secret"}
    (tags / "outside").write_text(json.dumps({"layers": [outside]}))
    disk = find_models(entries, [place(tmp_path, "Ollama")])
    assert [(found.entry, found.place) for found in disk.models] == [
        ("qwen2.5-coder-7b-instruct", "Ollama qwen2.5-coder:7b"),
        (None, "Ollama qwen2.5-coder:7b-base"),
        ("qwen2.5-coder-7b-instruct", "Ollama qwen2.5-coder:7b-instruct-q8_0"),
    ]


def test_damaged_files_are_named_and_end_nothing(entries, by_name, tmp_path):
    whole = write_gguf(tmp_path / "z.gguf", by_name["qwen3-8b"], "Qwen3 8B")
    content = whole.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.gguf").write_bytes(b"")
    (tmp_path / "noise.gguf").write_bytes(bytes(range(256)) * 4)
    broken = write_folder(tmp_path / "folder", by_name["qwen3-8b"])
    (broken / "config.json").write_text("{")
    half = write_folder(tmp_path / "half", by_name["qwen3-8b"])
    (half / "config.json").write_text('{"model_type": "qwen3"}')
    disk = find_models(entries, [place(tmp_path)])
    assert names(disk) == [("qwen3-8b", "z.gguf")]
    bad = {one.path.name for one in disk.unreadable}
    assert bad == {"cut.gguf", "empty.gguf", "noise.gguf", "folder", "half"}
    assert all(one.reason for one in disk.unreadable)


NESTED = "[" * 100_000


def test_nor_do_files_that_were_made_to_crash_their_readers(entries, by_name, tmp_path):
    write_gguf(tmp_path / "z.gguf", by_name["qwen3-8b"], "Qwen3 8B")
    nested = write_folder(tmp_path / "nested", by_name["qwen3-8b"])
    (nested / "config.json").write_text(NESTED)
    strange = write_folder(tmp_path / "strange", by_name["qwen3-8b"])
    (strange / "config.json").write_text('{"model_type": "qwen3", "num_attention_heads": 1e999}')
    (write_folder(tmp_path / "noted", by_name["qwen3-8b"]) / "localdistill.json").write_text(NESTED)
    (tmp_path / "round.gguf").symlink_to(tmp_path / "round.gguf")
    marked = write_gguf(tmp_path / "marked.gguf", by_name["qwen3-8b"], "Qwen3 8B")
    marker(marked).write_text('{"_content": {"bytes": "many"}}')
    marked = write_gguf(tmp_path / "y.gguf", by_name["qwen3-8b"], "Qwen3 8B")
    marker(marked).write_text(NESTED)
    disk = find_models(entries, [place(tmp_path)])
    assert names(disk) == [
        ("qwen3-8b", "y.gguf"), ("qwen3-8b", "z.gguf"), (None, "noted"),
    ]  # fmt: skip
    bad = {one.path.name for one in disk.unreadable}
    assert bad == {"nested", "strange", "round.gguf", "marked.gguf"}
    assert all(one.reason for one in disk.unreadable)


def test_nor_does_one_for_which_there_is_no_memory(entries, by_name, tmp_path, monkeypatch):
    write_gguf(tmp_path / "m.gguf", by_name["qwen3-8b"], "Qwen3 8B")

    def refuse(path):
        raise MemoryShortage(f"{path}: needs at least 70 GB")

    monkeypatch.setattr("localdistill.catalogue.find.read_header", refuse)
    (found,) = find_models(entries, [place(tmp_path)]).unreadable
    assert found.reason == "needs at least 70 GB"


def test_a_file_that_may_not_be_read_is_named(entries, by_name, tmp_path, monkeypatch):
    write_gguf(tmp_path / "m.gguf", by_name["qwen3-8b"], "Qwen3 8B")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("localdistill.catalogue.find.read_header", refuse)
    assert "Permission denied" in find_models(entries, [place(tmp_path)]).unreadable[0].reason


def test_what_a_run_trained_is_not_listed_as_the_original(entries, by_name, tmp_path):
    run = tmp_path / "runs" / "mine"
    write_gguf(run / "rounds" / "01" / "model.gguf", by_name["seed"], "localdistill seed")
    (run / "manifest.json").write_text("{}")
    (run / "config.toml").write_text("")
    assert names(find_models(entries, [place(tmp_path)])) == []


def test_what_was_exported_is_not_taken_for_the_original(entries, by_name, tmp_path):
    original = write_gguf(tmp_path / "seed.gguf", by_name["seed"], "localdistill seed")
    folder = tmp_path / "mine"
    write_gguf(folder / "model.gguf", by_name["seed"], "localdistill seed")
    write_folder(tmp_path / "Qwen3-8B", by_name["qwen3-8b"])
    for exported in (folder, tmp_path / "Qwen3-8B"):
        write_note(exported, published="of a test")
    single = write_gguf(tmp_path / "single.gguf", by_name["seed"], "localdistill seed")
    mark_done(single, file="its fingerprint")
    assert names(find_models(entries, [place(tmp_path)])) == [("seed", original.name)]


def test_a_folder_that_was_only_made_here_is_looked_into(entries, by_name, tmp_path):
    """A merged folder, say, or one that somebody keeps originals in."""
    write_note(write_folder(tmp_path / "Qwen3-8B", by_name["qwen3-8b"]))
    assert names(find_models(entries, [place(tmp_path)])) == [("qwen3-8b", "Qwen3-8B")]


def test_one_file_counts_once_and_links_in_a_circle_end(entries, by_name, tmp_path):
    file = write_gguf(tmp_path / "deep" / "m.gguf", by_name["qwen3-8b"], "Qwen3 8B")
    (tmp_path / "link.gguf").symlink_to(file)
    (tmp_path / "deep" / "back").symlink_to(tmp_path)
    disk = find_models(entries, [place(tmp_path / "deep", "first"), place(tmp_path, "second")])
    assert [(found.entry, found.place) for found in disk.models] == [("qwen3-8b", "first")]


def usual(tmp_path, environment=None, look_in=()):
    home, here, bundled = tmp_path / "home", tmp_path / "here", tmp_path / "models"
    for folder in (home, here, bundled):
        folder.mkdir(exist_ok=True)
    return {
        p.folder: p.label
        for p in usual_places(
            look_in, bundled, environment=environment or {}, home=home, working_directory=here
        )
        if p.folder.is_relative_to(tmp_path)
    }


def test_the_usual_places_are_looked_into_if_they_exist(tmp_path):
    home = tmp_path / "home"
    there = {
        home / ".cache" / "huggingface" / "hub": "Hugging Face cache",
        home / ".cache" / "llama.cpp": "llama.cpp cache",
        home / ".ollama" / "models": "Ollama",
        home / ".lmstudio" / "models": "LM Studio",
    }
    always = {tmp_path / "models": "bundled", tmp_path / "here": "this folder"}
    assert usual(tmp_path) == always
    for folder in there:
        folder.mkdir(parents=True)
    assert usual(tmp_path) == always | there


@pytest.mark.parametrize(
    ("variable", "value", "folder", "label"),
    [
        ("HF_HOME", "hf", "hf/hub", "Hugging Face cache"),
        ("HF_HUB_CACHE", "hubs", "hubs", "Hugging Face cache"),
        ("HUGGINGFACE_HUB_CACHE", "hubs", "hubs", "Hugging Face cache"),
        ("XDG_CACHE_HOME", "cache", "cache/huggingface/hub", "Hugging Face cache"),
        ("LLAMA_CACHE", "ll", "ll", "llama.cpp cache"),
        ("OLLAMA_MODELS", "oo", "oo", "Ollama"),
    ],
)
def test_variables_move_the_usual_places(tmp_path, variable, value, folder, label):
    (tmp_path / folder).mkdir(parents=True)
    found = usual(tmp_path, {variable: str(tmp_path / value)})
    assert found[tmp_path / folder] == label


def test_a_named_folder_comes_first_and_must_exist(tmp_path):
    named = tmp_path / "disk"
    named.mkdir()
    assert next(iter(usual(tmp_path, look_in=[named]))) == named
    with pytest.raises(ConfigError, match=r"--look-in .*nowhere"):
        usual(tmp_path, look_in=[tmp_path / "nowhere"])
