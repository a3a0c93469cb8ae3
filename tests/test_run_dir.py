"""The run directory: one writer, one configuration."""

import fcntl
import subprocess
import sys

import pytest

from localdistill import config as configuration
from localdistill.errors import ConfigError, GpuLost, StorageError
from localdistill.markers import mark_done
from localdistill.run_dir import _MAY_BE_LEFT, RunDir

CONFIG = configuration.build({"model": "m.gguf", "problems": "p.jsonl"})


def test_a_second_run_in_the_same_directory_is_refused_at_once(tmp_path):
    with RunDir(tmp_path), pytest.raises(ConfigError, match="another run works in it"):
        RunDir(tmp_path).open()


def test_so_it_is_before_anything_is_checked(tmp_path):
    directory = RunDir(tmp_path / "run")
    directory.refuse_if_taken()
    assert not directory.path.exists()
    with RunDir(tmp_path), pytest.raises(ConfigError, match="another run works in it"):
        RunDir(tmp_path).refuse_if_taken()
    RunDir(tmp_path).refuse_if_taken()
    with RunDir(tmp_path):
        pass


def test_one_that_was_opened_for_a_call_is_opened_once(tmp_path):
    directory = RunDir(tmp_path / "run").open()
    assert directory.open() is directory and directory.is_open
    with pytest.raises(ConfigError, match="another run works in it"):
        RunDir(tmp_path / "run").open()
    directory.close()
    with RunDir(tmp_path / "run"):
        assert not directory.is_open


def test_who_is_refused_holds_nothing(tmp_path):
    second = RunDir(tmp_path)
    with RunDir(tmp_path), pytest.raises(ConfigError, match="another run works in it"):
        second.open()
    assert not second.is_open
    with RunDir(tmp_path):
        pass


def test_the_lock_is_free_again_after_the_run(tmp_path):
    with RunDir(tmp_path):
        pass
    with RunDir(tmp_path):
        pass


