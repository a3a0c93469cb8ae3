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
