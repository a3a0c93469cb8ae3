"""How the time of a run with --hours is shared out."""

import pytest

from localdistill.time_plan import (
    Measured,
    draw,
    for_people,
    generate_seconds,
    least_seconds,
    problems_that_fit,
    round_seconds,
    train_seconds,
)


def test_a_round_that_does_not_fit_is_not_begun():
    assert round_seconds(10.0, 1, None, 0) == 0.0
    assert round_seconds(180.0, 1, None, 0) == 180.0
    assert round_seconds(300.0, 5, 290.0, 0) == 0.0
    assert round_seconds(1000.0, 5, 290.0, 0) > 0.0
    assert least_seconds(4 * 10**9) > least_seconds(10**6)


def test_rounds_share_what_is_left_where_more_than_one_fits():
    assert round_seconds(3600.0, 4, None, 0) == 900.0
    assert round_seconds(180.0, 4, None, 0) == 180.0


@pytest.mark.parametrize("given", [60.0, 180.0, 3600.0, 36000.0])
@pytest.mark.parametrize("size", [10**6, 10**9])
def test_there_is_time_for_export_and_comparison_after_training(given, size):
    left = given - generate_seconds(given)
    train = train_seconds(left, given, size)
    assert 0 < train < left
    assert left - train >= 0.3 * given  # for the comparison
    assert left - train <= 0.5 * given


def test_a_comparison_takes_what_fits_and_none_that_shows_nothing():
    speed = Measured(completions=100, seconds=10.0)
    assert problems_that_fit(1e9, 200, 8, speed) == 200
    assert problems_that_fit(48.1, 200, 8, speed) == 40
    assert problems_that_fit(5.0, 200, 8, speed) == 0
    assert problems_that_fit(5.0, 3, 8, speed) == 3
    assert problems_that_fit(-3.0, 200, 8, speed) == 0


def test_problems_are_drawn_by_the_seed_alone_and_stay_in_order():
    ids = [f"p{n}" for n in range(50)]
    chosen = draw(ids, 10, "1")
    assert chosen == draw(ids, 10, "1") != draw(ids, 10, "2")
    assert sorted(chosen, key=ids.index) == chosen
    assert set(draw(ids[::-1], 10, "1")) == set(chosen)
    assert draw(ids, 60, "1") == ids


def test_time_is_told_in_fitting_units():
    assert [for_people(s) for s in (59.6, 720, 12600)] == ["60 s", "12 minutes", "3.5 hours"]
