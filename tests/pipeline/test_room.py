"""Room on the disk: old rounds' large files go, and the run stops before there is none."""

import threading

import pytest

from localdistill import disk_use, pipeline, pruning
from localdistill.errors import Stopped, StorageError
from localdistill.markers import mark_done
from localdistill.pipeline import room
from localdistill.run_dir import RunDir
from localdistill.stages.running import RUNNING
from tests.pipeline.helpers import run


@pytest.fixture
def rounds(requests, monkeypatch, tmp_path):
    """Exports leave weights, and what a stage starts from has to be there."""
    inner = pipeline.session.run_stage

    def stage(name, request, *rest, **how):
        start = {"train": "model", "export": "master"}.get(name)
        if start is not None and "rounds" in getattr(request, start).parts:
            assert getattr(request, start).is_dir(), "removed too early"
        found = inner(name, request, *rest, **how)
        if name == "export":
            request.merged.mkdir(exist_ok=True)
            (request.merged / "model.safetensors").write_text(str(request.out))
            mark_done(request.merged, adapter="a", master="m")
            mark_done(request.out)
        return found

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    return tmp_path / "run" / "rounds"


def standing(rounds):
    return [path.parent.name for path in sorted(rounds.glob("*/merged"))]


def test_the_best_and_the_last_round_stay(rounds, config, tmp_path, on_dev):
    on_dev["round-04"] = 0.4  # the second round is the best one
    result = run(config, tmp_path, rounds=4, stop_after=0)
    assert result.model.label == "round-02"
    assert standing(rounds) == ["02", "04"]
    assert sorted(path.parent.name for path in rounds.glob("*/model.gguf")) == ["02", "04"]
    found = pruning.pruned(RunDir(tmp_path / "run").round(1))
    assert found.kept == [2] and set(found.removed) == {"merged", "model.gguf"}


def test_a_finished_run_is_shown_again_without_what_was_removed(
    rounds, requests, config, tmp_path, on_dev
):
    on_dev["round-04"] = 0.4
    first = run(config, tmp_path, rounds=4, stop_after=0)
    requests.clear()
    again = run(config, tmp_path, rounds=4, stop_after=0)
    assert (again.model, again.evaluation) == (first.model, first.evaluation)
    # Rounds 1 and 3 were removed, and round 2 began with the model of round 1.
    assert [r.out.parent.name for name, r in requests if name == "export"] == ["04"]


def test_all_is_kept_if_wished(rounds, config, tmp_path):
    run(config, tmp_path, rounds=3, keep="all")
    assert standing(rounds) == ["01", "02", "03"]
    # And may be pruned by a later call, as `keep` may be named anew.
    run(config, tmp_path, rounds=3, keep="best+last")
    assert standing(rounds) == ["02", "03"]


def test_where_no_round_is_better_the_best_of_them_stays(rounds, config, tmp_path, on_dev):
    on_dev["base"] = 0.9
    result = run(config, tmp_path, rounds=3, stop_after=0)
    assert result.model.label == "round-02"
    assert standing(rounds) == ["02", "03"]


def test_a_stage_for_which_there_is_no_room_is_not_begun(requests, config, tmp_path, monkeypatch):
    monkeypatch.setattr(disk_use, "free_bytes", lambda path: disk_use.RESERVE - 1)
    with pytest.raises(StorageError, match=r"prepare needs .* Free 1 MB"):
        run(config, tmp_path)
    assert requests == []


@pytest.mark.parametrize("overlap", [True, False])
def test_nothing_is_drawn_without_room_for_it(requests, config, tmp_path, monkeypatch, overlap):
    monkeypatch.setattr(disk_use, "free_bytes", lambda path: disk_use.RESERVE + 1)
    with pytest.raises(StorageError, match=r"generate needs .* Free 1 MB"):
        run(config, tmp_path, generate={"overlap": overlap})
    assert [name for name, _ in requests] == ["prepare"]


def test_models_are_scored_where_there_is_room_for_as_much_as_was_drawn(
    requests, config, tmp_path, monkeypatch
):
    needs = {}
    monkeypatch.setattr(disk_use.Watch, "begin", lambda _, stage, need: needs.update({stage: need}))
    inner = pipeline.session.run_stage

    def stage(name, request, *rest, **how):
        found = inner(name, request, *rest, **how)
        if name == "generate":
            request.out.write_text("12345678\n" * 8)
            mark_done(request.out)
        return found

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    run(config, tmp_path, rounds=2, evaluate={"samples": 40})
    verdict = disk_use.verdicts(1) / 4
    one = int(9 + verdict)  # each set has one problem
    forty = int(40 * (9 + verdict))
    assert needs["verify"] == int(8 * verdict)
    assert needs["decoding"] == forty + one + forty  # warm, greedy, nearly greedy
    assert needs["evaluate"] == 2 * forty


@pytest.mark.parametrize("at_work", ["prepare", "train"])
def test_a_disk_that_gets_full_stops_the_stage_at_work(
    requests, config, tmp_path, monkeypatch, at_work
):
    full = threading.Event()
    monkeypatch.setattr(room, "_LOOK_S", 0.01)
    monkeypatch.setattr(disk_use, "free_bytes", lambda path: 0 if full.is_set() else 1 << 40)
    inner = pipeline.session.run_stage
    stopped = threading.Event()
    monkeypatch.setattr(RUNNING, "stop", lambda within_s=None: stopped.set())

    def stage(name, request, callback, log, inherit=(), started=None):
        if name == at_work:  # as a real one ends where it is stopped
            full.set()
            assert stopped.wait(60)
            raise Stopped
        return inner(name, request, callback, log, inherit)

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    with pytest.raises(StorageError, match=rf"{at_work} needs .* it goes on from here"):
        run(config, tmp_path)
    assert not RUNNING.stopping
    full.clear()
    monkeypatch.setattr(pipeline.session, "run_stage", inner)
    assert run(config, tmp_path).evaluation is not None


def test_a_stop_that_a_person_wished_is_one(requests, config, tmp_path, monkeypatch):
    def stopped(*arguments):
        raise Stopped

    monkeypatch.setattr(pipeline.rounds, "sample", stopped)
    with pytest.raises(Stopped):
        run(config, tmp_path)


def test_what_there_was_no_time_for_is_told_again_of_rounds_that_were_removed(
    rounds, config, tmp_path, on_dev
):
    on_dev["round-04"] = 0.4
    run(config, tmp_path, rounds=4, stop_after=0, hours=5.0)
    paths = RunDir(tmp_path / "run").round(1)
    assert pruning.pruned(paths) is not None
    summary = {"out_of_time": True, "steps": 4, "planned_steps": 9}
    paths.adapter.mkdir()
    mark_done(paths.adapter, summary=summary)
    again = run(config, tmp_path, rounds=4, stop_after=0, hours=5.0)
    assert [item.what for item in again.omitted.items if "Round 1" in item.what] == [
        "Round 1: training ended after step 4 of 9."
    ]
