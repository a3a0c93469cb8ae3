"""The loop over rounds: what is handed from stage to stage; the stages are stood in for."""

import json
from pathlib import Path

import pytest

from localdistill import cli, pipeline, preflight
from localdistill import config as configuration
from localdistill.errors import (
    ConfigError,
    ExportRejected,
    StageFailed,
    TrainingDiverged,
    UserError,
)
from localdistill.events import Notice
from localdistill.jsonl import mark_done, read_rows, write_whole
from localdistill.manifest import record_sandbox
from localdistill.quantization.start import Outlook
from localdistill.result_text import result_text
from localdistill.run_dir import RunDir, freeze
from localdistill.stages import verify
from localdistill.stages.verify import VerifySummary
from localdistill.types import (
    EvalResult,
    ModelScore,
    PassAtK,
    Rejection,
    SandboxUse,
    TrainingExample,
)


def score(label, value):
    at = PassAtK(k=1, value=value, low=0.0, high=1.0)
    return ModelScore(model=label, problems=1, samples=1, pass_at=[at], counts={"e": (0, 1)})


@pytest.fixture
def requests(monkeypatch):
    """Every stage's request in order; on dev the second of three rounds does best."""
    seen = []

    def fake_stage(name, request, callback, log, inherit=()):
        seen.append((name, request))
        if name == "prepare":
            gguf = request.work_dir / "start.gguf"
            gguf.parent.mkdir(parents=True, exist_ok=True)
            gguf.write_bytes(b"weights")
            return {"gguf": str(gguf), "master": str(request.work_dir / "master")}
        if name == "evaluate":
            value = {"round-01": 0.3, "round-02": 0.6, "round-03": 0.5}[request.candidate.label]
            return EvalResult(
                problem_set=request.name, candidate=score(request.candidate.label, value)
            ).model_dump()
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

    monkeypatch.setattr(pipeline, "settled", fake_size)
    monkeypatch.setattr(pipeline, "settled_training", fake_passes)
    monkeypatch.setattr(preflight, "check_memory", lambda *arguments, **how: None)
    monkeypatch.setattr(pipeline, "run_stage", fake_stage)
    monkeypatch.setattr(pipeline, "generate_and_verify", fake_pair)
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


def run(config, tmp_path, **more):
    built = configuration.build({**config, **more})
    return pipeline.run(built, tmp_path / "run", lambda event: None)


def test_one_round_goes_through_the_stages_in_order(requests, config, tmp_path):
    run(config, tmp_path)
    assert [name for name, _ in requests] == [
        "prepare", "generate", "verify", "select", "train", "export", "evaluate",
    ]  # fmt: skip


def test_the_size_that_was_chosen_for_the_model_is_kept(requests, config, tmp_path, monkeypatch):
    run(config, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["slots"], manifest["gpu_layers"], manifest["cells"]) == (5, 2, 768)
    assert (manifest["micro_batch_tokens"], manifest["keep_activations"]) == (640, "products")

    def another_machine(*_):
        raise AssertionError("chosen a second time")

    monkeypatch.setattr(pipeline, "settled", another_machine)
    monkeypatch.setattr(pipeline, "settled_training", another_machine)
    run(config, tmp_path)
    trained = [r for name, r in requests if name == "train"]
    assert len(trained) == 2
    assert {(r.micro_batch_tokens, r.keep_activations) for r in trained} == {(640, "products")}
    sampled = [r for name, r in requests if name in ("generate", "evaluate")]
    assert len(sampled) == 4
    assert {(r.slots, r.gpu_layers) for r in sampled} == {(5, 2)}


