"""What displays know of a run, by its events alone."""

import pytest

from localdistill.display.curve import Curve
from localdistill.display.dashboard.estimate import run_left
from localdistill.display.state import RunState
from localdistill.display.words import about, tamed
from localdistill.events import (
    Notice,
    Planned,
    RoundStarted,
    RunStarted,
    Scored,
    StageFinished,
    StageProgress,
    StageStarted,
    Steered,
)
from tests.display import recordings
from tests.display.test_dashboard import state_of


def started(stage="generate", total=100):
    return StageStarted(stage=stage, title=stage, total=total, unit="completions")


def test_a_pause_is_left_out_of_times_and_estimates():
    state = RunState()
    state.take(started(), 0.0)
    state.take(StageProgress(stage="generate", done=50), 10.0)
    state.take(Steered(wish="pause"), 10.0)
    (stage,) = state.at_work()
    assert state.working_time(500.0) == 10.0
    assert stage.seconds_left(state.working_time(500.0)) == 10.0
    state.take(Steered(wish="resume"), 1010.0)
    assert state.working_time(1010.0) == 10.0
    state.take(StageProgress(stage="generate", done=75), 1015.0)
    assert stage.seconds_left(state.working_time(1015.0)) == pytest.approx(5.0)


def test_a_call_that_goes_on_begins_with_nothing_at_work_but_keeps_scores():
    state = RunState()
    run = RunStarted(model="m.gguf", directory="d", log="d/log.txt", rounds=2)
    score = Scored(problem_set="dev", model="round-01", round=1, value=0.5, low=0.4, high=0.6)
    for event in (run, started(), Steered(wish="pause"), score, Notice(message="n")):
        state.take(event, 1.0)
    state.take(run, 100.0)
    assert not state.at_work() and not state.notices
    assert state.working_time(101.0) == 101.0  # a paused run that was killed is paused no more
    assert state.scores[("dev", "round-01")] == score


def test_verdicts_of_a_stage_that_was_done_before_come_from_its_summary():
    state = RunState()
    state.take(started("verify", 10), 0.0)
    summary = {"completions": 10, "passed": 6, "failed": 1, "runtime_error": 1, "timeout": 2}
    state.take(StageFinished(stage="verify", summary=summary, skipped=True), 0.0)
    assert state.tally is not None
    assert (state.tally.passed, state.tally.failed, state.tally.timeouts) == (6, 2, 2)


def test_a_curve_is_the_mean_of_each_part_and_fills_what_no_value_fell_into():
    curve = Curve()
    for share, value in ((0.2, 4.0), (0.3, 2.0), (0.65, 1.0), (0.7, float("nan"))):
        curve.add(share, value)
    assert curve.columns(4) == [3.0, 3.0, 1.0, None]
    assert curve.last == 1.0
    for number in range(5000):
        curve.add(number / 5000, 1.0)
    assert len(curve.points) <= 2001


def left(recording):
    state = state_of(recording)
    return run_left(state, state.working_time(recording.now))


def test_there_is_no_estimate_before_anything_is_drawn():
    assert left(recordings.prepare()) is None


def test_what_is_known_of_the_first_round_is_told_and_what_is_not_is_named():
    drawing, testing = 1280 / 2992, 47 / 2992
    found = left(recordings.select())
    assert found.without == ("train",)
    another = pytest.approx(1280 + 47, abs=5)  # of the second round, as much is known
    assert found.seconds - 1312 * (drawing + testing) == another
    for moment, named in (
        (recordings.generate, ("verify", "train")),
        (recordings.verify, ("train",)),
    ):
        found = left(moment())
        assert found.without == named
        assert found.seconds > 1312 * drawing


def test_from_the_training_on_what_is_left_out_is_named():
    found = left(recordings.trained(recordings.selected(1), 100))
    assert found.without == ("export",)
    final = 1312 * (1280 + 47) / 2992  # drawing and testing, at the round's own speed
    assert found.seconds == pytest.approx(21 * 48 + final)


def test_a_second_round_is_expected_to_take_what_the_first_took():
    found = left(recordings.second_round())
    assert found.without == ()
    after = 47 + 1 + 148 * 21 + 101
    assert found.seconds == pytest.approx(677 + after + 1312 * (1280 + 47) / 2992)


def test_between_rounds_a_whole_one_is_expected():
    recording = recordings.exported().add(RoundStarted(round=2, rounds=2))
    whole = 1280 + 47 + 1 + 148 * 21 + 101
    assert left(recording).seconds == pytest.approx(whole + 1312 * (1280 + 47) / 2992)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "10 s"),
        (44, "40 s"),
        (60, "1 min"),
        (754, "13 min"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
    ],
)
def test_an_estimate_is_told_no_finer_than_it_is(seconds, text):
    assert about(seconds) == text


def test_text_of_others_cannot_steer_the_terminal():
    assert tamed("a\x1b[2J\nb\x07\u202ec") == "a [2J b c"


def test_the_comparison_on_dev_is_part_of_a_round():
    """Of two models in the first one, whose own cost each takes; of one in those after it."""
    recording = recordings.trained(recordings.selected(2), 100)
    recording.add(Planned(dev_completions=500, final_completions=1312))
    each = (1280 + 47) / 2992
    one = 1280 + 47 + 1 + 21 * 100 + 21 * 48 + 500 * each
    found = left(recording)
    assert found.seconds == pytest.approx(21 * 48 + 1000 * each + one + 1312 * each)


@pytest.mark.parametrize(("speed", "total"), [(50.0, 40 * 100 / 50), (0.0, None)])
def test_what_an_earlier_call_has_drawn_is_reckoned_at_its_speed(speed, total):
    summary = {"completions": 10, "tokens": 1000, "tokens/s": speed}
    drawn = StageFinished(stage="generate", summary=summary, skipped=True)
    score = StageStarted(stage="generate", title="generate (eval)", total=40, unit="completions")
    state = RunState()
    for event in (
        RunStarted(model="m", directory="d", log="l", rounds=1),
        Planned(dev_completions=0, final_completions=40),
        RoundStarted(round=1, rounds=1),
        StageStarted(stage="generate", title="generate", total=10, done=10, unit="completions"),
        drawn,
        StageStarted(stage="verify", title="verify", total=10, done=10),
        StageFinished(stage="verify", skipped=True),
        score,
    ):
        state.take(event, 100.0)
    state.take(StageProgress(stage="generate", done=0, seconds_left=20.0), 100.0)
    found = run_left(state, 100.0)
    assert (found and found.seconds) == total
