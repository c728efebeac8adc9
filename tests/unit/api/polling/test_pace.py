from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.polling.pace import Pace, answered, begun, refused


def test_without_refusals_there_is_no_limit():
    assert begun(Pace(), 5.0) == Pace()
    assert answered(Pace()) == Pace()


def test_the_servers_own_delay_holds_for_all():
    assert refused(Pace(), sent_at=9.0, now=10.0, retry_after=30.0).resume_at == 40.0


def test_without_one_the_pause_grows_with_each_refusal():
    pace, now, pauses = Pace(), 0.0, []
    for _ in range(9):
        pace = refused(pace, sent_at=now, now=now + 0.1, retry_after=None)
        pauses.append(pace.resume_at - now - 0.1)
        now = pace.resume_at
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 20, 20, 20, 20])


def test_many_refusals_of_one_moment_are_one():
    pace = refused(Pace(), sent_at=9.0, now=10.0, retry_after=None)
    again = refused(pace, sent_at=9.5, now=10.1, retry_after=None)
    assert again.gap == pace.gap
    assert refused(pace, sent_at=10.0, now=10.1, retry_after=None).gap == pace.gap
    assert refused(again, sent_at=11.5, now=12.0, retry_after=None).gap == 2 * pace.gap


def test_a_later_refusal_never_shortens_the_pause():
    pace = refused(Pace(), sent_at=9.0, now=10.0, retry_after=60.0)
    assert refused(pace, sent_at=9.0, now=11.0, retry_after=1.0).resume_at == 70.0


def test_an_absurd_delay_does_not_stop_everything_for_a_day():
    assert refused(Pace(), sent_at=0.0, now=10.0, retry_after=86_400.0).resume_at == 310.0


def test_calls_keep_their_distance():
    assert begun(Pace(gap=0.5), 10.0).resume_at == 10.5


def test_good_answers_bring_the_speed_back():
    pace, seconds = Pace(gap=1.0), 0.0
    while pace.gap:
        seconds += pace.gap
        pace = answered(pace)
    assert 60 < seconds < 300


@pytest.mark.parametrize("allowed", [0.5, 5.0, 50.0])
def test_a_limited_server_is_found_out(allowed):
    """A token bucket: in the long run nearly all calls are answered, and the allowance is made use of."""
    size = max(1.0, allowed)
    pace, now, tokens, counts, chance = Pace(), 0.0, size, [0, 0], random.Random(1)
    while now < 1800:
        start = max(now, pace.resume_at)
        tokens, now = min(size, tokens + allowed * (start - now)), start
        pace = begun(pace, now)
        good = tokens >= 1
        tokens -= good
        now += chance.uniform(0.001, 0.002)
        tokens += allowed * 0.0015
        pace = answered(pace) if good else refused(pace, start, now, None)
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
            pace = begun(pace, now)
        else:
            pace = answered(pace) if kind == "answer" else refused(pace, now - 0.1, now, None)
        assert 0 <= pace.gap <= 5.0
        assert pace.resume_at <= now + 300.0
