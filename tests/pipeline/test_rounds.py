"""The loop over rounds: what is handed from stage to stage."""

import json
from pathlib import Path

import pytest

from localdistill import config as configuration
from localdistill import pipeline
from localdistill.errors import (
    ConfigError,
    UserError,
)
from localdistill.jsonl import read_rows
from localdistill.markers import write_whole
from localdistill.types import (
    TrainingExample,
)
from tests.pipeline.helpers import example, labels, run


def test_one_round_goes_through_the_stages_in_order(requests, config, tmp_path):
    run(config, tmp_path)
    assert [name for name, _ in requests] == [
        "prepare", "generate", "verify", "diversity", "select", "train", "export",
        "decoding", "decoding", "evaluate", "evaluate", "regression",
    ]  # fmt: skip
    assert labels(requests, "decoding") == ["base", "round-01"]
    assert labels(requests, "evaluate", "eval") == ["round-01"]


def test_each_round_starts_from_the_last_ones_model_and_master_weights(requests, config, tmp_path):
    run(config, tmp_path, rounds=2)
    rounds = tmp_path / "run" / "rounds"
    sampled = [r.model for name, r in requests if name == "generate"]
    trained = [r.model for name, r in requests if name == "train"]
    templates = [r.template for name, r in requests if name == "export"]
    assert sampled[1] == templates[1] == rounds / "01" / "model.gguf"
    assert trained[1] == rounds / "01" / "merged"
    assert trained[0] == tmp_path / "run" / "start" / "master"


def test_with_base_each_round_trains_the_base_on_all_rounds_examples(
    requests, config, tmp_path, monkeypatch
):
    usual, trained = pipeline.session.run_stage, []

    def select_and_read(name, request, *more, **how):
        if name == "select":
            answers = {"01": ["a", "b"], "02": ["b", "c"]}[request.out.parent.name]
            request.out.parent.mkdir(parents=True, exist_ok=True)
            write_whole(request.out, "".join(map(example, answers)))
        if name == "train":
            rows = read_rows(request.data, TrainingExample)
            trained.append((request.model, [row.messages[-1].content for row in rows]))
        return usual(name, request, *more, **how)

    monkeypatch.setattr(pipeline.session, "run_stage", select_and_read)
    run(config, tmp_path, rounds=2, train={"start": "base"}, export={"quant": "Q8_0"})
    start, rounds = tmp_path / "run" / "start", tmp_path / "run" / "rounds"
    sampled = [r.model for name, r in requests if name == "generate"]
    assert sampled == [start / "start.gguf", rounds / "01" / "model.gguf"]
    assert trained == [(start / "master", ["a", "b"]), (start / "master", ["a", "b", "c"])]
    exported = [(r.template, r.master, r.quant) for name, r in requests if name == "export"]
    assert exported == [(start / "start.gguf", start / "master", "Q8_0")] * 2
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["start_of_rounds"] == "base"


def test_a_named_type_is_made_once_and_kept(requests, config, tmp_path):
    run(config, tmp_path, rounds=2, export={"quant": "Q8_0"})
    assert [r.quant for name, r in requests if name == "export"] == ["Q8_0", "same"]


def test_the_best_round_on_dev_is_compared_on_eval_once(requests, config, tmp_path):
    result = run(config, tmp_path, rounds=3)
    opened = [r for name, r in requests if name == "evaluate"]
    assert [r.name for r in opened] == ["dev", "dev", "dev", "eval"]
    assert result.model.label == opened[-1].candidate.label == "round-02"
    assert opened[-1].baseline.label == "base"
    assert Path(opened[-1].problems).name == "eval.jsonl"


def test_training_never_sees_dev_or_eval(requests, config, tmp_path):
    run(config, tmp_path)
    for name, request in requests:
        if name in ("generate", "verify", "select"):
            assert Path(request.problems).name == "train.jsonl"