def test_a_new_run_waits_for_the_stage_process_of_a_killed_one(tmp_path):
    # The orphan holds the stage lock through the descriptor that it inherited, as a stage does.
    directory = RunDir(tmp_path).open()
    orphan = subprocess.Popen(
        [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(directory.stage_lock,),
    )
    assert orphan.stdout.readline() == b"up\n"
    directory.close()
    probe = "import sys; from pathlib import Path; from localdistill.run_dir import RunDir\n"
    probe += "RunDir(Path(sys.argv[1])).open(); print('open', flush=True)"
    successor = subprocess.Popen([sys.executable, "-c", probe, tmp_path], stdout=subprocess.PIPE)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            successor.wait(timeout=3)
        orphan.stdin.close()
        orphan.wait()
        assert successor.stdout.readline() == b"open\n"
    finally:
        successor.kill()
        orphan.kill()


def test_continuing_with_another_configuration_names_what_differs(tmp_path):
    with RunDir(tmp_path) as directory:
        directory.adopt(CONFIG)
        directory.write_manifest({"hashes": {}})
        other = configuration.build({"model": "m.gguf", "problems": "p.jsonl", "seed": 3})
        with pytest.raises(ConfigError, match=r"seed \(0 there, 3 here\)"):
            directory.adopt(other)


@pytest.mark.parametrize("name", ["config.toml", "manifest.json"])
def test_what_a_crash_has_cut_short_is_restored(tmp_path, name):
    with RunDir(tmp_path) as directory:
        began_with = directory.adopt(CONFIG)
        directory.write_manifest({"hashes": {"starting model": "a"}})
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        assert directory.adopt(CONFIG) == began_with
        assert (tmp_path / name).read_bytes() == whole
        with pytest.raises(ConfigError, match="starting model has changed"):
            directory.write_manifest({"hashes": {"starting model": "b"}})


def test_a_mistake_in_the_first_call_can_be_corrected(tmp_path):
    other = configuration.build({"model": "m.gguf", "problems": "right.jsonl"})
    with RunDir(tmp_path) as directory:
        directory.adopt(CONFIG)
        stale = directory.problems("train")
        stale.parent.mkdir()
        stale.write_text("of the wrong set")
        assert directory.adopt(other).problems == "right.jsonl"
        assert not stale.exists()
        assert (
            configuration.build(configuration.read_toml(directory.config)).problems == "right.jsonl"
        )


def test_what_the_machine_chose_is_kept_on_continuing(tmp_path, monkeypatch):
    with RunDir(tmp_path) as directory:
        first = directory.adopt(CONFIG)
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
        assert directory.adopt(CONFIG) == first
        assert first.generate.threads is not None
        assert first.generate.threads < 64


def test_a_users_number_of_threads_wins_and_is_compared(tmp_path):
    mine = configuration.build({**CONFIG.model_dump(), "generate": {"threads": 3}})
    with RunDir(tmp_path) as directory:
        assert directory.adopt(mine).generate.threads == 3
        directory.write_manifest({"hashes": {}})
        other = configuration.build({**CONFIG.model_dump(), "generate": {"threads": 5}})
        with pytest.raises(ConfigError, match=r"generate\.threads"):
            directory.adopt(other)


def test_less_may_go_through_at_once_where_memory_has_become_scarce(tmp_path):
    def train(tokens):
        return configuration.build({**CONFIG.model_dump(), "train": {"micro_batch_tokens": tokens}})

    with RunDir(tmp_path) as directory:
        directory.adopt(train(2048))
        assert directory.adopt(train(1024)).train.micro_batch_tokens == 1024  # begun anew
        directory.write_manifest({"hashes": {}})
        assert directory.adopt(train(512)).train.micro_batch_tokens == 512
        assert directory.adopt(CONFIG).train.micro_batch_tokens == 1024


def test_fewer_samples_may_be_drawn_at_once_unless_the_same_texts_are_promised(tmp_path):
    def config(slots, deterministic):
        more = {"generate": {"slots": slots}, "deterministic": deterministic}
        return configuration.build({**CONFIG.model_dump(), **more})

    for deterministic in (False, True):
        with RunDir(tmp_path / str(deterministic)) as directory:
            directory.adopt(config(16, deterministic))
            directory.write_manifest({"hashes": {}})
            assert directory.adopt(config(None, deterministic)).generate.slots == 16
            if deterministic:
                with pytest.raises(ConfigError, match=r"generate\.slots"):
                    directory.adopt(config(4, deterministic))
            else:
                assert directory.adopt(config(4, deterministic)).generate.slots == 4


def test_a_directory_with_other_files_is_not_taken_over(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with RunDir(tmp_path) as directory, pytest.raises(ConfigError, match=r"thesis\.txt"):
        directory.adopt(CONFIG)


def test_a_changed_model_or_problem_set_stops_a_continued_run(tmp_path):
    with RunDir(tmp_path) as directory:
        directory.write_manifest({"hashes": {"starting model": "a"}})
        directory.write_manifest({"hashes": {"starting model": "a"}})
        with pytest.raises(ConfigError, match="starting model has changed"):
            directory.write_manifest({"hashes": {"starting model": "b"}})


def test_an_unwritable_directory_is_one_line_with_the_fix(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="choose another --run-dir"):
        RunDir(tmp_path / "file" / "run").open()


def test_rounds_and_patience_may_be_raised_and_nothing_else_is_written(tmp_path):
    def asked(**more):
        return configuration.build({"model": "m.gguf", "problems": "p.jsonl", **more})

    with RunDir(tmp_path) as directory:
        directory.adopt(asked(rounds=2))
        directory.write_manifest({"hashes": {}})
        before = directory.config.read_text()
        assert directory.adopt(asked(rounds=3, stop_after=0)).rounds == 3
        after = before.replace("rounds = 2", "rounds = 3")
        assert directory.config.read_text() == after.replace("stop_after = 2", "stop_after = 0")
        assert directory.adopt(asked(rounds=3, stop_after=0)).stop_after == 0
        for fewer in ({"rounds": 2, "stop_after": 0}, {"rounds": 3, "stop_after": 1}):
            with pytest.raises(ConfigError, match="another configuration"):
                directory.adopt(asked(**fewer))


@pytest.mark.parametrize("error", [StorageError("full"), GpuLost("gone"), OSError(28, "full")])
def test_what_a_mishap_has_ended_stays_though_nothing_was_drawn(tmp_path, error):
    path = tmp_path / "run"
    with pytest.raises(type(error)), RunDir(path) as directory:
        directory.adopt(CONFIG)
        (directory.start / "master").mkdir(parents=True)
        raise error
    assert (path / "start" / "master").is_dir()


@pytest.mark.parametrize("lock", ["run.lock", "stage.lock"])
def test_a_lock_that_a_failing_run_has_taken_away_meanwhile_is_none(tmp_path, monkeypatch, lock):
    """A run fails, removes its files and ends while the next one opens them."""
    flock, removed = fcntl.flock, []

    def late(descriptor, how):
        if (tmp_path / lock).exists() and not removed:
            removed.append((tmp_path / lock).unlink())
        return flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with RunDir(tmp_path):
        assert removed
        with pytest.raises(ConfigError, match="another run works in it"):
            RunDir(tmp_path).open()
        with (tmp_path / lock).open() as file, pytest.raises(BlockingIOError):
            flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_somebody_has_put_there_meanwhile_stays(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(ConfigError), RunDir(path) as directory:
        (path / "notes.txt").write_text("mine")
        (path / "papers").mkdir()
        directory.adopt(CONFIG)
    assert {each.name for each in path.iterdir()} == {"notes.txt", "papers"}


def test_so_it_does_once_the_run_was_begun(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(ConfigError), RunDir(path) as directory:
        directory.adopt(CONFIG)
        directory.write_manifest({"hashes": {}})
        for split in ("train", "dev"):
            directory.problems(split).parent.mkdir(exist_ok=True)
            directory.problems(split).write_text("{}")
        for folder in (directory.start, directory.round(1).path, directory.scores("dev", "base")):
            folder.mkdir(parents=True)
        directory.events.write_text("{}")
        mark_done(directory.problems("train").parent)
        (path / "notes.txt").write_text("mine")
        raise ConfigError("a mistake in it")
    assert {each.name for each in path.iterdir()} == {"notes.txt"}


def test_what_a_call_may_leave_is_made_by_a_run(tmp_path):
    assert RunDir(tmp_path)._own_names() >= _MAY_BE_LEFT


def test_before_a_run_is_begun_nothing_is_left_by_a_mishap(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(StorageError), RunDir(path):
        raise StorageError("no room for it")
    assert not path.exists()