def test_the_manifest_has_the_commit_of_a_model_of_the_hub(requests, config, tmp_path):
    folder = tmp_path / "models--Org--Tiny" / "snapshots" / ("0a" * 20)
    run({**config, "model": str(folder)}, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["model"] == {"path": str(folder), "hub": "Org/Tiny", "commit": "0a" * 20}


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
    usual, trained = pipeline.run_stage, []

    def select_and_read(name, request, *more):
        if name == "select":
            answers = {"01": ["a", "b"], "02": ["b", "c"]}[request.out.parent.name]
            request.out.parent.mkdir(parents=True, exist_ok=True)
            write_whole(request.out, "".join(map(example, answers)))
        if name == "train":
            rows = read_rows(request.data, TrainingExample)
            trained.append((request.model, [row.messages[-1].content for row in rows]))
        return usual(name, request, *more)

    monkeypatch.setattr(pipeline, "run_stage", select_and_read)
    run(config, tmp_path, rounds=2, train={"start": "base"}, export={"quant": "Q8_0"})
    start, rounds = tmp_path / "run" / "start", tmp_path / "run" / "rounds"
    sampled = [r.model for name, r in requests if name == "generate"]
    assert sampled == [start / "start.gguf", rounds / "01" / "model.gguf"]
    assert trained == [(start / "master", ["a", "b"]), (start / "master", ["a", "b", "c"])]
    exported = [(r.template, r.master, r.quant) for name, r in requests if name == "export"]
    assert exported == [(start / "start.gguf", start / "master", "Q8_0")] * 2
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["start_of_rounds"] == "base"


def example(answer):
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]
    row = TrainingExample(messages=said, problem_id="p", sample=0, strategy="none")
    return row.model_dump_json() + "\n"


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


def test_the_manifest_notices_a_changed_model(requests, config, tmp_path, monkeypatch):
    run(config, tmp_path)
    monkeypatch.setattr("localdistill.manifest.file_hash", lambda path: "other")
    (tmp_path / "run" / "start" / "start.gguf").unlink()
    (tmp_path / "run" / "start").rmdir()
    with pytest.raises(ConfigError, match="has changed"):
        run(config, tmp_path)


def test_the_manifest_notices_a_configuration_that_was_changed_by_hand(requests, config, tmp_path):
    run(config, tmp_path)
    file = tmp_path / "run" / "config.toml"
    file.write_text(file.read_text().replace("rank = 16", "rank = 4"))
    with pytest.raises(ConfigError, match="configuration has changed"):
        run(config, tmp_path, train={"rank": 4})


def test_a_run_goes_on_under_a_version_with_more_settings(requests, config, tmp_path, monkeypatch):
    """As if there had been no ``train.patience`` yet when it was begun."""

    class Older(configuration.Config):
        def to_toml(self):
            text = super().to_toml()
            assert "patience = 3\n" in text
            return text.replace("patience = 3\n", "")

    older = Older.model_validate({**config, "rounds": 1})
    pipeline.run(older, tmp_path / "run", lambda event: None)
    assert "patience" not in (tmp_path / "run" / "config.toml").read_text()
    assert run(config, tmp_path, rounds=1).evaluation is not None


def stand_in(monkeypatch, **use):
    monkeypatch.setattr(verify, "try_sandbox", lambda kind: SandboxUse(**use))


