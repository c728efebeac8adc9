"""A wait on a worker, with a clock that only sleeping moves."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace

import pendulum
import pytest

from airflow_provider_veo.api.errors import ApiError, Reason, TransportError
from airflow_provider_veo.api.polling import wait
from airflow_provider_veo.api.polling.decision import WaitPolicy
from airflow_provider_veo.api.polling.wait import Wait, wait_for_video
from airflow_provider_veo.api.video import Video, VideoStatus

START = 1000.0
POLICY = WaitPolicy(submitted_at=START, deadline=2200.0, poll_interval=10.0)
RUNNING = Video("v", VideoStatus.RUNNING, "processing", progress=30.0)
COMPLETED = Video("v", VideoStatus.COMPLETED, "completed")


@pytest.fixture(autouse=True)
def sleeps(monkeypatch):
    """Replace the clock by one that only sleeping moves, and chance by a constant. Return the sleeps."""
    slept = []

    clock = SimpleNamespace(time=lambda: START + sum(slept), sleep=slept.append)
    monkeypatch.setattr(wait, "time", clock)
    monkeypatch.setattr(wait, "random", SimpleNamespace(random=lambda: 0.5))
    return slept


def run_wait(answers, wait):
    """Wait with these answers. Return the outcome, and the IDs of the status calls."""
    answers, asked = iter(answers), []

    def ask(video_id):
        asked.append(video_id)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return wait_for_video(ask, wait), asked


def test_status_calls_are_made_until_the_job_is_finished(sleeps):
    reports = []
    answers = [RUNNING, RUNNING, TransportError("broken pipe"), COMPLETED]
    outcome, asked = run_wait(answers, Wait("v", POLICY, reports.append))
    assert (outcome.kind, outcome.video_id, outcome.polls) == ("completed", "v", 4)
    assert asked == ["v"] * 4
    assert sleeps == [5.0, 10.0, 10.0, 10.0]
    assert [news.text for news in reports] == [
        "Video v: processing 30 %, 5 s after the order",
        "Video v: The status call failed and will be repeated. broken pipe",
    ]


def test_a_permanent_error_ends_a_wait():
    refused = ApiError("Asking failed", reason=Reason.AUTHENTICATION, status=401)
    outcome, asked = run_wait([refused], Wait("v", POLICY, [].append))
    assert (outcome.kind, outcome.reason, outcome.polls, asked) == ("error", "authentication", 1, ["v"])


def test_the_durations_of_earlier_jobs_choose_the_first_delay():
    learning = WaitPolicy(submitted_at=START, deadline=2200.0)
    assert Wait("v", learning, [].append).choose_first_delay() == 45.0
    assert Wait("v", learning, [].append, deque([20.0] * 3)).choose_first_delay() == 18.0


def test_the_durations_of_earlier_jobs_choose_the_next_delays(sleeps):
    learning = WaitPolicy(submitted_at=START, deadline=2200.0)
    running = Video("v", VideoStatus.RUNNING, "processing")
    run_wait([running, COMPLETED], Wait("v", learning, [].append, deque([20.0] * 3)))
    assert sleeps == [18.0, 5.0]


def test_the_duration_of_a_job_is_remembered_by_the_servers_clock_if_the_server_names_it():
    earlier = deque()
    run_wait([RUNNING, COMPLETED], Wait("v", POLICY, [].append, earlier))
    created = pendulum.datetime(2026, 1, 1)
    reports = Video("v", VideoStatus.COMPLETED, created_at=created, completed_at=created.add(seconds=90))
    run_wait([reports], Wait("v", POLICY, [].append, earlier))
    assert list(earlier) == [15.0, 90.0]


def test_the_duration_of_a_job_without_a_video_is_not_remembered():
    earlier = deque()
    run_wait([Video("v", VideoStatus.FAILED)], Wait("v", POLICY, [].append, earlier))
    assert not earlier
