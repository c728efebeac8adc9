"""The decision after each status call: ask again, or end the wait."""

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
from airflow_provider_veo.api.polling.decision import AskAgain, News, WaitPolicy, WaitState, choose_first_delay, observe
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.video import Video, VideoStatus

POLICY = WaitPolicy(submitted_at=1000.0, deadline=2200.0, poll_interval=10.0)


def video(status="processing", **more):
    known = {"processing": VideoStatus.RUNNING, "dreaming": VideoStatus.UNKNOWN}
    return Video("v", known.get(status) or VideoStatus(status), status, **more)


def api_error(reason, **more):
    return ApiError("Asking failed", reason=reason, status=500, **more)


def decide_after(seen, *, state=None, now=1100.0, chance=0.5, policy=POLICY):
    return observe(policy, state or WaitState(), "v", seen, now, chance)


def test_a_running_job_is_asked_for_again():
    state, step = decide_after(video(progress=30.0))
    assert step.delay == 10.0
    assert step.news == News("Video v: processing 30 %, 100 s after the order", video(progress=30.0))
    assert (state.status, state.progress) == (VideoStatus.RUNNING, 30.0)


def test_the_first_call_may_come_at_once_and_the_next_soon_after():
    _, step = decide_after(video(), now=1000.0, policy=replace(POLICY, poll_interval=0.5))
    assert (step.delay, step.news.text) == (0.5, "Video v: processing, 0 s after the order")


def test_only_changes_are_reported():
    state, _ = decide_after(video(progress=30.0))
    assert decide_after(video(progress=30.0), state=state)[1].news is None
    assert "31 %" in decide_after(video(progress=31.0), state=state)[1].news.text


def test_an_unknown_status_counts_as_running_and_is_shown():
    _, step = decide_after(video("dreaming"))
    assert isinstance(step, AskAgain)
    assert step.news.text == "Video v: dreaming (an unknown status, taken as running), 100 s after the order"


def test_a_missing_status_is_not_reported_as_unknown():
    news = decide_after(Video("v", VideoStatus.UNKNOWN))[1].news
    assert news.text == "Video v: accepted, 100 s after the order"


def test_the_interval_has_ten_percent_of_jitter():
    assert decide_after(video(), chance=0.0)[1].delay == pytest.approx(9.0)
    assert decide_after(video(), chance=1.0)[1].delay == pytest.approx(11.0)


def test_the_last_call_is_made_at_the_deadline():
    assert decide_after(video(), now=2195.0)[1].delay == pytest.approx(5.0)
    assert decide_after(video("completed"), now=2200.0)[1].kind == "completed"
    outcome = decide_after(video(progress=50.0), now=2200.0)[1]
    assert outcome.kind == "timeout"
    assert (outcome.video_id, outcome.status) == ("v", "running")
    assert "(last status: running). The job" in decide_after(video(), now=2200.0)[1].message
    with pytest.raises(VideoTimeoutError, match=r"v was not finished 1200 s .* at 50 %\). The job may still finish"):
        outcome.raise_for_kind()


def test_the_pause_that_an_error_asks_for_is_kept_up_to_the_deadline():
    assert decide_after(api_error(Reason.RATE_LIMITED, retry_after=30.0))[1].delay == 30.0
    assert decide_after(api_error(Reason.RATE_LIMITED, retry_after=1.0))[1].delay == pytest.approx(10.0)
    assert decide_after(api_error(Reason.RATE_LIMITED, retry_after=9999.0))[1].delay == pytest.approx(1100.0)


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_a_job_that_ends_without_a_video_is_an_error_with_its_reason(status):
    outcome = decide_after(video(status, reason=Reason.MODERATION, message="no cats"))[1]
    assert outcome.kind == "failed"
    with pytest.raises(VideoFailedError, match=f"Video v {status}: no cats. The content filter refused it") as caught:
        outcome.raise_for_kind()
    assert caught.value.permanent


def test_the_outcome_holds_all_fields_of_a_finished_video():
    times = [pendulum.datetime(2026, 11, 26, 16, minute) for minute in (2, 5, 9)]
    known = {"model": "veo", "url": "https://x.example/a.mp4", "size": "720x1280", "seconds": 8.0}
    made = dict(zip(("created_at", "completed_at", "expires_at"), times, strict=True))
    assert decide_after(video("completed", **known, **made))[1] == Outcome(
        "completed",
        "v",
        "completed",
        **known,
        created_at="2026-11-26T16:02:00Z",
        completed_at="2026-11-26T16:05:00Z",
        expires_at="2026-11-26T16:09:00Z",
    )


def test_the_outcome_shows_whether_the_wait_has_seen_the_job_unfinished():
    state, _ = decide_after(video())
    assert decide_after(video("completed"), state=state)[1].was_running
    assert not decide_after(video("completed"))[1].was_running


