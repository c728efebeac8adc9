"""The jobs with which a task may continue, and those that an unknown order may have made."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pendulum
import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.videos import parse_videos
from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY
from airflow_provider_veo.api.errors import ApiError, NotOrderedError, Reason, TransportError
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.orders import adoption
from airflow_provider_veo.orders.adoption import (
    Window,
    check_model,
    describe_candidates,
    describe_rest_call,
    find_candidates,
    is_same_model,
)
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.utils.task_instance import Region
from tests.unit.orders.samples import INTENT, ORDER, OTHER_REQUEST

SOLD = ("veo-3.1", "openai/sora-2", "my-alias")


@pytest.mark.parametrize(
    ("ordered", "reported", "known", "is_refused"),
    [
        ("veo-3.1", None, SOLD, False),
        ("veo-3.1", "veo-3.1", SOLD, False),
        ("openai/veo-3.1", "VEO-3.1", SOLD, False),
        ("veo-3.1", "veo-3.1-fast", (), True),  # both models of the gateway
        ("veo-3.1-fast-fl", "sora2_video_generation", SOLD, False),  # its stand-in for the model
        ("veo-3.1-fast", "veo-3.0-generate-001", SOLD, False),  # new-api's channel for Google
        ("my-alias", "veo-3.1-fast", SOLD, False),  # a proxy's own name, and its upstream's
        ("veo-3.1", "sora-2", SOLD, True),
        ("sora-2", "my-alias", SOLD, True),
        ("sora-2", "sora-2-pro", (), False),  # it is not known
    ],
)
def test_a_job_of_a_model_that_can_be_ordered_is_refused_if_another_was_ordered(ordered, reported, known, is_refused):
    refusal = pytest.raises(NotOrderedError, match=f"of the model {reported}, and {ordered} was ordered")
    with refusal if is_refused else nullcontext():
        check_model("v", ordered, reported, known, VEO_GATEWAY)


def job(created, video_id="v", model="m"):
    at = None if created is None else pendulum.from_timestamp(created)
    return Video(video_id, VideoStatus.QUEUED, "queued", model=model, created_at=at)


def test_at_most_five_candidates_of_that_time_and_model_are_named_nearest_first():
    jobs = [
        job(950 + 100, "late"),
        job(950 - 100, "early"),
        job(None, "no time"),
        job(951, "other", model="n"),
        job(951, "earlier"),
        job(952, "no model", model=None),
        *(job(960 + number, f"{number}") for number in range(9)),
        job(949, "nearest"),
    ]
    record = replace(INTENT, earlier=("earlier",))
    found = find_candidates(jobs, record, Window.of(record, failed_at=951), "m")
    assert [one.id for one in found] == ["nearest", "no model", "0", "1", "2"]


def test_a_list_of_jobs_is_read_without_the_broken_ones():
    items = """{"id": "a", "status": "queued"}, null, 7, "b", [], {"status": "queued"},
        {"id": "x\\ny", "status": "queued"}, {"id": "sk-secret", "status": "queued"}, {"id": 5, "status": "?"},
        {"error": {"message": "no"}}"""
    for text in (f'{{"data": [{items}]}}', f"[{items}]"):
        answer = Answer.of(200, text.encode(), [], "http://x", secrets=["sk-secret"])
        assert [video.id for video in parse_videos(answer, "Listing")] == ["a", "5"]


@pytest.mark.parametrize(
    "text", ["", "{}", "null", '{"data": null}', '{"data": {"id": "a"}}', "<html>", '"x"', "[" * 9999]
)
def test_another_value_than_a_list_has_no_jobs(text):
    assert parse_videos(Answer.of(200, text.encode(), [], "http://x"), "Listing") == []


def test_the_rest_call_has_escaped_names():
    task = TaskIdentity("a/b c", "manual__2026-11-28T00:00:00+00:00", "group.t", 3, epoch=0)
    assert describe_rest_call(task, 'x"y') == (
        "PUT /api/v2/dags/a%2Fb%20c/dagRuns/manual__2026-11-28T00%3A00%3A00%2B00%3A00/taskInstances/group.t"
        '/state-store/veo_adopt?map_index=3 with the body {"value": "x\\"y"}'
    )
    assert '{"value": "ID OF THE JOB"}' in describe_rest_call(task, None)
    looped = TaskIdentity("d", "r", "t", -1, epoch=0, region=Region("0199a4b0-0000-7000-8000-000000000001", 2))
    assert (
        "/state-store/veo_adopt?region_id=0199a4b0-0000-7000-8000-000000000001&region_index=2 with"
        in describe_rest_call(looped, None)
    )


@pytest.mark.parametrize(("value", "video_id"), [("v", "v"), (" v\n", "v"), (7, "7"), ("a/b?c", "a/b?c")])
def test_an_id_is_read_in_each_form_that_people_write(value, video_id):
    assert adoption.read_id(value) == video_id


def test_two_spellings_of_a_name_mean_one_model():
    assert is_same_model("gemini/Veo-3.1", "veo-3.1")
    assert is_same_model("proxy/gemini/veo-3.1", "veo-3.1")
    assert not is_same_model("veo-3.1", "veo-3.1-fast")


def test_candidates_are_described_with_their_status():
    assert describe_candidates([job(0, "a"), job(1, "b")]) == (
        "The server lists these jobs of that time and model, the nearest first: a (queued, created 1970-01-01 "
        "00:00:00+00:00), b (queued, created 1970-01-01 00:00:01+00:00)."
    )


def test_candidates_may_be_at_both_ends_of_the_window_and_at_the_same_distance():
    window = Window.of(INTENT, failed_at=951)
    jobs = [job(889, "early"), job(1012, "late"), job(1011, "end"), job(890, "begin"), job(940, "a"), job(960, "b")]
    assert [one.id for one in find_candidates(jobs, INTENT, window, "m")] == ["a", "b", "begin", "end"]


@pytest.mark.parametrize("value", [None, True, 1.5, "", " ", "a\nb", ["v"], {"id": "v"}])
def test_a_value_that_is_not_an_id_is_refused(value):
    with pytest.raises(
        NotOrderedError, match=r"veo_adopt is .*; it must be the id of a video job\. Nothing was ordered"
    ):
        adoption.read_id(value)


def test_a_value_that_is_not_an_id_is_shortened_in_the_error():
    with pytest.raises(NotOrderedError) as caught:
        adoption.read_id(["v" * 200])
    assert "veo_adopt is ['" + "v" * 90 in str(caught.value)
    assert "v" * 100 not in str(caught.value)


def test_a_job_of_an_earlier_order_or_of_another_request_is_refused():
    record = replace(INTENT, earlier=("u",))
    adoption.check_order(record, ORDER, "v")
    with pytest.raises(NotOrderedError, match="Video u, which veo_adopt names, was made by an earlier order"):
        adoption.check_order(record, ORDER, "u")
    with pytest.raises(NotOrderedError, match=r"request has changed since .* a frame or another .* That video would"):
        adoption.check_order(record, OTHER_REQUEST, "v")


NOT_FOUND = ApiError("Asking", reason=Reason.NOT_FOUND, status=404)
FORBIDDEN = ApiError("Asking", reason=Reason.FORBIDDEN, status=403)


@pytest.mark.parametrize(
    ("answer", "is_recent", "text", "permanent"),
    [
        (NOT_FOUND, True, r"status of video v, which veo_adopt names, could not be read: Asking", False),
        (NOT_FOUND, False, "could not be read", True),
        (FORBIDDEN, True, "could not be read", True),
        (FORBIDDEN, False, "could not be read", True),
        (TransportError("no route"), True, "could not be read: no route", False),
        (TransportError("no route"), False, "could not be read: no route", False),
        (Video("v", VideoStatus.FAILED, "failed"), True, r"Video v, .* is failed\. Nothing", True),
        (Video("v", VideoStatus.FAILED, "failed", message="no cats"), False, r"is failed: no cats\. Nothing", True),
        (Video("v", VideoStatus.UNKNOWN), True, "reports no status of video v", False),
        (Video("v", VideoStatus.UNKNOWN), False, "reports no status of video v", True),
    ],
)
def test_a_job_without_a_video_or_a_status_is_refused(answer, is_recent, text, permanent):
    with pytest.raises(NotOrderedError, match=text) as caught:
        adoption.check_job("v", answer, is_recent=is_recent)
    assert caught.value.permanent is permanent


def test_a_job_with_a_status_is_returned():
    running = Video("v", VideoStatus.RUNNING, "processing")
    assert adoption.check_job("v", running, is_recent=False) is running