def test_settings_reach_the_stage_that_they_are_for(requests, config, tmp_path):
    run(
        config, tmp_path,
        generate={"temperature": 1.6, "top_k": 20, "samples": 3},
        select={"strategy": "confidence", "confidence_share": 0.5},
        train={"rank": 8, "epochs": 3}, evaluate={"temperature": 0.7, "samples": 2},
        deterministic=True, seed=11,
    )  # fmt: skip
    by_name = dict(requests)
    assert by_name["generate"].sampling.temperature == 1.6
    assert by_name["generate"].samples == 3
    assert by_name["generate"].deterministic
    assert by_name["select"].confidence_share == 0.5
    assert (by_name["train"].rank, by_name["train"].epochs) == (8, 3)
    assert by_name["evaluate"].sampling.temperature == 0.7
    assert {by_name["generate"].seed, by_name["evaluate"].seed} == {11}


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"select": {"strategy": "test"}}, "tests"),
        ({"train": {"trainer": "unsloth_qlor"}}, "unsloth_qlora"),
        ({"export": {"quant": "Q4_K_X"}}, "Q4_K_M"),
    ],
)
def test_a_misspelt_name_is_found_before_anything_is_done(
    requests, config, tmp_path, settings, hint
):
    with pytest.raises(UserError, match=hint):
        run(config, tmp_path, **settings)
    assert requests == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "layers", "gpus", "overlaps"),
    [
        ({}, 0, True, False),
        ({}, 3, True, True),
        ({}, -1, True, True),
        ({}, -1, False, False),
        ({"overlap": True}, 0, False, True),
        ({"overlap": False}, -1, True, False),
        ({"adaptive": True}, 0, False, True),
    ],
)
def test_a_round_tests_while_it_draws_where_a_gpu_draws_or_it_is_wished(
    requests, config, tmp_path, monkeypatch, settings, layers, gpus, overlaps
):
    def size(config, sets, gguf):
        chosen = config.generate.model_copy(update={"slots": 5, "gpu_layers": layers})
        return config.model_copy(update={"generate": chosen}), 768

    monkeypatch.setattr(pipeline.beginning, "settled", size)
    monkeypatch.setattr(pipeline.session, "offloads", lambda: gpus)
    run(config, tmp_path, generate=settings)
    by_name = dict(requests)
    assert by_name["verify"].follow == overlaps
    assert by_name["verify"].completions == by_name["generate"].out


def test_adaptive_sampling_wants_what_selection_keeps(requests, config, tmp_path):
    run(config, tmp_path, generate={"adaptive": True, "cap": 20}, select={"max_per_problem": 3})
    by_name = dict(requests)
    generate = by_name["generate"]
    assert (generate.adaptive, generate.keep, generate.cap) == (True, 3, 20)
    assert generate.verdicts == by_name["verify"].out
    assert not hasattr(by_name["evaluate"], "adaptive")


def test_of_passes_that_are_chosen_among_adaptive_sampling_wants_more(requests, config, tmp_path):
    select = {"strategy": "hybrid", "max_per_problem": 3, "confidence_share": 0.3}
    run(config, tmp_path, generate={"adaptive": True}, select=select)
    assert dict(requests)["generate"].keep == 10


@pytest.mark.parametrize("strategy", ["none", "confidence", "agreement", "balanced"])
def test_adaptive_sampling_needs_a_strategy_that_looks_at_passes(
    requests, config, tmp_path, strategy
):
    with pytest.raises(ConfigError, match=r"generate\.adaptive goes by; take tests or hybrid"):
        run(config, tmp_path, generate={"adaptive": True}, select={"strategy": strategy})
    assert requests == []


def test_adaptive_sampling_needs_overlap(config):
    with pytest.raises(ConfigError, match="needs overlap"):
        configuration.build({**config, "generate": {"adaptive": True, "overlap": False}})


def test_a_set_without_tests_is_refused_under_select_tests_before_sampling(
    requests, config, tmp_path
):
    row = {"id": "t", "prompt": "train", "entry_point": "f"}
    Path(config["problems"]).write_text(json.dumps(row) + "\n")
    with pytest.raises(ConfigError, match=r"no tests.*--select none"):
        run(config, tmp_path)
    assert requests == []


@pytest.mark.parametrize("ks", [[], [0], [1, 9]])
def test_impossible_ks_are_refused(config, tmp_path, ks):
    with pytest.raises(ConfigError, match="evaluate"):
        configuration.build({**config, "evaluate": {"ks": ks, "samples": 4}})