def test_a_failed_job_without_a_reason_is_not_permanent():
    outcome = decide_after(video("failed", reason=Reason.UNKNOWN))[1]
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
def test_failing_calls_end_the_wait_only_after_a_time(error):
    state, now = WaitState(), 1100.0
    for _ in range(30):  # 300 seconds
        state, step = decide_after(error, state=state, now=now)
        assert isinstance(step, AskAgain)
        now += 10.0
    outcome = decide_after(error, state=state, now=now)[1]
    assert outcome.kind == "error"
    assert outcome.message == (
        "The status of video v could not be read (31 failed calls in a row). The job may still be running, and is "
        f"billed if it completes. Last error: {error}"
    )


def test_only_the_deadline_ends_a_wait_with_a_rate_limit():
    state, now = WaitState(), 1100.0
    while isinstance((found := decide_after(api_error(Reason.RATE_LIMITED), state=state, now=now))[1], AskAgain):
        state, now = found[0], now + found[1].delay
    assert now == POLICY.deadline
    assert found[1].kind == "timeout"


def test_a_good_answer_may_ask_for_a_longer_pause():
    assert decide_after(video(retry_after=25.0))[1].delay == 25.0
    assert decide_after(video(retry_after=1.0))[1].delay == 10.0


LEARNING = WaitPolicy(submitted_at=1000.0, deadline=2200.0)


def test_without_an_interval_progress_and_earlier_jobs_choose_the_pause():
    state, step = decide_after(video(progress=41.7), now=1045.0, policy=LEARNING)
    assert 5 < step.delay <= 30
    assert decide_after(video(progress=41.7), now=1060.0, state=state, policy=LEARNING)[0].marks == state.marks
    assert decide_after(video(), now=1045.0, policy=LEARNING)[1].delay == 10.0
    assert choose_first_delay(LEARNING, 1000.0, 0.5) == 45.0
    assert choose_first_delay(LEARNING, 1000.0, 0.5, [20.0, 20.0, 20.0]) == 18.0


def test_only_the_last_changes_of_progress_are_remembered():
    state = WaitState()
    for percent in range(50):
        state, _ = decide_after(video(progress=float(percent)), state=state)
    assert [progress for _, progress in state.marks] == [42.0, 43.0, 44.0, 45.0, 46.0, 47.0, 48.0, 49.0]


def test_with_an_interval_the_first_call_comes_at_a_random_time_within_it():
    assert [choose_first_delay(POLICY, 1000.0, chance) for chance in (0.0, 0.5, 1.0)] == [0.0, 5.0, 10.0]
    assert choose_first_delay(POLICY, 2195.0, 1.0) == 5.0
    assert choose_first_delay(POLICY, 2300.0, 1.0) == 0.0


def test_a_good_answer_ends_a_run_of_failures():
    state, _ = decide_after(api_error(Reason.SERVER))
    state, _ = decide_after(video(), state=state, now=1300.0)
    assert (state.failures, state.failing_since) == (0, None)
    assert isinstance(decide_after(api_error(Reason.SERVER), state=state, now=1900.0)[1], AskAgain)


def test_failing_calls_are_reported_once_and_so_is_their_end():
    state, reports = WaitState(), []
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
        state, step = decide_after(seen, state=state)
        reports.append(step.news and step.news.text)
    failed = "Video v: The status call failed and will be repeated. "
    assert reports == [
        "Video v: processing 42 %, 100 s after the order",
        f"{failed}broken pipe",
        None,
        f"{failed}no route",
        f"{failed}{api_error(Reason.SERVER)}",
        None,
        f"{failed}{api_error(Reason.UNREADABLE)}",
        "Video v: processing 42 %, 100 s after the order and 6 failed calls",
        None,
        f"{failed}{api_error(Reason.SERVER)}",
        None,
        "Video v: processing 42 %, 100 s after the order and 2 failed calls",
    ]


def test_with_a_long_interval_a_few_failures_do_not_end_the_wait():
    slow = WaitPolicy(submitted_at=0.0, deadline=1e6, poll_interval=600.0)
    state, now = WaitState(), 0.0
    for _ in range(4):
        state, step = decide_after(api_error(Reason.SERVER), state=state, now=now, policy=slow)
        assert isinstance(step, AskAgain)
        now += 600.0
    assert decide_after(api_error(Reason.SERVER), state=state, now=now, policy=slow)[1].kind == "error"


@pytest.mark.parametrize("reason", [Reason.AUTHENTICATION, Reason.FORBIDDEN, Reason.QUOTA, Reason.BAD_REQUEST])
def test_a_permanent_error_ends_the_wait_at_once(reason):
    outcome = decide_after(api_error(reason), state=WaitState(VideoStatus.RUNNING))[1]
    assert (outcome.kind, outcome.reason) == ("error", reason.value)
    assert (outcome.video_id, outcome.status) == ("v", "running")
    with pytest.raises(StatusUnknownError, match="The job may still be running") as caught:
        outcome.raise_for_kind()
    assert caught.value.permanent


