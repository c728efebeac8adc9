"""`on_clear`, and records that only the order files have."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from airflow_provider_veo.orders.decision import (
    Adopt,
    Follow,
    HandOver,
    JobState,
    Known,
    Refuse,
    ReturnUrls,
    Submit,
    adopt_record,
    decide,
    decide_chat,
    find_urls,
    is_out_of_reach,
    make_next_record,
    resume_record,
)
from airflow_provider_veo.orders.record import State
from tests.unit.orders.samples import INTENT, KEPT, ORDER, RECORD, record

COLLECT = ORDER
NEW = replace(ORDER, on_clear="new")
RUNNING = Known(has_looked=True, job_state=JobState.RUNNING)
STORED = Known(has_looked=True, stored=object())


@pytest.mark.parametrize(
    ("on_record", "known"),
    [
        (record(State.SUBMITTED, cleared=True), RUNNING),
        (record(State.STORED, cleared=True), STORED),
        (record(State.STORED, cleared=True), RUNNING),
    ],
)
def test_on_clear_decides_about_a_paid_video_that_is_not_delivered(on_record, known):
    assert isinstance(decide(on_record, COLLECT, "me", known), Follow | HandOver)
    assert isinstance(decide(on_record, NEW, "me", known), Submit)


@pytest.mark.parametrize("state", State)
def test_on_clear_new_orders_at_a_clear_with_any_record(state):
    step = decide(record(state, cleared=True), NEW, "me")
    assert isinstance(step, Submit)
    assert (step.record.submissions, step.record.posts, step.record.waiting_since) == (1, 0, NEW.now)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("known", [RUNNING, STORED])
def test_on_clear_changes_no_retry(state, known):
    assert decide(record(state), NEW, "me", known) == decide(record(state), COLLECT, "me", known)


def test_a_retry_after_such_a_clear_continues_with_the_new_order():
    step = decide(record(State.SUBMITTED, cleared=True), NEW, "me")
    ordered = step.record.as_sent(NEW.now).as_accepted("another")
    assert isinstance(decide(ordered, NEW, "me", RUNNING), Follow)
    assert isinstance(decide(step.record.as_sent(NEW.now), NEW, "me"), Refuse)


def test_a_job_that_a_person_has_named_is_adopted_all_the_same():
    unknown = record(State.INTENT, cleared=True, video_id=None)
    assert isinstance(decide(unknown, NEW, "me", Known(named="v")), Adopt)


def test_on_clear_decides_about_the_videos_of_chat_calls():
    paid = record(State.SUBMITTED, cleared=True, video_id=None, urls=("https://x.example/1", "https://x.example/2"))
    assert isinstance(decide_chat(paid, COLLECT, "me", 2), ReturnUrls)
    step = decide_chat(paid, NEW, "me", 2)
    assert isinstance(step, Submit)
    assert step.record.urls == ()
    assert find_urls(replace(paid, epoch=ORDER.epoch), NEW) == paid.urls


@pytest.mark.parametrize(
    ("known_server", "server", "is_out"),
    [("a", "a", False), ("a", "b", True), ("a", None, False), (None, "b", False), (None, None, False)],
)
def test_a_job_of_another_server_cannot_be_asked_for(known_server, server, is_out):
    assert is_out_of_reach(replace(RECORD, server=known_server), replace(ORDER, server=server)) is is_out


@pytest.mark.parametrize(("age", "is_out"), [(0.0, False), (99.0, False), (100.0, True), (1e9, True)])
def test_a_job_is_out_of_reach_once_its_server_has_deleted_the_video(age, is_out):
    order = replace(ORDER, retention=100.0)
    assert is_out_of_reach(replace(RECORD, sent_at=order.now - age), order) is is_out
    assert not is_out_of_reach(replace(RECORD, sent_at=order.now - age), replace(order, retention=math.inf))


@pytest.mark.parametrize(
    "other",
    [
        INTENT,
        RECORD.as_refused(),
        RECORD.as_lost(),
        RECORD.as_delivered(),
        RECORD.as_stored(KEPT),
        replace(RECORD, video_id=None, urls=("https://x.example/1",)),
    ],
)
def test_only_a_job_that_would_be_asked_for_can_be_out_of_reach(other):
    """A stored video is in our own storage, and a chat call has no job."""
    assert not is_out_of_reach(replace(other, server="a"), replace(ORDER, server="b"))


def test_each_record_has_the_region_and_the_server_of_its_try():
    here = replace(ORDER, region="r", server="s")
    for made in (
        make_next_record(None, here, "me"),
        make_next_record(RECORD, here, "me"),
        resume_record(RECORD, here),
        adopt_record(INTENT, here, "v"),
    ):
        assert (made.region, made.server) == ("r", "s")
    assert resume_record(replace(RECORD, server="first"), here).server == "first"


def test_a_new_order_has_no_number_yet_and_the_same_order_keeps_its_own():
    numbered = replace(RECORD, entry=4)
    assert make_next_record(numbered, ORDER, "me").entry is None
    assert resume_record(numbered, ORDER).entry == 4
    assert numbered.as_stored(KEPT).as_delivered().entry == 4
