"""`localdistill export` writes what people use, and replaces nobody else's."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from localdistill.markers import is_done
from localdistill.publishing import source
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.run_dir import RunDir
from localdistill.sampling import Sampling
from tests.publishing.conftest import evaluation
from tests.quantization.test_adapter_gguf import logits
from tests.quantization.tiny import Tiny, quantised

NAME = "Q8_0-localdistill"  # the tiny model's file is called after its type


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_run_gives_its_best_model_to_ollama(finished, give, tmp_path):
    code, out, _ = give(finished, "--ollama", tmp_path / "new" / "o", "--progress", "plain")
    assert code == 0
    folder = tmp_path / "new" / "o"
    best = RunDir(finished).round(2).model
    assert (folder / "model.gguf").read_bytes() == best.read_bytes()
    assert f"ollama create {NAME} -f {folder}/Modelfile" in out
    assert "FROM ./model.gguf" in (folder / "Modelfile").read_text()
    assert sorted(path.name for path in folder.iterdir()) == [
        "Modelfile", "README.md", "localdistill.json", "model.gguf",
    ]  # fmt: skip
    assert sorted(path.name for path in folder.parent.iterdir()) == ["o"]
    card = (folder / "README.md").read_text()
    for told in (
        "Verdict: better: +25.0 points in pass@1",
        "temperature 0.7, top-k 20, top-p 0.8, at most 99 tokens",
        "Problems (train): mbpp:mbpp.jsonl#train, 3 problems",
        "Selection: `tests`",
        "Round 2: 3 answers, 2 passed their tests; trained on 1 to 1 problems; "
        "loss on held-out answers 0.500 before, 0.400 after",
        f"SHA-256 of model.gguf: `{digest(best)}`",
        f"SHA-256 of the file started from: `{'ab' * 32}`",
        "- quantised: passed (KL to F16 0.00123)",
        "torch 2.13.0",
        "The terms of the base model hold",
    ):
        assert told in card, told
    assert "secret" not in card  # no folders of this machine
    assert str(tmp_path) not in card


def test_the_decoding_that_was_chosen_for_the_model_is_what_it_comes_with(run_dir, give, tmp_path):
    chosen = Sampling(temperature=0.6, top_p=0.95, max_tokens=99).model_dump()
    result = evaluation("round-02").model_copy(update={"candidate_decoding": chosen})
    RunDir(run_dir).evaluation.write_text(result.model_dump_json())
    assert give(run_dir, "--ollama", tmp_path / "o")[0] == 0
    assert "PARAMETER temperature 0.6" in (tmp_path / "o" / "Modelfile").read_text()
    card = (tmp_path / "o" / "README.md").read_text()
    assert "Decoding of this model: temperature 0.6, top-p 0.95, at most 99 tokens" in card


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("better", ""),
        ("no evidence", "There is no evidence that mine is"),
        ("worse", "mine is worse"),
    ],
)
def test_what_the_verdict_was_is_said_of_a_file_that_is_handed_out(
    run_dir, give, tmp_path, verdict, said
):
    RunDir(run_dir).evaluation.write_text(evaluation("round-02", verdict).model_dump_json())
    code, out, err = give(run_dir, "--ollama", tmp_path / "o", "--name", "mine")
    assert code == 0
    assert said in out + err
    assert ("than what it was made from" in out + err) == bool(said)


def test_lm_studio_gets_a_file_where_it_looks(finished, give, tmp_path):
    (tmp_path / "models" / "Qwen").mkdir(parents=True)
    code, _, _ = give(finished, "--lmstudio", tmp_path / "models", "--name", "mine")
    assert code == 0
    folder = tmp_path / "models" / "localdistill" / "mine"
    assert read_header(folder / "mine-Q8_0.gguf").architecture == "qwen3"
    assert (folder / "README.md").is_file()
    assert (tmp_path / "models" / "Qwen").is_dir()


def test_the_merged_folder_is_a_model_to_start_from(finished, give, tmp_path):
    assert give(finished, "--hf", tmp_path / "hf")[0] == 0
    merged = RunDir(finished).round(2).merged
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tmp_path / "hf" / name).read_bytes() == (merged / name).read_bytes()
    read_folder(tmp_path / "hf")
    head = (tmp_path / "hf" / "README.md").read_text().split("---")[1]
    assert 'tags: ["localdistill", "self-distillation"]' in head


def test_the_adapters_of_both_rounds_are_one_file(finished, give, tmp_path):
    out = tmp_path / "adapter.gguf"
    assert give(finished, "--adapter-gguf", out)[0] == 0
    assert is_done(out)
    assert digest(out) in (tmp_path / "adapter.gguf.README.md").read_text()
    start = finished.parent / "tiny" / "Q8_0.gguf"
    base, ours = logits(start), logits(start, out)
    expected = logits(RunDir(finished).round(2).model)
    # What is left are the roundings of Q8_0, which the merged file has in other places.
    error, change = np.std(ours - expected), np.std(expected - base)
    assert error < 0.1 * change


def test_rounds_that_began_anew_are_not_added_up(run_dir):
    run = RunDir(run_dir)
    assert source.trained_on_each_other(run, 2) == [1, 2]
    marker = run.round(2).merged.with_name("merged.done")
    facts = json.loads(marker.read_text())
    marker.write_text(json.dumps({**facts, "master": "of the base"}))
    assert source.trained_on_each_other(run, 2) == [2]


def test_another_round_can_be_named(finished, give, tmp_path):
    to = ("--out", tmp_path / "m.gguf", "--ollama", tmp_path / "o")
    code, out, _ = give(finished, "--round", 1, *to)
    assert code == 0
    assert (tmp_path / "m.gguf").read_bytes() == RunDir(finished).round(1).model.read_bytes()
    assert "Round 1: 3 answers" in (tmp_path / "m.gguf.README.md").read_text()
    assert "no evidence" in out
    card = (tmp_path / "o" / "README.md").read_text()
    assert "Round 2" not in card
    # It was scored on dev, which was held out, and not on the set that eval was taken from.
    assert "Problems (dev): held out of mbpp:mbpp.jsonl#train. They are those that choices" in card
    assert "no clean test" in card
    assert "he.jsonl.gz. Decoding" not in card


def test_the_card_of_the_chosen_model_names_the_set_of_its_test(finished, give, tmp_path):
    assert give(finished, "--ollama", tmp_path / "o")[0] == 0
    card = (tmp_path / "o" / "README.md").read_text()
    assert "Problems (eval): he.jsonl.gz. Decoding of this model" in card
    assert "no clean test" not in card


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--round", "0"), "no finished model of round 0. It has those of 1, 2"),
        (("--round", "9"), "no finished model of round 9. It has those of 1, 2"),
        (("--model", "m"), "--model does not go with a run directory"),
        (("--data", "d.jsonl"), "--data does not go with a run directory"),
        (("--quant", "Q8_0"), "--quant does not go with a run directory"),
        (("--name", "a/b"), "--name a/b"),
    ],
)
def test_what_does_not_go_with_a_run_is_refused(finished, give, tmp_path, arguments, said):
    code, _, err = give(finished, "--ollama", tmp_path / "o", *arguments)
    assert code == 2
    assert said in err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--model is missing. Give a run directory"),
        (("--model", "m", "--adapter", "a"), "--out is missing"),
        (("--model", "m", "--adapter", "a", "--out", "o", "--round", "1"), "--round goes with"),
    ],
)
def test_without_a_run_it_wants_all_of_an_export(give, arguments, said):
    code, _, err = give(*arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert said in err


def test_a_run_directory_alone_says_too_little(finished, give):
    code, _, err = give(finished)
    assert code == 2
    assert "--ollama" in err


def test_a_run_that_has_not_chosen_is_refused_and_a_folder_that_is_none(run_dir, give, tmp_path):
    run = RunDir(run_dir)
    run.evaluation.unlink()
    code, _, err = give(run_dir, "--ollama", tmp_path / "o")
    assert code == 2 and "not finished" in err and "--round" in err
    run.evaluation.write_text(evaluation("base").model_dump_json())
    code, _, err = give(run_dir, "--ollama", tmp_path / "o")
    assert code == 2 and "nothing better than the model that it started from" in err
    code, _, err = give(tmp_path, "--ollama", tmp_path / "o")
    assert code == 2 and "holds no run" in err
    run.evaluation.unlink()
    for number in (1, 2):
        run.round(number).rejected.write_text("{}")
    code, _, err = give(run_dir, "--ollama", tmp_path / "o")
    assert code == 2 and "no round gave one" in err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "places",
    [
        {"--ollama": "o", "--hf": "o"},
        {"--ollama": "o", "--hf": "o/merged"},
        {"--ollama": "o", "--out": "o/mine.gguf"},
        {"--adapter-gguf": "a.gguf", "--out": "a.gguf"},
    ],
)
def test_two_outputs_in_one_place_are_refused(finished, give, tmp_path, places):
    arguments = [part for option, place in places.items() for part in (option, tmp_path / place)]
    code, _, err = give(finished, *arguments)
    assert code == 2
    assert "two outputs are to be there" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [1, 2])
def test_the_runs_own_files_and_their_markers_stay(run_dir, give, number):
    model = RunDir(run_dir).round(number).model
    before = model.read_bytes(), model.with_name("model.gguf.done").read_text()
    code, _, err = give(run_dir, "--out", model)
    assert code == 2
    assert "not made by this command" in err
    assert (model.read_bytes(), model.with_name("model.gguf.done").read_text()) == before


def test_damaged_findings_are_one_line(run_dir, give, tmp_path):
    RunDir(run_dir).round(2).parity.write_text("{}")
    code, _, err = give(run_dir, "--ollama", tmp_path / "o")
    assert (code, err.count("\n")) == (2, 1)
    assert "parity.json: is damaged" in err


@pytest.mark.parametrize("option", ["--ollama", "--hf", "--lmstudio"])
def test_a_folder_of_somebody_elses_stays(finished, give, tmp_path, option):
    mine = tmp_path / "photos"
    there = mine / "localdistill" / NAME if option == "--lmstudio" else mine
    there.mkdir(parents=True)
    (there / "one.jpg").write_text("years")
    code, _, err = give(finished, option, mine)
    assert code == 2
    assert "not made by this command" in err
    assert [path.name for path in there.iterdir()] == ["one.jpg"]


@pytest.mark.parametrize("option", ["--out", "--adapter-gguf"])
def test_a_file_of_somebody_elses_stays(finished, give, tmp_path, option):
    (tmp_path / "thesis").write_text("years")
    code, _, err = give(finished, option, tmp_path / "thesis")
    assert code == 2
    assert "not made by this command" in err
    assert (tmp_path / "thesis").read_text() == "years"


@pytest.mark.parametrize("option", ["--out", "--adapter-gguf"])
def test_a_card_of_somebody_elses_stays(finished, give, tmp_path, option):
    (tmp_path / "a.gguf.README.md").write_text("years")
    assert give(finished, option, tmp_path / "a.gguf")[0] == 2
    assert (tmp_path / "a.gguf.README.md").read_text() == "years"
    assert not (tmp_path / "a.gguf").exists()


def test_a_file_that_took_the_place_of_ours_stays(finished, give, tmp_path):
    out = tmp_path / "m.gguf"
    assert give(finished, "--out", out)[0] == 0
    assert give(finished, "--out", out)[0] == 0  # ours is replaced
    out.unlink()
    out.write_text("years")
    code, _, err = give(finished, "--out", out)
    assert code == 2
    assert "not the file any more" in err
    assert out.read_text() == "years"


def test_what_was_written_before_is_replaced(finished, give, tmp_path):
    folder = tmp_path / "o"
    folder.mkdir()
    assert give(finished, "--ollama", folder)[0] == 0
    (folder / "Modelfile").unlink()  # nothing is lost by that
    assert give(finished, "--ollama", folder, "--round", 1)[0] == 0
    assert (folder / "model.gguf").read_bytes() == RunDir(finished).round(1).model.read_bytes()
    assert (folder / "Modelfile").is_file()
    # A merged folder of a run has our note too, and is not one of these.
    assert give(finished, "--hf", RunDir(finished).round(1).merged)[0] == 2


def test_a_file_system_without_hard_links_gets_copies(finished, give, tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert give(finished, "--ollama", tmp_path / "o")[0] == 0
    assert (tmp_path / "o" / "model.gguf").stat().st_nlink == 1
    assert digest(tmp_path / "o" / "model.gguf") == digest(RunDir(finished).round(2).model)


def test_a_failure_in_the_middle_leaves_nothing(finished, give, tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("localdistill.publishing.publish.card_text", refuse)
    assert give(finished, "--ollama", tmp_path / "o")[0] == 130
    assert list(tmp_path.glob("o*")) == []


@pytest.mark.real
def test_an_export_writes_the_other_forms_too(give, tmp_path):
    model = quantised(Tiny.write(tmp_path / "tiny", "qwen2"), "Q8_0")
    adapter = model.write_adapter(tmp_path / "adapter", 0.05, ("q_proj",))
    out = tmp_path / "out.gguf"
    arguments = ("--model", model.gguf, "--adapter", adapter, "--out", out)
    code, _, err = give(
        *arguments, "--ollama", tmp_path / "o", "--hf", tmp_path / "hf",
        "--adapter-gguf", tmp_path / "a.gguf", "--lmstudio", tmp_path / "lm",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert (tmp_path / "o" / "model.gguf").read_bytes() == out.read_bytes()
    card = (tmp_path / "o" / "README.md").read_text()
    assert "It was not evaluated" in card
    assert "rank 4, alpha 8" in card
    assert "PARAMETER temperature" not in (tmp_path / "o" / "Modelfile").read_text()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("")
    code, _, err = give(*arguments, "--ollama", tmp_path / "photos")
    assert code == 2
    assert is_done(out)