def test_an_unknown_id_is_tolerated_only_just_after_the_order():
    assert isinstance(decide_after(api_error(Reason.NOT_FOUND), now=1059.0)[1], AskAgain)
    outcome = decide_after(api_error(Reason.NOT_FOUND), now=1060.0)[1]
    assert (outcome.kind, outcome.reason) == ("error", "not_found")
    assert outcome.message.startswith(
        "The server does not know video v (1 failed call). If it was ordered, it may have been billed. Last error: "
    )


def test_the_deadline_also_ends_a_wait_with_failing_calls():
    assert decide_after(api_error(Reason.SERVER), now=2200.0)[1].kind == "timeout"


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
        state, step = decide_after(one, state=state, now=now, chance=chance, policy=policy)
        if isinstance(step, Outcome):
            break
        now += step.delay
    assert isinstance(step, Outcome)
    assert now <= POLICY.deadline


def wait_with(*answers, until, policy=POLICY):
    """Return the outcome of a wait with these status calls. The last one is repeated until a time, and at that time."""
    state, now = WaitState(), policy.submitted_at
    left = list(answers)
    while True:
        state, step = decide_after(left.pop(0) if len(left) > 1 else left[0], state=state, now=now, policy=policy)
        if isinstance(step, Outcome):
            return Outcome.from_event(json.loads(json.dumps(step.to_event())))
        now = min(now + 10.0, until) if now < until else until


def error_of(outcome):
    with pytest.raises(VeoError) as caught:
        outcome.raise_for_kind()
    return caught.value


@pytest.mark.parametrize("down", [NotSentError("refused"), TransportError("reset")])
def test_a_gateway_that_stays_down_is_a_network_error(down):
    error = error_of(wait_with(video(), down, until=POLICY.deadline))
    assert type(error) is StatusUnknownError
    assert (error.reason, error.video_id, error.permanent) == (Reason.NETWORK, "v", False)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([video()], Reason.TIMEOUT),
        ([*[video()] * 5, NotSentError("refused")], Reason.NETWORK),
        ([*[video()] * 10, NotSentError("refused")], Reason.TIMEOUT),  # a single call, at the deadline
        ([*[video()] * 5, api_error(Reason.SERVER)], Reason.SERVER),
        ([api_error(Reason.NOT_FOUND)], Reason.TIMEOUT),  # with this reason the job would count as cancelled
    ],
)
def test_a_timeout_names_the_reason_of_failing_calls_and_not_of_a_single_failure(answers, reason):
    policy = replace(POLICY, deadline=1100.0, not_found_grace=1e6)
    error = error_of(wait_with(*answers, until=policy.deadline, policy=policy))
    assert type(error) is VideoTimeoutError
    assert (error.reason, error.video_id) == (reason, "v")
    assert ("Last error: " in str(error)) is isinstance(answers[-1], VeoError)


RUNNING = WaitState(VideoStatus.RUNNING, "processing")


@pytest.mark.parametrize(
    ("state", "error", "reason"),
    [
        (WaitState(), api_error(Reason.SERVER), Reason.SERVER),
        (WaitState(), NotSentError("refused"), Reason.TIMEOUT),
        (RUNNING, api_error(Reason.SERVER), Reason.TIMEOUT),
        (replace(RUNNING, failures=1, failing_since=2190.0), NotSentError("refused"), Reason.NETWORK),
        (replace(RUNNING, failures=1, failing_since=2190.0), api_error(Reason.SERVER), Reason.SERVER),
    ],
)
def test_a_single_failure_is_the_reason_of_a_timeout_only_if_the_server_gave_no_other_answer(state, error, reason):
    outcome = decide_after(error, state=state, now=POLICY.deadline)[1]
    assert (outcome.kind, outcome.reason) == ("timeout", reason.value)


@pytest.mark.parametrize(
    ("seen", "in_doubt"), [(video(), False), (video("dreaming"), True), (NotSentError("refused"), False)]
)
def test_a_timeout_is_in_doubt_only_if_the_last_answer_had_an_unknown_status(seen, in_doubt):
    assert decide_after(seen, now=POLICY.deadline)[1].in_doubt is in_doubt


def test_a_connection_that_was_deleted_during_the_wait_is_a_permanent_error():
    error = error_of(decide_after(InvalidInputError("Connection 'c' does not exist."))[1])
    assert (error.reason, error.permanent) == (Reason.INVALID_INPUT, True)
    assert "Connection 'c' does not exist." in str(error)
