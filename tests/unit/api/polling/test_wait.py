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
    """A clock that only sleep moves on, and no chance; returns the sleeps."""
    slept = []

    clock = SimpleNamespace(time=lambda: START + sum(slept), sleep=slept.append)
    monkeypatch.setattr(wait, "time", clock)
    monkeypatch.setattr(wait, "random", SimpleNamespace(random=lambda: 0.5))
    return slept


def waited(answers, wait):
    """Wait with these answers; return the outcome, and for which ids was asked."""
    answers, asked = iter(answers), []

    def ask(video_id):
        asked.append(video_id)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return wait_for_video(ask, wait), asked


def test_a_job_is_asked_for_until_it_is_finished(sleeps):
    told = []
    answers = [RUNNING, RUNNING, TransportError("broken pipe"), COMPLETED]
    outcome, asked = waited(answers, Wait("v", POLICY, told.append))
    assert (outcome.kind, outcome.video_id, outcome.polls) == ("completed", "v", 4)
    assert asked == ["v"] * 4
    assert sleeps == [5.0, 10.0, 10.0, 10.0]
    assert [news.text for news in told] == [
        "Video v: processing 30 %, 5 s after submission",
        "Video v: asking for its status failed, and is repeated. broken pipe",
    ]


def test_a_wait_ends_when_asking_is_pointless():
    refused = ApiError("Asking failed", reason=Reason.AUTHENTICATION, status=401)
    outcome, asked = waited([refused], Wait("v", POLICY, [].append))
    assert (outcome.kind, outcome.reason, outcome.polls, asked) == ("error", "authentication", 1, ["v"])


def test_what_earlier_jobs_took_decides_when_to_begin():
    learning = WaitPolicy(submitted_at=START, deadline=2200.0)
    assert Wait("v", learning, [].append).first_delay() == 45.0
    assert Wait("v", learning, [].append, deque([20.0] * 3)).first_delay() == 18.0


def test_what_earlier_jobs_took_decides_how_to_go_on(sleeps):
    learning = WaitPolicy(submitted_at=START, deadline=2200.0)
    running = Video("v", VideoStatus.RUNNING, "processing")
    waited([running, COMPLETED], Wait("v", learning, [].append, deque([20.0] * 3)))
    assert sleeps == [18.0, 5.0]


def test_what_a_job_took_is_remembered_for_the_next_by_the_servers_clock_if_it_tells():
    earlier = deque()
    waited([RUNNING, COMPLETED], Wait("v", POLICY, [].append, earlier))
    created = pendulum.datetime(2026, 1, 1)
    told = Video("v", VideoStatus.COMPLETED, created_at=created, completed_at=created.add(seconds=90))
    waited([told], Wait("v", POLICY, [].append, earlier))
    assert list(earlier) == [15.0, 90.0]


def test_a_job_without_a_video_tells_nothing_of_the_next():
    earlier = deque()
    waited([Video("v", VideoStatus.FAILED)], Wait("v", POLICY, [].append, earlier))
    assert not earlier
