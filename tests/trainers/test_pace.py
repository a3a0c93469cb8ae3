from localdistill.trainers.pace import Pace


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def train(pace, clock, seconds):
    """How many steps are done, and how many each of them believed that there would be."""
    believed = []
    while len(believed) < 50 and not pace.over():
        believed.append(pace.steps(len(believed)))
        took = seconds(len(believed))
        clock.now += took
        pace.took(took)
    return believed


def test_without_a_moment_to_end_all_steps_are_done():
    clock = Clock()
    pace = Pace(50, None, clock)
    assert train(pace, clock, lambda step: 9.0) == [50] * 50
    assert pace.left() is None


def test_it_ends_in_time_and_its_last_step_knows_that_it_is_the_last():
    clock = Clock()
    pace = Pace(50, 120.0, clock)
    believed = train(pace, clock, lambda step: 2.0)
    assert clock.now == 120.0
    assert believed == [50] + [10] * 9
    assert pace.left() == 0.0


def test_a_slow_first_step_is_not_taken_for_the_speed():
    clock = Clock()
    pace = Pace(50, 120.0, clock)
    believed = train(pace, clock, lambda step: 10.0 if step == 1 else 0.5)
    assert believed[2:4] == [21, 21]
    assert len(believed) == 21
    assert clock.now <= 120.0


def test_one_step_is_done_however_late_it_is():
    clock = Clock()
    pace = Pace(50, 0.0, clock)
    assert len(train(pace, clock, lambda step: 1.0)) == 1


def test_there_are_never_more_steps_than_were_planned():
    clock = Clock()
    pace = Pace(3, 1e9, clock)
    pace.took(1.0)
    assert pace.steps(1) == 3
    assert pace.steps(3) == 3


def continued(clock, left):
    """The pace of a training of ten steps of 2 seconds, in another process and ``left`` seconds."""
    before = Pace(50, 1000.0, clock)
    train_steps(before, clock, [2.0] * 10)
    return Pace(50, clock.now + left, clock, before.latest)


def train_steps(pace, clock, seconds):
    for took in seconds:
        clock.now += took
        pace.took(took)


def test_a_training_that_goes_on_knows_at_once_what_a_step_takes():
    clock = Clock()
    pace = continued(clock, left=20.0)
    assert pace.steps(10) == 20
    train_steps(pace, clock, [2.0])
    assert pace.steps(11) == 20


def test_the_slow_first_step_of_a_process_is_not_taken_for_the_speed_either():
    clock = Clock()
    pace = continued(clock, left=40.0)
    train_steps(pace, clock, [20.0])
    assert pace.steps(11) == 21
    train_steps(pace, clock, [8.0])  # but it is, where the next one is slow as well
    assert pace.steps(12) < 12 + 12 / 2


def test_without_a_moment_to_end_nothing_is_kept_of_the_speed():
    clock = Clock()
    pace = Pace(50, None, clock)
    pace.took(2.0)
    assert pace.latest == []
