from __future__ import annotations

import json
from dataclasses import replace

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.errors import (
    ApiError,
    InvalidInputError,
    NotSentError,
    Reason,
    StatusUnknownError,
    TransportError,
    VeoError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.api.polling.decision import (
    AskAgain,
    News,
    Outcome,
    WaitPolicy,
    WaitState,
    first_delay,
    observe,
)
from airflow_provider_veo.api.video import Video, VideoStatus

POLICY = WaitPolicy(submitted_at=1000.0, deadline=2200.0, poll_interval=10.0)


def video(status="processing", **more):
    known = {"processing": VideoStatus.RUNNING, "dreaming": VideoStatus.UNKNOWN}
    return Video("v", known.get(status) or VideoStatus(status), status, **more)


def api_error(reason, **more):
    return ApiError("Asking failed", reason=reason, status=500, **more)


def see(seen, *, state=None, now=1100.0, chance=0.5, policy=POLICY):
    return observe(policy, state or WaitState(), "v", seen, now, chance)


def test_a_running_job_is_asked_again():
    state, step = see(video(progress=30.0))
    assert step.delay == 10.0
    assert step.news == News("Video v: processing 30 %, 100 s after submission", video(progress=30.0))
    assert (state.status, state.progress) == (VideoStatus.RUNNING, 30.0)


def test_a_job_may_be_asked_for_at_once_and_often():
    _, step = see(video(), now=1000.0, policy=replace(POLICY, poll_interval=0.5))
    assert (step.delay, step.news.text) == (0.5, "Video v: processing, 0 s after submission")


def test_only_changes_are_noted():
    state, _ = see(video(progress=30.0))
    assert see(video(progress=30.0), state=state)[1].news is None
    assert "31 %" in see(video(progress=31.0), state=state)[1].news.text


def test_an_unknown_word_means_still_running_and_is_named():
    _, step = see(video("dreaming"))
    assert isinstance(step, AskAgain)
    assert step.news.text == "Video v: dreaming (an unknown word, taken as running), 100 s after submission"


def test_no_word_is_no_unknown_word():
    news = see(Video("v", VideoStatus.UNKNOWN))[1].news
    assert news.text == "Video v: accepted, 100 s after submission"


def test_the_interval_has_ten_percent_of_jitter():
    assert see(video(), chance=0.0)[1].delay == pytest.approx(9.0)
    assert see(video(), chance=1.0)[1].delay == pytest.approx(11.0)


def test_the_last_question_is_asked_at_the_deadline():
    assert see(video(), now=2195.0)[1].delay == pytest.approx(5.0)
    assert see(video("completed"), now=2200.0)[1].kind == "completed"
    outcome = see(video(progress=50.0), now=2200.0)[1]
    assert outcome.kind == "timeout"
    assert (outcome.video_id, outcome.status) == ("v", "running")
    assert "(last status: running). The job" in see(video(), now=2200.0)[1].message
    with pytest.raises(VideoTimeoutError, match=r"v was not finished 1200 s .* at 50 %\). The job may still finish"):
        outcome.raise_for_kind()


def test_a_server_that_wants_more_time_gets_it():
    assert see(api_error(Reason.RATE_LIMITED, retry_after=30.0))[1].delay == 30.0
    assert see(api_error(Reason.RATE_LIMITED, retry_after=1.0))[1].delay == pytest.approx(10.0)
    assert see(api_error(Reason.RATE_LIMITED, retry_after=9999.0))[1].delay == pytest.approx(1100.0)


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_jobs_that_end_without_a_video(status):
    outcome = see(video(status, reason=Reason.MODERATION, message="no cats"))[1]
    assert outcome.kind == "failed"
    with pytest.raises(VideoFailedError, match=f"Video v {status}: no cats. The content filter refused it") as caught:
        outcome.raise_for_kind()
    assert caught.value.permanent


def test_what_is_known_of_a_video_goes_into_the_outcome():
    times = [pendulum.datetime(2026, 11, 26, 16, minute) for minute in (2, 5, 9)]
    known = {"model": "veo", "url": "https://x.example/a.mp4", "size": "720x1280", "seconds": 8.0}
    made = dict(zip(("created_at", "completed_at", "expires_at"), times, strict=True))
    assert see(video("completed", **known, **made))[1] == Outcome(
        "completed",
        "v",
        "completed",
        **known,
        created_at="2026-11-26T16:02:00Z",
        completed_at="2026-11-26T16:05:00Z",
        expires_at="2026-11-26T16:09:00Z",
    )


def test_a_failure_without_a_reason_may_be_tried_again():
    outcome = see(video("failed", reason=Reason.UNKNOWN))[1]
    with pytest.raises(VideoFailedError, match="Video v failed: the server gave no reason") as caught:
        outcome.raise_for_kind()
    assert not caught.value.permanent


@pytest.mark.parametrize(
    "error",
    [
        TransportError("broken pipe"),
        NotSentError("no route"),
        api_error(Reason.SERVER),
        api_error(Reason.UNREADABLE),
    ],
)
def test_failing_calls_are_survived_for_a_time(error):
    state, now = WaitState(), 1100.0
    for _ in range(30):  # 300 seconds
        state, step = see(error, state=state, now=now)
        assert isinstance(step, AskAgain)
        now += 10.0
    outcome = see(error, state=state, now=now)[1]
    assert outcome.kind == "error"
    assert outcome.message == (
        "Video v: its status could not be learnt (31 failed calls in a row). The job itself may go on, and is billed "
        f"if it completes. Last error: {error}"
    )


def test_a_rate_limit_is_no_failure_and_only_the_deadline_ends_it():
    state, now = WaitState(), 1100.0
    while isinstance((found := see(api_error(Reason.RATE_LIMITED), state=state, now=now))[1], AskAgain):
        state, now = found[0], now + found[1].delay
    assert now == POLICY.deadline
    assert found[1].kind == "timeout"


def test_a_good_answer_may_name_the_time_of_the_next_question():
    assert see(video(retry_after=25.0))[1].delay == 25.0
    assert see(video(retry_after=1.0))[1].delay == 10.0


LEARNING = WaitPolicy(submitted_at=1000.0, deadline=2200.0)


def test_without_an_interval_progress_and_earlier_jobs_decide():
    state, step = see(video(progress=41.7), now=1045.0, policy=LEARNING)
    assert 5 < step.delay <= 30
    assert see(video(progress=41.7), now=1060.0, state=state, policy=LEARNING)[0].marks == state.marks
    assert see(video(), now=1045.0, policy=LEARNING)[1].delay == 10.0
    assert first_delay(LEARNING, 1000.0, 0.5) == 45.0
    assert first_delay(LEARNING, 1000.0, 0.5, [20.0, 20.0, 20.0]) == 18.0


def test_few_changes_of_progress_are_remembered():
    state = WaitState()
    for percent in range(50):
        state, _ = see(video(progress=float(percent)), state=state)
    assert [progress for _, progress in state.marks] == [42.0, 43.0, 44.0, 45.0, 46.0, 47.0, 48.0, 49.0]


def test_an_interval_is_obeyed_from_a_random_moment_on():
    assert [first_delay(POLICY, 1000.0, chance) for chance in (0.0, 0.5, 1.0)] == [0.0, 5.0, 10.0]
    assert first_delay(POLICY, 2195.0, 1.0) == 5.0
    assert first_delay(POLICY, 2300.0, 1.0) == 0.0


def test_a_good_answer_ends_a_run_of_failures():
    state, _ = see(api_error(Reason.SERVER))
    state, _ = see(video(), state=state, now=1300.0)
    assert (state.failures, state.failing_since) == (0, None)
    assert isinstance(see(api_error(Reason.SERVER), state=state, now=1900.0)[1], AskAgain)


def test_failing_calls_are_told_once_and_their_end_too():
    state, told = WaitState(), []
    for seen in (
        video(progress=42.0),
        TransportError("broken pipe"),
        TransportError("broken pipe, again"),
        NotSentError("no route"),
        api_error(Reason.SERVER),
        api_error(Reason.SERVER),
        api_error(Reason.UNREADABLE),
        video(progress=42.0),
        video(progress=42.0),
        api_error(Reason.SERVER),
        api_error(Reason.SERVER),
        video(progress=42.0),
    ):
        state, step = see(seen, state=state)
        told.append(step.news and step.news.text)
    failed = "Video v: asking for its status failed, and is repeated. "
    assert told == [
        "Video v: processing 42 %, 100 s after submission",
        f"{failed}broken pipe",
        None,
        f"{failed}no route",
        f"{failed}{api_error(Reason.SERVER)}",
        None,
        f"{failed}{api_error(Reason.UNREADABLE)}",
        "Video v: processing 42 %, 100 s after submission and 6 failed calls",
        None,
        f"{failed}{api_error(Reason.SERVER)}",
        None,
        "Video v: processing 42 %, 100 s after submission and 2 failed calls",
    ]


def test_a_slow_schedule_survives_a_few_failures_too():
    slow = WaitPolicy(submitted_at=0.0, deadline=1e6, poll_interval=600.0)
    state, now = WaitState(), 0.0
    for _ in range(4):
        state, step = see(api_error(Reason.SERVER), state=state, now=now, policy=slow)
        assert isinstance(step, AskAgain)
        now += 600.0
    assert see(api_error(Reason.SERVER), state=state, now=now, policy=slow)[1].kind == "error"


@pytest.mark.parametrize("reason", [Reason.AUTHENTICATION, Reason.FORBIDDEN, Reason.QUOTA, Reason.BAD_REQUEST])
def test_a_call_that_cannot_succeed_is_given_up_at_once(reason):
    outcome = see(api_error(reason), state=WaitState(VideoStatus.RUNNING))[1]
    assert (outcome.kind, outcome.reason) == ("error", reason.value)
    assert (outcome.video_id, outcome.status) == ("v", "running")
    with pytest.raises(StatusUnknownError, match="The job itself may go on") as caught:
        outcome.raise_for_kind()
    assert caught.value.permanent


def test_an_unknown_id_is_waited_for_just_after_the_order_only():
    assert isinstance(see(api_error(Reason.NOT_FOUND), now=1059.0)[1], AskAgain)
    outcome = see(api_error(Reason.NOT_FOUND), now=1060.0)[1]
    assert (outcome.kind, outcome.reason) == ("error", "not_found")
    assert outcome.message.startswith(
        "The server does not know video v (1 failed call). If it was ordered, it may have been billed. Last error: "
    )


def test_failing_calls_do_not_outlast_the_deadline():
    assert see(api_error(Reason.SERVER), now=2200.0)[1].kind == "timeout"


def test_outcomes_survive_the_trip_through_the_database():
    outcome = see(video("completed", url="https://x.example/a.mp4", seconds=8.0))[1]
    event = outcome.to_event()
    assert Outcome.from_event(event) == outcome
    assert all(isinstance(value, (str, int, float, type(None))) for value in event.values())
    assert Outcome.from_event(event | {"field_of_a_later_version": 1}) == outcome


def test_how_long_the_server_has_worked_is_known_where_it_tells_both_ends():
    created, completed = "2026-11-26T16:02:21Z", "2026-11-26T16:05:13Z"
    outcome = Outcome("completed", "v", "completed", created_at=created, completed_at=completed)
    assert outcome.generation_seconds == 172.0
    assert replace(outcome, created_at=None).generation_seconds is None
    assert replace(outcome, completed_at=None).generation_seconds is None


@pytest.mark.parametrize("event", [None, {}, "success", {"version": 2, "video_id": "v"}, {"version": 1}])
def test_foreign_events_are_refused(event):
    with pytest.raises(VeoError, match="cannot read"):
        Outcome.from_event(event)


@given(
    seen=st.lists(
        st.sampled_from(
            [
                video(),
                video("dreaming"),
                video(progress=99.0),
                TransportError("x"),
                api_error(Reason.SERVER),
                api_error(Reason.NOT_FOUND),
                api_error(Reason.RATE_LIMITED, retry_after=77.0),
            ]
        ),
        min_size=400,
        max_size=400,
    ),
    chance=st.floats(0, 1),
    policy=st.sampled_from([POLICY, LEARNING]),
)
def test_every_wait_ends_by_the_deadline(seen, chance, policy):
    state, now = WaitState(), POLICY.submitted_at
    for one in seen:
        state, step = see(one, state=state, now=now, chance=chance, policy=policy)
        if isinstance(step, Outcome):
            break
        now += step.delay
    assert isinstance(step, Outcome)
    assert now <= POLICY.deadline


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
        "https://x.example/secret" + "/x" * 1_000,
    ],
)
def test_an_address_that_may_be_signed_is_not_in_the_event(url):
    event = Outcome("completed", "v", "completed", url=url).to_event()
    assert (event["url"], event["url_withheld"]) == (None, True)


