"""The pauses between the status calls of one job."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_veo.api.polling.schedule import (
    LONGEST,
    OPENING,
    SHORTEST,
    STEADY,
    choose_first_pause,
    choose_next_pause,
)
from tests.support.schedule_simulation import HONEST, LYING, Learning, cost, every

MIDDLE = 0.5  # no jitter


def pause(elapsed, *marks, earlier=()):
    return choose_next_pause(elapsed, list(marks), earlier, MIDDLE)


@pytest.mark.parametrize("remembers", [0, 20])
@pytest.mark.parametrize("shape", HONEST)
def test_honest_progress_needs_few_calls_and_is_detected_soon(shape, remembers):
    found = cost(Learning(remembers), HONEST[shape], jobs=2000)
    assert found.polls <= 6
    assert found.delay < 3


@pytest.mark.parametrize("remembers", [0, 20])
@pytest.mark.parametrize("shape", LYING)
def test_lying_progress_costs_few_calls_and_little_delay(shape, remembers):
    found = cost(Learning(remembers), LYING[shape], jobs=2000)
    assert found.polls <= 14
    assert found.delay <= 5.5


def test_the_simulation_agrees_with_arithmetic_for_a_fixed_interval():
    """The delay is half of the interval, and the number of calls follows from the duration of the jobs."""
    found = cost(every(lambda n: 5.0 if n else 0.0), LYING["absent"], jobs=2000)
    assert found.delay == pytest.approx(2.6, abs=0.1)
    assert found.polls == pytest.approx(1 + 130 / 5.15 + 0.5, abs=0.5)


def test_the_call_is_aimed_at_the_expected_end():
    # 1 % a second, as two estimates say: the end is at 100 s
    assert pause(80.5, (50.5, 50.5), (60.5, 60.5), (80.5, 80.5)) == pytest.approx(21.0)


def test_the_call_comes_earlier_with_coarse_steps():
    assert pause(80.0, (50.0, 50.0), (60.0, 60.0), (80.0, 80.0)) == pytest.approx(20.0 - 5.0 + 1.5 - 0.36 * 0.4 * 10)
    assert pause(81.0, (51.0, 51.0), (61.0, 61.0), (81.0, 81.0)) == pytest.approx(19.0 - 0.5 + 1.5 - 0.36 * 0.4)


def test_the_first_estimate_is_doubted_since_the_time_in_the_queue_is_unknown():
    left = (100 - 80.5) * 45.0 / 80.5
    assert pause(45.0, (45.0, 80.5)) == pytest.approx(left - 0.36 * 0.4 * left + 1.5)


def test_the_end_is_expected_at_the_full_last_percent():
    # 0.01 % a second: the end is at 10 000 s
    assert pause(9980.0, (5050.0, 50.5), (9950.0, 99.5)) == pytest.approx(21.5)


def test_the_pause_is_steady_again_when_the_expected_end_has_passed():
    marks = (50.5, 50.5), (60.5, 60.5), (98.5, 98.5)
    assert pause(99.5, *marks) == SHORTEST
    assert pause(106.0, *marks) == SHORTEST
    assert pause(107.0, *marks) == STEADY


def test_the_pause_is_steady_again_when_progress_has_stalled():
    marks = (40.0, 1.5), (50.0, 6.5), (60.0, 11.5)
    assert pause(61.0, *marks) == LONGEST
    assert pause(90.0, *marks) == STEADY


def test_coarse_progress_may_stand_still_for_two_steps_and_a_percent():
    marks = (100.0, 10.0), (200.0, 20.0), (300.0, 30.0)  # 0.1 % a second
    assert pause(510.0, *marks) == LONGEST
    assert pause(511.0, *marks) == pytest.approx(511 / 18)


@pytest.mark.parametrize(
    "marks",
    [
        (),
        [(45.0, 0.0)],
        [(45.0, 50.0), (55.0, 100.0)],
        [(45.0, 0.0), (55.0, 50.0)],
        [(45.0, 25.0), (55.0, 50.0)],
        [(45.0, 50.5), (55.0, 100.0)],
    ],
)
def test_progress_without_information_gives_steady_pauses(marks):
    assert pause(60.0, *marks) == STEADY


def test_falling_progress_gives_steady_pauses():
    assert pause(60.0, (45.0, 60.0), (55.0, 30.0)) == STEADY


def test_a_long_job_is_asked_for_less_often():
    assert pause(180.0) == STEADY
    assert pause(360.0) == 2 * STEADY
    assert pause(3600.0) == LONGEST


def test_earlier_jobs_choose_the_first_pause():
    assert choose_first_pause(0.0, (), MIDDLE) == OPENING
    assert choose_first_pause(30.0, (), MIDDLE) == OPENING - 30.0
    assert choose_first_pause(OPENING, (), MIDDLE) == STEADY / 2
    assert choose_first_pause(0.0, (20.0, 20.0), MIDDLE) == OPENING  # two jobs are too few
    assert choose_first_pause(0.0, (20.0, 21.0, 22.0), MIDDLE) == pytest.approx(18.0)
    assert choose_first_pause(0.0, (900.0, 900.0, 900.0), MIDDLE) == 60.0  # the UI shows news


def test_pauses_are_short_at_the_times_at_which_earlier_jobs_ended():
    steady_jobs = (20.0, 20.5, 21.0)
    assert pause(19.0, earlier=steady_jobs) == SHORTEST
    assert pause(30.0, earlier=steady_jobs) == STEADY  # this job takes longer
    assert pause(20.0, earlier=(100.0, 120.0, 180.0)) == pytest.approx(60.0)
    assert pause(90.0, earlier=(100.0, 120.0, 180.0)) == pytest.approx(8.0)
    assert pause(120.0, earlier=(100.0, 120.0, 180.0)) == pytest.approx(8.0)
    assert pause(180.0, earlier=(100.0, 120.0, 180.0)) == pytest.approx(8.0)


def test_the_first_calls_for_jobs_of_another_triggerer_are_spread():
    pauses = [choose_first_pause(100.0, (), chance / 100) for chance in range(100)]
    assert min(pauses) == 0.0
    assert max(pauses) == pytest.approx(STEADY, rel=0.02)


numbers = st.floats(0, 1e5)
earlier_jobs = st.lists(st.floats(0.1, 1e4), max_size=20)


@given(
    elapsed=numbers,
    marks=st.lists(st.tuples(numbers, st.floats(0, 100) | st.integers(0, 100).map(float)), max_size=8),
    earlier=earlier_jobs,
    chance=st.floats(0, 1),
)
@example(elapsed=0.0, marks=[(32.0, 1.7e-305)], earlier=[], chance=0.0)
@example(elapsed=0.0, marks=[(0.0, 0.0), (1e5, 5e-324)], earlier=[], chance=0.0)
def test_every_pause_is_within_its_bounds(elapsed, marks, earlier, chance):
    found = choose_next_pause(elapsed, list(marks), earlier, chance)
    assert 0.9 * SHORTEST <= found <= 1.1 * 2 * LONGEST


@given(elapsed=numbers, earlier=earlier_jobs, chance=st.floats(0, 1))
def test_the_first_pause_is_within_its_bounds(elapsed, earlier, chance):
    assert 0 <= choose_first_pause(elapsed, earlier, chance) <= 1.1 * 2 * LONGEST
