"""Status words: those of all known servers, in every spelling."""

from __future__ import annotations

import json

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai.status_words import read_status
from airflow_provider_veo.api.backends.openai.videos import parse_video
from airflow_provider_veo.api.video import VideoStatus

URL = "https://api.example.com/v1/videos/v"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("completed", "succeed SUCCEED Succeeded done DONE ready Ready TASK_STATUS_SUCCEED JOB_STATE_SUCCEEDED"),
        ("completed", "MEDIA_GENERATION_STATUS_SUCCESSFUL taskSucceeded VideoReady generation-complete"),
        ("failed", "TASK_STATUS_FAILED MEDIA_GENERATION_STATUS_FAILED JOB_STATE_FAILED jobFailed generation_error"),
        ("failed", "rejected moderated content_filtered ContentFiltered CONTENT-FILTERED blocked Request_Moderated"),
        ("failed", "timeout timed_out TimedOut TIMED-OUT aborted terminated JOB_STATE_ABORTED"),
        ("cancelled", "cancelled canceled JOB_STATE_CANCELLED TASK_STATUS_CANCELED"),
        ("running", "MEDIA_GENERATION_STATUS_ACTIVE JOB_STATE_RUNNING inProgress IN_PROGRESS TASK_STATUS_PROCESSING"),
        ("queued", "MEDIA_GENERATION_STATUS_PENDING unknown NOT_START IN_QUEUE JOB_STATE_QUEUED"),
        (
            "unknown",
            "not_ready ready_to_start failed_to_start_yet almost_done unfinished notCompleted incomplete_upload",
        ),
        ("unknown", "undone task status _ - 42 " + "done" * 30),
    ],
)
def test_status_words_of_known_servers_are_read(status, words):
    for word in words.split():
        assert (word, read_status(word).value) == (word, status)
        assert read_status(word.replace("_", " ")).value == status


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", "queued"),
        ("NOT_START", "queued"),
        ("Submitted", "queued"),
        ("in_progress", "running"),
        ("In Progress", "running"),
        ("in-progress", "running"),
        ("processing", "running"),
        ("GENERATING", "running"),
        ("completed", "completed"),
        ("SUCCESS", "completed"),
        ("succeeded", "completed"),
        ("failed", "failed"),
        ("FAILURE", "failed"),
        ("error", "failed"),
        ("canceled", "cancelled"),
        ("deleted", "cancelled"),
        ("expired", "expired"),
        ("transmogrifying", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
        (200, "unknown"),
    ],
)
def test_status_words_are_read_in_every_spelling(word, status):
    video = parse_video(Answer(200, json.dumps({"status": word}), {}, URL), "Asking", "v")
    assert video.status is VideoStatus(status)
    assert video.status.finished is (status in {"completed", "failed", "cancelled", "expired"})


def test_a_status_word_is_read_up_to_100_characters():
    longest = "task_" * 19 + "_done"
    assert len(longest) == 100
    assert read_status(longest) is VideoStatus.COMPLETED
    assert read_status(f"_{longest}") is VideoStatus.UNKNOWN