@pytest.mark.parametrize("url", ["https://x.example:8443/a/b-c_d.e~f.mp4", "http://[::1]:80/v1/videos/v/content"])
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
def test_an_event_can_be_stored_whatever_the_outcome_holds(field, value, kept):
    outcome = Outcome("failed", "v", "failed")
    object.__setattr__(outcome, field, value)
    event = outcome.to_event()

    assert event.get(field) == kept
    assert "\\u0000" not in json.dumps(event, allow_nan=False, ensure_ascii=False).encode().decode()


@pytest.mark.parametrize("reason", ["a word of a later version", None, 7, ["x"]])
def test_an_unknown_reason_in_an_event_is_unknown(reason):
    event = Outcome("failed", "v", "failed", "no").to_event() | {"reason": reason}
    with pytest.raises(VideoFailedError) as caught:
        Outcome.from_event(event).raise_for_kind()
    assert caught.value.reason is Reason.UNKNOWN


def seen_in_turn(*answers, until, policy=POLICY):
    """Return how a wait ends that sees these answers, the last again and again, until a moment and at it."""
    state, now = WaitState(), policy.submitted_at
    left = list(answers)
    while True:
        state, step = see(left.pop(0) if len(left) > 1 else left[0], state=state, now=now, policy=policy)
        if isinstance(step, Outcome):
            return Outcome.from_event(json.loads(json.dumps(step.to_event())))
        now = min(now + 10.0, until) if now < until else until


