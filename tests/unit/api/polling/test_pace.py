"""The pace of status calls, which refusals slow down."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.polling.pace import Pace, slow_down, speed_up, start_call


def test_without_refusals_there_is_no_limit():
    assert start_call(Pace(), 5.0) == Pace()
    assert speed_up(Pace()) == Pace()


def test_retry_after_pauses_all_calls():
    assert slow_down(Pace(), sent_at=9.0, now=10.0, retry_after=30.0).resume_at == 40.0


def test_without_retry_after_the_pause_grows_with_each_refusal():
    pace, now, pauses = Pace(), 0.0, []
    for _ in range(9):
        pace = slow_down(pace, sent_at=now, now=now + 0.1, retry_after=None)
        pauses.append(pace.resume_at - now - 0.1)
        now = pace.resume_at
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 20, 20, 20, 20])


def test_refusals_of_calls_in_flight_count_as_one():
    pace = slow_down(Pace(), sent_at=9.0, now=10.0, retry_after=None)
    again = slow_down(pace, sent_at=9.5, now=10.1, retry_after=None)
    assert again.gap == pace.gap
    assert slow_down(pace, sent_at=10.0, now=10.1, retry_after=None).gap == pace.gap
    assert slow_down(again, sent_at=11.5, now=12.0, retry_after=None).gap == 2 * pace.gap


def test_a_later_refusal_never_shortens_the_pause():
    pace = slow_down(Pace(), sent_at=9.0, now=10.0, retry_after=60.0)
    assert slow_down(pace, sent_at=9.0, now=11.0, retry_after=1.0).resume_at == 70.0


def test_a_retry_after_of_a_day_pauses_for_five_minutes_only():
    assert slow_down(Pace(), sent_at=0.0, now=10.0, retry_after=86_400.0).resume_at == 310.0


def test_the_gap_separates_the_starts_of_calls():
    assert start_call(Pace(gap=0.5), 10.0).resume_at == 10.5


def test_good_answers_restore_the_speed():
    pace, seconds = Pace(gap=1.0), 0.0
    while pace.gap:
        seconds += pace.gap
        pace = speed_up(pace)
    assert 60 < seconds < 300


@pytest.mark.parametrize("allowed", [0.5, 5.0, 50.0])
def test_the_pace_adapts_to_a_rate_limit(allowed):
    """A token bucket: in the long run nearly all calls are answered, and nearly the whole allowance is used."""
    size = max(1.0, allowed)
    pace, now, tokens, counts, chance = Pace(), 0.0, size, [0, 0], random.Random(1)
    while now < 1800:
        start = max(now, pace.resume_at)
        tokens, now = min(size, tokens + allowed * (start - now)), start
        pace = start_call(pace, now)
        good = tokens >= 1
        tokens -= good
        now += chance.uniform(0.001, 0.002)
        tokens += allowed * 0.0015
        pace = speed_up(pace) if good else slow_down(pace, start, now, None)
        counts[good] += 1
    refusals, answers = counts
    assert refusals < 0.1 * answers
    assert answers > 0.4 * allowed * 1800


@given(st.lists(st.tuples(st.sampled_from(["answer", "refusal", "begin"]), st.floats(0, 100)), max_size=60))
def test_the_pace_stays_within_its_bounds(events):
    pace, now = Pace(), 0.0
    for kind, seconds in events:
        now += seconds
        if kind == "begin":
            pace = start_call(pace, now)
        else:
            pace = speed_up(pace) if kind == "answer" else slow_down(pace, now - 0.1, now, None)
        assert 0 <= pace.gap <= 5.0
        assert pace.resume_at <= now + 300.0
