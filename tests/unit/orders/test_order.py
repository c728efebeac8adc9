"""The order that a task wants to send, and its fingerprint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.orders.order import make_fingerprint
from tests.unit.orders.samples import ORDER


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_an_execution_timeout_without_time_is_refused(seconds):
    with pytest.raises(InvalidInputError, match=r"execution_timeout is .* it is ordered\. Nothing was ordered\. Set"):
        replace(ORDER, execution_timeout=seconds)


@pytest.mark.parametrize(
    ("execution_timeout", "deadline"),
    [(None, 900.0 + 600.0), (0.5, 1000.0 + 0.5), (10.0, 1000.0 + 10.0), (3600.0, 900.0 + 600.0)],
)
def test_the_earlier_of_two_timeouts_is_the_deadline(execution_timeout, deadline):
    assert replace(ORDER, execution_timeout=execution_timeout).deadline(900.0) == deadline


def test_requests_that_order_the_same_have_one_fingerprint():
    png, other = (Frame(content, "image/png", 9, 16) for content in (b"1", b"2"))
    spec = VideoSpec("p", "veo-3.1-fl", first_frame=png)
    same = VideoSpec("p", "veo-3.1-fl", first_frame=Frame(b"1", "image/png", 9, 16))
    assert make_fingerprint(spec, "c") == make_fingerprint(same, "c")
    different = [
        (VideoSpec("q", "veo-3.1-fl", first_frame=png), "c"),
        (VideoSpec("p", "veo-3.1-fast-fl", first_frame=png), "c"),
        (VideoSpec("p", "veo-3.1-fl", first_frame=other), "c"),
        (VideoSpec("p", "veo-3.1-fl", first_frame=png, last_frame=png), "c"),
        (VideoSpec("p", "veo-3.1-fl", first_frame=png, seconds=4), "c"),
        (VideoSpec("p", "veo-3.1-fl", first_frame=png, extra_body={"seed": 1}), "c"),
        (spec, "d"),
    ]
    assert len({make_fingerprint(*one) for one in different} | {make_fingerprint(spec, "c")}) == 8
    assert make_fingerprint(VideoSpec("p", "m", extra_body={"a": 1, "b": 2}), "c") == make_fingerprint(
        VideoSpec("p", "m", extra_body={"b": 2, "a": 1}), "c"
    )


def test_a_fingerprint_is_the_same_in_every_version_of_this_package():
    assert make_fingerprint(VideoSpec("画小猫", "veo-3.1"), "c") == "975202621462ce76"
