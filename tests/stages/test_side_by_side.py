"""Drawing and testing at the same time: how two processes end, and what reaches the callback."""

import json
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from localdistill.errors import ConfigError, ModelError, StageFailed, WriterGone
from localdistill.events import StageFinished, StageStarted
from localdistill.jsonl import read_rows
from localdistill.markers import is_done
from localdistill.sampling import Sampling
from localdistill.stages import side_by_side
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.side_by_side import generate_and_verify
from localdistill.stages.verify import VerifyRequest
from localdistill.types import Completion, Verdict
from tests.backends.reference import SEED_MODEL

SEED_PROBLEMS = SEED_MODEL.parent / "problems" / "train.jsonl"
STARTED = StageStarted(stage="generate", title="generate", total=8)


def requests(folder, **changes):
    generate = GenerateRequest(
        model=SEED_MODEL,
        problems=str(SEED_PROBLEMS),
        limit=4,
        samples=4,
        sampling=Sampling(max_tokens=100),
        out=folder / "completions.jsonl",
        slots=4,
        threads=2,
        **changes,
    )
    verify = VerifyRequest(
        problems=str(SEED_PROBLEMS),
        limit=4,
        completions=folder / "completions.jsonl",
        out=folder / "verdicts.jsonl",
        follow=True,
        sandbox="local",
    )
    return generate, verify


class Stages:
    """Stand-ins for the two processes; ``sleep`` children can be ended as real ones can."""

    def __init__(self, monkeypatch):
        self.generate = lambda: {"completions": 8}
        self.verify = lambda: {"passed": 3}
        self.requests, self.ended = {}, {}
        self.callback = None
        monkeypatch.setattr(side_by_side, "run_stage", self.run)

    def run(self, stage, request, callback, log, inherit=(), *, nice=0, started=None):
        self.requests[stage] = request
        child = subprocess.Popen(["sleep", "600"])
        try:
            started(child)
            if stage == "generate":
                callback(STARTED)
            result = getattr(self, stage)()
            if result is None:  # at work until it is ended
                child.wait(60)
                self.ended[stage] = child.returncode
                raise StageFailed(f"{stage}: its process ended with signal 15")
            return result
        finally:
            child.kill()
            child.wait()


@pytest.fixture
def stages(monkeypatch):
    return Stages(monkeypatch)


def both(folder, callback=lambda event: None):
    return generate_and_verify(*requests(folder), callback, folder / "log.txt")


def test_both_summaries_come_back_and_verify_knows_how_many_will_come(stages, tmp_path):
    assert both(tmp_path) == ({"completions": 8}, {"passed": 3})
    assert stages.requests["verify"].expected == 8


def test_each_can_be_ended_by_another_thread(stages, tmp_path):
    stages.generate = lambda: None

    def took(child):
        taken.append(child)
        if len(taken) == 2:  # as at the end of a run's time
            for each in taken:
                each.terminate()

    taken = []
    stages.verify = lambda: None
    with pytest.raises(StageFailed):
        generate_and_verify(
            *requests(tmp_path), lambda event: None, tmp_path / "log.txt", started=took
        )
    assert len(taken) == 2


def test_an_error_in_verify_ends_generate_and_is_the_one_that_is_told(stages, tmp_path):
    stages.generate = lambda: None

    def fail():
        raise ConfigError("other problems")

    stages.verify = fail
    with pytest.raises(ConfigError, match="other problems"):
        both(tmp_path)
    assert stages.ended == {"generate": -signal.SIGTERM}


def test_an_error_in_generate_ends_verify_and_is_the_one_that_is_told(stages, tmp_path):
    stages.verify = lambda: None

    def fail():
        raise ModelError("not a model")

    stages.generate = fail
    with pytest.raises(ModelError, match="not a model"):
        both(tmp_path)
    assert stages.ended in ({"verify": -signal.SIGTERM}, {})


def test_that_the_writer_is_gone_never_hides_why(stages, tmp_path):
    seen = threading.Event()

    def gone():
        seen.set()
        raise WriterGone("nobody writes any more")

    def fail():
        seen.wait(60)
        raise ModelError("not numbers")

    stages.generate, stages.verify = fail, gone
    with pytest.raises(ModelError, match="not numbers"):
        both(tmp_path)
    seen.clear()
    stages.generate, stages.verify = gone, fail
    with pytest.raises(ModelError, match="not numbers"):
        both(tmp_path)


