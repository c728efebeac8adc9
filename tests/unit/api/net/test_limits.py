"""The limits of each kind of call."""

from __future__ import annotations

from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.net.limits import ERROR_BYTES


def test_a_status_call_has_twenty_seconds_or_the_timeout_of_the_connection():
    assert (limits.of_status_call(60).whole, limits.of_status_call(5).whole) == (20, 5)


def test_fewer_bytes_are_read_of_an_error():
    for of in (limits.of_order(60), limits.of_frame()):
        assert of.most_bytes_of(200) == of.most_bytes
        assert of.most_bytes_of(400) == ERROR_BYTES