def error_of(outcome):
    with pytest.raises(VeoError) as caught:
        outcome.raise_for_kind()
    return caught.value


@pytest.mark.parametrize("down", [NotSentError("refused"), TransportError("reset")])
def test_a_gateway_that_stays_down_is_a_matter_of_the_network(down):
    error = error_of(seen_in_turn(video(), down, until=POLICY.deadline))
    assert type(error) is StatusUnknownError
    assert (error.reason, error.video_id, error.permanent) == (Reason.NETWORK, "v", False)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([video()], Reason.TIMEOUT),
        ([*[video()] * 5, NotSentError("refused")], Reason.NETWORK),
        ([*[video()] * 10, NotSentError("refused")], Reason.TIMEOUT),  # one call, at the very end
        ([*[video()] * 5, api_error(Reason.SERVER)], Reason.SERVER),
        ([api_error(Reason.NOT_FOUND)], Reason.TIMEOUT),  # else the job would count as cancelled
    ],
)
def test_at_the_deadline_a_gateway_that_is_down_is_told_from_a_slow_one(answers, reason):
    policy = replace(POLICY, deadline=1100.0, not_found_grace=1e6)
    error = error_of(seen_in_turn(*answers, until=policy.deadline, policy=policy))
    assert type(error) is VideoTimeoutError
    assert (error.reason, error.video_id) == (reason, "v")
    assert ("Last error: " in str(error)) is isinstance(answers[-1], VeoError)


def test_the_event_of_an_earlier_version_is_a_timeout_still():
    assert error_of(Outcome("timeout", "v", "running", "late", reason="unknown")).reason is Reason.TIMEOUT


def test_a_connection_that_is_gone_while_a_task_waits_is_permanent():
    error = error_of(see(InvalidInputError("Connection 'c' does not exist."))[1])
    assert (error.reason, error.permanent) == (Reason.INVALID_INPUT, True)
    assert "Connection 'c' does not exist." in str(error)
