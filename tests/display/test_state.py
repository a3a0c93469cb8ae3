"""What displays know of a run, by its events alone."""

import pytest

from localdistill.display.curve import MOST, Curve
from localdistill.display.dashboard.estimate import run_left
from localdistill.display.state import RunState
from localdistill.display.words import about, tamed
from localdistill.events import (
    Notice,
    Pace,
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
    assert curve.columns(4) == (3.0, 3.0, 1.0, None)
    assert curve.last == 1.0
    curve.add(0.9, 7.0)
    assert curve.columns(4) == (3.0, 3.0, 1.0, 7.0)
    assert curve.columns(2) == (3.0, 4.0)
    curve.add(1.0, 9.0)
    assert curve.columns(4) == (3.0, 3.0, 1.0, 8.0)
    for number in range(5000):
        curve.add(number / 5000, 1.0)
    assert len(curve.points) <= MOST


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


DRAWN = Pace(round=1, seconds=1280, units=2992, whole=True)
TESTED = Pace(round=1, seconds=47, units=2992, whole=True)
EACH = (1280 + 47) / 2992


def continued(earlier, rounds=1, number=1, skip=("generate", "verify", "select"), dev=0):
    """A run that goes on: the stages of ``skip`` were finished by an earlier call."""
    found = recordings.Recording(rounds)
    plan = Planned(dev_completions=dev, final_completions=1312, earlier=earlier)
    found.add(plan, RoundStarted(round=number, rounds=rounds))
    for name in skip:
        found.add(StageStarted(stage=name, title=name, total=2992, done=2992, unit="completions"))
        found.add(StageFinished(stage=name, skipped=True), after=0.1)
    return found


def test_a_run_that_goes_on_knows_from_the_call_before_how_long_a_completion_takes():
    found = left(recordings.trained(continued({"generate": DRAWN, "verify": TESTED}), 100))
    assert found.without == ("export",)
    assert found.seconds == pytest.approx(21 * 48 + 1312 * EACH)


def test_without_that_there_is_no_total_before_this_call_has_measured_one():
    assert left(recordings.trained(continued({}), 100)) is None
    recording = continued({}, skip=("generate", "verify", "select", "train", "export"))
    title = "evaluate (eval): {}, base, greedy"
    drawing = StageStarted(stage="evaluate", title=title.format("generate"), total=656)
    recording.add(drawing, StageProgress(stage="evaluate", done=0, seconds_left=90.0))
    assert left(recording) is None  # not the 90 seconds of this part alone
    recording.add(StageProgress(stage="evaluate", done=656), after=328)
    assert left(recording) is None  # how long testing takes is not known yet
    recording.add(StageFinished(stage="evaluate"))
    testing = StageStarted(stage="evaluate", title=title.format("verify"), total=656)
    recording.add(testing, StageProgress(stage="evaluate", done=328), after=0)
    recording.add(StageProgress(stage="evaluate", done=656), after=65.6)
    assert left(recording).seconds == pytest.approx(1312 * 0.6 - 328 - 65.6)


def test_a_round_that_goes_on_takes_no_time_for_what_was_done_before_but_the_next_one_will():
    earlier = {"generate": DRAWN, "verify": TESTED, "select": Pace(round=1, seconds=1, units=9)}
    found = left(recordings.trained(continued(earlier, rounds=2), 100))
    assert found.without == ("export",)
    another = 1280 + 47 + 1 + 21 * 148 + 0.3
    assert found.seconds == pytest.approx(21 * 48 + another + 1312 * EACH)
    # Where it is not known what that took, no total is told.
    assert left(recordings.trained(continued({"generate": DRAWN}, rounds=2), 100)) is None


def test_what_the_round_before_took_stands_for_stages_to_come():
    took = {"generate": 1280, "verify": 47, "select": 1, "train": 3108, "export": 101}
    earlier = {
        name: Pace(round=1, seconds=seconds, units=2992, whole=True)
        for name, seconds in took.items()
    }
    recording = continued(earlier, rounds=2, number=2, skip=())
    recording.add(started("generate", 2992))
    recording.add(StageProgress(stage="generate", done=1, seconds_left=900.0), after=1)
    found = left(recording)
    assert found.without == ()
    each = 1 + 47 / 2992  # by what this call has drawn, as soon as it has drawn any
    assert found.seconds == pytest.approx(900 + 47 + 1 + 3108 + 101 + 1312 * each)
    # A training of this round that was killed does not tell how long it takes.
    earlier["train"] = Pace(round=2, seconds=50, units=20)
    assert left(continued_in_select(earlier)).without == ("train",)
    # One that was done wholly takes no more time, and none is lacking.
    earlier["train"] = Pace(round=2, seconds=50, units=20, whole=True)
    found = left(continued_in_select(earlier))
    assert found.without == ()
    assert found.seconds == pytest.approx(101 + 1312 * EACH)


def continued_in_select(earlier):
    recording = continued(earlier, rounds=2, number=2, skip=("generate", "verify"))
    return recording.add(started("select", 2992))


def test_once_the_starting_model_is_scored_one_model_is_left_to_score():
    earlier = {"generate": DRAWN, "verify": TESTED}
    skip = ("generate", "verify", "select", "train", "export")
    recording = continued(earlier, skip=skip, dev=500)
    for title in ("evaluate (dev): best decoding, base", "evaluate (dev): generate, round-01"):
        recording.add(StageStarted(stage="evaluate", title=title, total=200, unit="completions"))
        if "base" in title:
            recording.add(StageFinished(stage="evaluate"), after=1)
            recordings.scored(recording, 0, 0.4)
    recording.add(StageProgress(stage="evaluate", done=100), after=40)
    found = left(recording)
    assert found.seconds == pytest.approx(500 * EACH - 40 + 1312 * EACH)


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


@pytest.mark.parametrize(
    ("earlier", "total"),
    [
        (
            {
                "generate": Pace(round=1, seconds=20, units=10),
                "verify": Pace(round=1, seconds=5, units=10),
            },
            40 * (2 + 0.5),
        ),
        ({"generate": Pace(round=1, seconds=20, units=10)}, None),  # testing takes its time, too
        ({}, None),
    ],
)
def test_what_an_earlier_call_has_drawn_is_reckoned_at_its_speed(earlier, total):
    summary = {"completions": 10, "tokens": 1000, "tokens/s": 50.0}
    drawn = StageFinished(stage="generate", summary=summary, skipped=True)
    score = StageStarted(stage="evaluate", title="evaluate (eval): generate, base", total=20)
    state = RunState()
    for event in (
        RunStarted(model="m", directory="d", log="l", rounds=1),
        Planned(dev_completions=0, final_completions=40, earlier=earlier),
        RoundStarted(round=1, rounds=1),
        StageStarted(stage="generate", title="generate", total=10, done=10, unit="completions"),
        drawn,
        StageStarted(stage="verify", title="verify", total=10, done=10),
        StageFinished(stage="verify", skipped=True),
        score,
    ):
        state.take(event, 100.0)
    state.take(StageProgress(stage="evaluate", done=0, seconds_left=20.0), 100.0)
    found = run_left(state, 100.0)
    assert (found and found.seconds) == total