def test_an_interrupt_ends_both(stages, tmp_path):
    stages.verify = lambda: None

    def interrupted():
        raise KeyboardInterrupt

    stages.generate = interrupted
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        both(tmp_path)
    assert not set(threading.enumerate()) - before


def test_the_callback_is_never_called_by_both_at_a_time(stages, tmp_path, monkeypatch):
    inside, most = [], []

    def callback(event):
        inside.append(event)
        time.sleep(0.0005)  # gives the other thread the chance to come in between
        most.append(len(inside))
        inside.pop()

    def talk(stage, callback):
        for _ in range(50):
            callback(StageFinished(stage=stage))

    original = stages.run

    def run(stage, request, told, *args, **more):
        setattr(stages, stage, lambda: talk(stage, told) or {})
        return original(stage, request, told, *args, **more)

    monkeypatch.setattr(side_by_side, "run_stage", run)
    both(tmp_path, callback)
    assert len(most) == 101 and set(most) == {1}


@pytest.mark.real
@pytest.mark.parametrize("changes", [{}, {"adaptive": True}, {"deterministic": True}])
def test_the_real_stages_draw_and_test_every_sample_once(tmp_path, changes):
    if "adaptive" in changes:
        changes = {"adaptive": True, "keep": 2, "verdicts": tmp_path / "verdicts.jsonl"}
    events = []
    generate, verify = requests(tmp_path, **changes)
    drawn, tested = generate_and_verify(generate, verify, events.append, tmp_path / "log.txt")
    completions = read_rows(generate.out, Completion)
    verdicts = read_rows(verify.out, Verdict)
    assert sorted(row.key for row in completions) == sorted(row.key for row in verdicts)
    assert drawn["completions"] == tested["completions"] == len(completions) > 0
    assert is_done(generate.out) and is_done(verify.out)
    assert {event.stage for event in events if isinstance(event, StageFinished)} == {
        "generate",
        "verify",
    }
    left = {path.name for path in tmp_path.iterdir()}
    assert not any(name.endswith((".lock", ".put_off", ".tmp")) for name in left)


@pytest.mark.real
@pytest.mark.parametrize("adaptive", [False, True])
def test_killed_in_the_middle_both_go_on_where_they_were(tmp_path, adaptive):
    changes = {"verdicts": tmp_path / "verdicts.jsonl", "adaptive": True} if adaptive else {}
    generate, verify = requests(tmp_path, **changes)
    code = (
        "import sys; from pathlib import Path\n"
        "from localdistill.stages.generate import GenerateRequest\n"
        "from localdistill.stages.side_by_side import generate_and_verify\n"
        "from localdistill.stages.verify import VerifyRequest\n"
        "generate = GenerateRequest.model_validate_json(sys.argv[1])\n"
        "verify = VerifyRequest.model_validate_json(sys.argv[2])\n"
        "generate_and_verify(generate, verify, lambda event: None, Path(sys.argv[3]))\n"
    )
    command = [sys.executable, "-c", code, generate.model_dump_json(), verify.model_dump_json()]
    run = subprocess.Popen([*command, str(tmp_path / "log.txt")])
    while run.poll() is None and not (verify.out.exists() and verify.out.stat().st_size):
        time.sleep(0.002)
    children = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
    run.kill()
    run.wait()
    kept = read_rows(generate.out, Completion)
    psutil.wait_procs(children, timeout=60)
    assert children and not any(child.is_running() for child in children)
    drawn, tested = generate_and_verify(generate, verify, lambda event: None, tmp_path / "log.txt")
    rows = read_rows(generate.out, Completion)
    assert rows[: len(kept)] == kept
    keys = sorted(row.key for row in rows)
    assert len(set(keys)) == len(keys) == drawn["completions"] == tested["completions"]
    assert keys == sorted(row.key for row in read_rows(verify.out, Verdict))
    if adaptive:
        record = json.loads((tmp_path / "completions.jsonl.stopped.json").read_text())
        assert record["finished"]
        assert sum(one["samples"] for one in record["problems"].values()) == len(keys)
    else:
        assert len(keys) == 16
