"""The outcome of a job, and the event that carries it from a trigger to its task."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_veo.api.errors import Reason, VeoError, VideoFailedError, VideoTimeoutError
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.video import Video, VideoStatus


def test_an_outcome_survives_the_way_through_an_event():
    outcome = Outcome("completed", "v", "completed", url="https://x.example/a.mp4", seconds=8.0)
    event = outcome.to_event()
    assert Outcome.from_event(event) == outcome
    assert all(isinstance(value, (str, int, float, type(None))) for value in event.values())
    assert Outcome.from_event(event | {"field_of_a_later_version": 1}) == outcome


def test_the_duration_of_a_job_needs_its_start_and_its_end():
    created, completed = "2026-11-26T16:02:21Z", "2026-11-26T16:05:13Z"
    outcome = Outcome("completed", "v", "completed", created_at=created, completed_at=completed)
    assert outcome.generation_seconds == 172.0
    assert replace(outcome, created_at=None).generation_seconds is None
    assert replace(outcome, completed_at=None).generation_seconds is None


WHOLE_EVENT = {"version": 1, "kind": "failed", "video_id": "v", "status": "failed"}


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        "success",
        {"version": 2, "video_id": "v"},
        {"version": 1},
        {"version": 1, "status": "failed"},
        WHOLE_EVENT | {"kind": "vanished"},
        WHOLE_EVENT | {"video_id": ""},
        WHOLE_EVENT | {"status": None},
    ],
)
def test_an_event_of_another_form_is_refused(event):
    assert Outcome.from_event(WHOLE_EVENT) == Outcome("failed", "v", "failed")
    with pytest.raises(VeoError) as caught:
        Outcome.from_event(event)
    assert str(caught.value) == (
        f"The trigger resumed the task with an event that this version cannot read: {event!r}. "
        "Install the same version of airflow-provider-veo on workers and triggerers."
    )


def test_the_error_of_an_unreadable_event_shows_its_beginning():
    with pytest.raises(VeoError, match=f"read: '{'x' * 199}…. Install"):
        Outcome.from_event("x" * 500)


@pytest.mark.parametrize("in_doubt", [True, False])
def test_the_doubt_about_a_job_reaches_the_task(in_doubt):
    outcome = Outcome.of(Video("v", VideoStatus.FAILED, "completed", in_doubt=in_doubt))
    assert Outcome.from_event(outcome.to_event()).in_doubt is in_doubt


def test_a_job_in_doubt_is_marked_completed_and_keeps_what_is_known():
    facts = {"model": "veo", "url": "https://x.example/a.mp4", "polls": 3}
    doubt = Outcome("failed", "v", "failed", "filtered", Reason.MODERATION.value, in_doubt=True, **facts)
    assert doubt.mark_completed() == Outcome("completed", "v", "completed", **facts)


def test_an_event_holds_no_address_that_may_be_signed():
    """Airflow writes events into the triggerer's log."""
    signed = Outcome(kind="completed", video_id="v", status="completed", url="https://x.example/a.mp4?signature=s")
    event = signed.to_event()
    assert "signature" not in json.dumps(event)
    assert Outcome.from_event(event).url_withheld
    plain = replace(signed, url="https://x.example/a.mp4")
    assert Outcome.from_event(plain.to_event()) == plain


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@x.example/a.mp4",
        "https://x.example/a.mp4#secret",
        "https://x.example/a.mp4;secret",
        "https://x.example/exp=1~hmac=secret/a.mp4",
        "https://x.example/a.mp4&secret",
        "https://x.example/a%3Dsecret.mp4",
        "https://x.example/__veo_api_key__/secret.mp4",
        "https://x.example/".ljust(2_001, "x"),
    ],
)
def test_an_address_that_may_be_signed_is_not_in_the_event(url):
    event = Outcome("completed", "v", "completed", url=url).to_event()
    assert (event["url"], event["url_withheld"]) == (None, True)


@pytest.mark.parametrize(
    "url",
    [
        "https://x.example:8443/a/b-c_d.e~f.mp4",
        "http://[::1]:80/v1/videos/v/content",
        "https://x.example/".ljust(2_000, "x"),
    ],
)
def test_a_plain_address_is_in_the_event(url):
    event = Outcome("completed", "v", "completed", url=url).to_event()
    assert (event["url"], event["url_withheld"]) == (url, False)


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("message", "half an emoji \ud83d and \x00", "half an emoji \ufffd and \ufffd"),
        ("message", "x" * 5_000_000, "x" * 2_000),
        ("model", ["a"], None),
        ("seconds", float("nan"), None),
        ("seconds", float("inf"), None),
        ("progress", 1, None),
    ],
)
def test_every_outcome_gives_an_event_that_can_be_stored(field, value, kept):
    outcome = Outcome("failed", "v", "failed")
    object.__setattr__(outcome, field, value)
    event = outcome.to_event()

    assert event.get(field) == kept
    assert "\\u0000" not in json.dumps(event, allow_nan=False, ensure_ascii=False).encode().decode()


@pytest.mark.parametrize("reason", ["a reason of a later version", None, 7, ["x"]])
def test_an_invalid_reason_in_an_event_counts_as_unknown(reason):
    event = Outcome("failed", "v", "failed", "no").to_event() | {"reason": reason}
    with pytest.raises(VideoFailedError) as caught:
        Outcome.from_event(event).raise_for_kind()
    assert caught.value.reason is Reason.UNKNOWN


def test_a_timeout_event_of_an_earlier_version_still_gives_a_timeout():
    with pytest.raises(VideoTimeoutError) as caught:
        Outcome("timeout", "v", "running", "late", reason="unknown").raise_for_kind()
    assert caught.value.reason is Reason.TIMEOUT