def test_the_manifest_names_each_sandbox_of_a_run_once(requests, config, tmp_path, monkeypatch):
    first = {"tier": "3 (a)", "not_covered": ["The kernel."], "passed_over": ["docker: gone"]}
    for use in (first, first, {"tier": "2 (b)"}):  # continued under another one: not refused
        stand_in(monkeypatch, **use)
        result = run(config, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert [use["tier"] for use in manifest["sandboxes"]] == ["3 (a)", "2 (b)"]
    assert manifest["sandboxes"][0] == {**first, "unsafe": False}
    assert "hashes" in manifest
    text = result_text(result)
    for said in ("tier 3 (a)", "The kernel.", "docker: gone", "tier 2 (b)"):
        assert said in text
    assert "NO SANDBOX" not in text


def test_a_stage_that_found_another_sandbox_is_in_the_manifest(
    requests, config, tmp_path, monkeypatch
):
    stand_in(monkeypatch, tier="2 (b)")
    path = tmp_path / "run" / "rounds" / "01" / "verdicts.jsonl"
    path.parent.mkdir(parents=True)
    path.touch()
    monkeypatch.setattr(RunDir, "check", lambda self, config: None)
    summary = VerifySummary(completions=0, passed=0, counts={}, tier="3 (a)", not_covered=["X"])
    mark_done(path, **summary.model_dump(mode="json"))
    run(config, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert [use["tier"] for use in manifest["sandboxes"]] == ["2 (b)", "3 (a)"]


def test_a_run_without_a_sandbox_says_so_loudly(requests, config, tmp_path, monkeypatch):
    stand_in(monkeypatch, tier="4 (UNSAFE)", unsafe=True)
    result = run(config, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["sandboxes"][0]["unsafe"]
    assert result_text(result).startswith("WARNING: THERE WAS NO SANDBOX")


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
    ("settings", "layers", "overlaps"),
    [
        ({}, 0, False),
        ({}, 3, True),
        ({}, -1, True),
        ({"overlap": True}, 0, True),
        ({"overlap": False}, -1, False),
        ({"adaptive": True}, 0, True),
    ],
)
def test_a_round_tests_while_it_draws_where_a_gpu_draws_or_it_is_wished(
    requests, config, tmp_path, monkeypatch, settings, layers, overlaps
):
    def size(config, sets, gguf):
        chosen = config.generate.model_copy(update={"slots": 5, "gpu_layers": layers})
        return config.model_copy(update={"generate": chosen}), 768

    monkeypatch.setattr(pipeline, "settled", size)
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


@pytest.mark.parametrize("strategy", ["none", "confidence"])
def test_adaptive_sampling_needs_a_strategy_that_looks_at_passes(
    requests, config, tmp_path, strategy
):
    with pytest.raises(ConfigError, match=r"generate\.adaptive goes by; take tests"):
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


def test_the_same_sandbox_is_in_the_manifest_once_whatever_an_engine_says(tmp_path):
    directory = RunDir(tmp_path)
    directory.manifest.write_text("{}")
    for said in ("docker: old", "docker: old; write /dev/stdout: broken pipe"):
        record_sandbox(
            directory, SandboxUse(tier="3 (a)", not_covered=["The kernel."], passed_over=[said])
        )
    (use,) = json.loads(directory.manifest.read_text())["sandboxes"]
    assert use["passed_over"] == ["docker: old"]


def test_a_run_says_beforehand_what_it_can_show(requests, config, tmp_path):
    said = []
    built = configuration.build(config)
    pipeline.run(built, tmp_path / "run", said.append)
    (notice,) = [event for event in said if "comparison on" in getattr(event, "message", "")]
    assert (notice.level, "1 problems with 4 samples" in notice.message) == ("warning", True)
    pipeline.run(built, tmp_path / "run", said.append)  # a continued one has said so
    assert len([event for event in said if "comparison on" in getattr(event, "message", "")]) == 1


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"select": {"strategy": "none"}}, True),
        ({"select": {"strategy": "none"}, "generate": {"temperature": 0.95}}, True),
        ({"select": {"strategy": "none"}, "generate": {"temperature": 1.6}}, False),
        ({"select": {"strategy": "none"}, "generate": {"top_k": 20}}, False),
        ({"select": {"strategy": "tests"}}, False),
    ],
)
def test_training_on_samples_of_the_model_as_it_is_is_warned_of(
    requests, config, tmp_path, settings, warned
):
    said = []
    pipeline.run(configuration.build({**config, **settings}), tmp_path / "run", said.append)
    found = [event for event in said if "nothing but noise" in getattr(event, "message", "")]
    assert len(found) == warned


@pytest.fixture
def rejecting(requests, monkeypatch):
    """The stages of ``requests``, of which those named (stage, round) end with an error."""
    inner, failures = pipeline.run_stage, {}

    def stage(name, request, callback, log, inherit=()):
        found = inner(name, request, callback, log, inherit)
        number = int(request.out.parent.name) if name in ("train", "export") else 0
        error = failures.get((name, number))
        if error is not None:
            request.out.parent.mkdir(parents=True, exist_ok=True)
            raise error
        return found

    monkeypatch.setattr(pipeline, "run_stage", stage)
    return failures


