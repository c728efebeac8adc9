"""Which job may be gone on with, and which may have come of an unknown order."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pendulum
import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.videos import parse_videos
from airflow_provider_veo.api.backends.profiles import VEO_GATEWAY
from airflow_provider_veo.api.errors import NotOrderedError
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.orders import adoption
from airflow_provider_veo.orders.adoption import Window, candidates, check_model, rest_call, same_model
from airflow_provider_veo.orders.submission import Action, Order, State, Submission, decide, next_submission
from airflow_provider_veo.orders.video import TaskIdentity

ORDER = Order("f", epoch=2, now=1000.0, timeout=600.0, max_submissions=2, on_unknown_submission="fail")
CLEARED = replace(ORDER, epoch=3)
RECORD = Submission(
    State.SUBMITTED, "f", epoch=2, idempotency_key="k", submissions=1, waiting_since=900.0, sent_at=950.0, video_id="v"
)
INTENT = replace(RECORD, state=State.INTENT, video_id=None)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("order", [ORDER, CLEARED, replace(ORDER, on_unknown_submission="resubmit")])
def test_a_named_job_counts_where_an_order_is_unknown_only(state, order):
    record = replace(RECORD, state=state)
    with_name, without = decide(record, order, is_named=True), decide(record, order)
    assert with_name is (Action.ADOPT if state is State.INTENT else without)


def test_nothing_on_record_is_a_new_order_whatever_is_named():
    assert decide(None, ORDER, is_named=True) is Action.SUBMIT_NEW


@pytest.mark.parametrize("order", [ORDER, CLEARED])
def test_a_named_job_is_on_record_like_one_that_was_answered_with_fresh_time(order):
    adopted = replace(INTENT, posts=3).adopted_by_hand("v", order)
    assert (adopted.state, adopted.video_id, adopted.waiting_since) == (State.SUBMITTED, "v", order.now)
    assert (adopted.epoch, adopted.submissions, adopted.adopted) == (order.epoch, 1, False)
    assert decide(adopted, order, is_named=True) is Action.ASK  # as after a crash: the key may be there still


@pytest.mark.parametrize("state", [state for state in State if state is not State.INTENT])
def test_the_jobs_of_earlier_orders_are_remembered(state):
    before = replace(RECORD, state=state, earlier=("u",))
    assert next_submission(before, CLEARED, Action.SUBMIT_NEW, "t").earlier == ("u", "v")


def test_the_job_that_an_unknown_order_has_named_may_still_be_gone_on_with():
    assert next_submission(replace(INTENT, video_id="v"), CLEARED, Action.SUBMIT_NEW, "t").earlier == ()


def test_the_memory_of_earlier_jobs_is_bounded():
    record = RECORD
    for number in range(50):
        record = next_submission(
            replace(record, state=State.DELIVERED, video_id=f"v{number}"), CLEARED, Action.SUBMIT_NEW, "t"
        )
    assert record.earlier == tuple(f"v{number}" for number in range(30, 50))


SOLD = ("veo-3.1", "openai/sora-2", "my-alias")


@pytest.mark.parametrize(
    ("ordered", "said", "known", "is_refused"),
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
        ("sora-2", "sora-2-pro", (), False),  # nobody knows
    ],
)
def test_a_name_is_another_model_where_an_order_could_have_named_it(ordered, said, known, is_refused):
    refusal = pytest.raises(NotOrderedError, match=f"of the model {said}, and {ordered} was ordered")
    with refusal if is_refused else nullcontext():
        check_model("v", ordered, said, known, VEO_GATEWAY)


def job(created, video_id="v", model="m"):
    at = None if created is None else pendulum.from_timestamp(created)
    return Video(video_id, VideoStatus.QUEUED, "queued", model=model, created_at=at)


def test_candidates_are_of_that_time_and_model_the_nearest_first_and_five_at_most():
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
    found = candidates(jobs, record, Window.of(record, failed_at=951), "m")
    assert [one.id for one in found] == ["nearest", "no model", "0", "1", "2"]


def test_a_list_of_jobs_is_read_as_far_as_it_can_be():
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


def test_the_call_is_one_that_airflow_understands_whatever_the_names():
    who = TaskIdentity("a/b c", "manual__2026-11-28T00:00:00+00:00", "group.t", 3, epoch=0)
    assert rest_call(who, 'x"y') == (
        "PUT /api/v2/dags/a%2Fb%20c/dagRuns/manual__2026-11-28T00%3A00%3A00%2B00%3A00/taskInstances/group.t"
        '/state-store/veo_adopt?map_index=3 with the body {"value": "x\\"y"}'
    )
    assert '{"value": "ID OF THE JOB"}' in rest_call(who, None)


@pytest.mark.parametrize(("value", "video_id"), [("v", "v"), (" v\n", "v"), (7, "7"), ("a/b?c", "a/b?c")])
def test_ids_that_a_person_may_write(value, video_id):
    assert adoption.usable_id(value) == video_id


def test_names_are_of_one_model_in_any_spelling():
    assert same_model("gemini/Veo-3.1", "veo-3.1")
    assert not same_model("veo-3.1", "veo-3.1-fast")
