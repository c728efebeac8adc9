"""The time that a call may take, by a clock that the test moves."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.limits import HEAD_BYTES, LEAST_RATE


class Watch:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def started(of):
    watch = Watch()
    return watch, Clock(of, now=watch)


def test_received_bytes_do_not_extend_a_status_call():
    watch, clock = started(limits.of_status_call(60))
    for _ in range(40):
        watch.now += 0.5
        clock.record_sent(1, since=watch.now - 0.5)
        clock.record_received(1, since=watch.now)
    assert clock.seconds_to_connect() <= 0
    assert clock.seconds_to_send() <= 0
    assert clock.seconds_to_receive() <= 0
    assert clock.is_over()
    assert clock.count_seconds() == pytest.approx(20)


def test_the_time_for_the_answer_to_an_order_begins_with_its_last_byte():
    watch, clock = started(limits.of_order(60))
    for _ in range(100):
        watch.now += 30
        clock.record_sent(64 * 1024 * 10, since=watch.now - 30)
        assert clock.seconds_to_send() == 60
        assert clock.seconds_to_receive() == 60
    watch.now += 60
    clock.record_received(1, since=watch.now - 60)
    assert clock.seconds_to_receive() == 0
    assert not clock.is_over()


def test_an_order_that_is_received_too_slowly_is_cancelled():
    watch, clock = started(limits.of_order(60))
    for _ in range(120):
        watch.now += 1
        clock.record_sent(LEAST_RATE // 2, since=watch.now - 1)
    assert clock.seconds_to_send() == 0


def test_a_video_may_take_any_time_if_it_is_not_too_slow():
    watch, clock = started(limits.of_content(60))
    clock.begin_body()
    for _ in range(10_000):
        watch.now += 59
        clock.record_received(LEAST_RATE * 59, since=watch.now - 59)
        assert clock.seconds_to_receive() == pytest.approx(60)
    for _ in range(200):  # earlier fast bytes do not make up for slow ones
        watch.now += 0.4
        clock.record_received(1, since=watch.now - 0.4)
    assert clock.seconds_to_receive() < 0


def test_the_time_of_the_disk_does_not_count():
    watch, clock = started(limits.of_content(60))
    clock.begin_body()
    watch.now += 1000
    assert clock.seconds_to_receive() == 60


def test_the_head_of_a_video_has_a_time_limit():
    watch, clock = started(limits.of_content(60))
    clock.record_sent(100, since=watch.now)
    watch.now += 60
    clock.record_received(64, since=watch.now)
    assert clock.seconds_to_receive() == 0
    clock.begin_body()
    assert clock.seconds_to_receive() == 60


def test_a_chat_may_be_silent_until_its_own_time_is_over():
    watch, clock = started(limits.of_chat(60, whole=1200))
    clock.record_sent(100, since=watch.now)
    assert clock.seconds_to_receive() == 1200
    watch.now += 1200
    assert clock.seconds_to_receive() == 0


@pytest.mark.parametrize("whole", [1e9, 1e300])
def test_no_timeout_exceeds_the_limit_of_sockets(whole):
    _, clock = started(limits.of_chat(1e12, whole))
    assert clock.seconds_to_connect() == clock.seconds_to_send() == clock.seconds_to_receive() == 86_400


def test_each_exchange_has_its_own_limit_of_head_bytes_and_all_share_one_time_limit():
    watch, clock = started(limits.of_frame())
    assert not clock.record_received(HEAD_BYTES + 1, since=watch.now)
    watch.now += 40
    clock.begin()
    assert clock.record_received(HEAD_BYTES, since=watch.now)
    assert clock.seconds_to_connect() == 20


def test_the_bytes_of_interim_answers_are_limited():
    watch, clock = started(limits.of_status_call(20))
    assert clock.record_received(HEAD_BYTES, since=watch.now)
    assert not clock.record_received(1, since=watch.now)
    clock.begin_body()
    assert clock.record_received(10 * HEAD_BYTES, since=watch.now)


def test_a_body_without_bytes_of_a_video_is_ended():
    clock = Clock(limits.of_content(60.0))
    clock.begin_body()
    assert clock.record_received(limits.WASTE_BYTES, clock.now())
    assert not clock.record_received(1, clock.now())


def test_a_body_with_bytes_of_a_video_continues():
    clock = Clock(limits.of_content(60.0))
    clock.begin_body()
    for _ in range(1_000):
        assert clock.record_received(65_536, clock.now())
        clock.record_used(65_536 // limits.MOST_WASTE)


def test_a_body_that_repeats_an_order_continues_as_far_as_it_is_allowed():
    clock = Clock(limits.of_content(60.0))
    clock.begin_body()
    for _ in range(100):
        assert clock.record_received(65_536, clock.now())
        clock.allow(65_536)
    assert not clock.record_received(limits.WASTE_BYTES + 1, clock.now())