def test_a_rejected_round_leaves_the_model_before_it(requests, rejecting, config, tmp_path):
    rejecting["export", 2] = ExportRejected("the check 'answers' failed: it repeats itself.")
    notices = []
    built = configuration.build({**config, "rounds": 3})
    result = pipeline.run(built, tmp_path / "run", notices.append)
    rounds = tmp_path / "run" / "rounds"
    sampled = [r.model for name, r in requests if name == "generate"]
    trained = [r.model for name, r in requests if name == "train"]
    assert sampled[2] == sampled[1] == rounds / "01" / "model.gguf"
    assert trained[2] == trained[1] == rounds / "01" / "merged"
    # Dev chooses among the rounds that gave a model.
    assert [r.candidate.label for name, r in requests if name == "evaluate"] == [
        "round-01", "round-03", "round-03",
    ]  # fmt: skip
    noted = Rejection.model_validate_json((rounds / "02" / "rejected.json").read_text())
    assert (noted.round, noted.stage, noted.kept) == (2, "export", "round-01")
    assert "it repeats itself" in noted.reason
    (said,) = [e.message for e in notices if isinstance(e, Notice) and "no new model" in e.message]
    assert "round-01 is kept" in said
    assert "No model of round 2: the check 'answers' failed" in result_text(result)


def test_a_rejected_round_is_not_done_again(requests, rejecting, config, tmp_path):
    rejecting["train", 1] = TrainingDiverged("the loss is no number.")
    first = run(config, tmp_path, rounds=2)
    rejecting.clear()
    requests.clear()
    again = run(config, tmp_path, rounds=2)
    assert again.rejections == first.rejections
    assert [r.round for name, r in requests if name == "generate"] == [2]
    # What was found of it stays with the round.
    note = json.loads((tmp_path / "run" / "rounds" / "01" / "rejected.json").read_text())
    assert (note["stage"], note["reason"]) == ("train", "the loss is no number.")
    (tmp_path / "run" / "rounds" / "01" / "rejected.json").unlink()
    requests.clear()
    assert run(config, tmp_path, rounds=2).rejections == ()
    assert [r.round for name, r in requests if name == "generate"] == [1, 2]


def test_a_damaged_note_of_a_rejection_is_one_line(requests, config, tmp_path):
    note = RunDir(tmp_path / "run").round(1).rejected
    note.parent.mkdir(parents=True)
    run_dir = RunDir(tmp_path / "run")
    run_dir.config.write_text(freeze(configuration.build(config)).to_toml())
    note.write_text("{}")
    with pytest.raises(ConfigError, match=r"rejected\.json: is damaged\. Delete it"):
        run(config, tmp_path)


def test_a_first_round_that_is_rejected_leaves_the_wanted_type_to_the_next(
    requests, rejecting, config, tmp_path
):
    rejecting["export", 1] = ExportRejected("no.")
    run(config, tmp_path, rounds=3, export={"quant": "Q8_0"})
    assert [r.quant for name, r in requests if name == "export"] == ["Q8_0", "Q8_0", "same"]


def test_without_any_new_model_the_eval_set_stays_closed(requests, rejecting, config, tmp_path):
    rejecting["export", 1] = ExportRejected("the check 'base' failed: another model.")
    result = run(config, tmp_path)
    assert "evaluate" not in [name for name, _ in requests]
    assert (result.evaluation, result.model.label) == (None, "base")
    text = result_text(result)
    assert "Verdict: no new model" in text
    assert "the check 'base' failed: another model." in text


def test_other_failures_end_the_run(requests, rejecting, config, tmp_path):
    rejecting["train", 1] = StageFailed("its process ended")
    with pytest.raises(StageFailed):
        run(config, tmp_path)
    assert not (tmp_path / "run" / "rounds" / "01" / "rejected.json").exists()


@pytest.mark.parametrize("progress", ["plain", "json"])
def test_the_command_ends_with_1_without_a_new_model(
    requests, rejecting, config, tmp_path, capsys, progress
):
    rejecting["export", 1] = ExportRejected("no.")
    names = {"problems": "--problems", "dev_problems": "--dev-problems"}
    names["eval_problems"] = "--eval-problems"
    files = [part for name, option in names.items() for part in (option, config[name])]
    command = ["run", "--model", "m.gguf", *files, "--run-dir", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--progress", progress])
    assert ended.value.code == 1
    out = capsys.readouterr().out
    if progress == "json":
        assert json.loads(out.splitlines()[-1])["verdict"] == "no new model"
    else:
        assert "Verdict: no new model" in out
