"""Jobs and videos in the answers of each server, and in the client's objects."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from airflow_provider_veo.api.errors import ApiError, ContentNotReadyError, Reason
from airflow_provider_veo.api.video import VideoStatus
from tests.support.dialect_server import (
    DETAIL,
    ERROR,
    FASTVIDEO,
    LITELLM,
    LONG,
    NEW_API,
    OPENAI,
    PROXY,
    RELAY,
    SGLANG,
    SPEC,
    VEO_GATEWAY,
    VLLM,
    VLLM_ERROR,
    every_dialect_server,
    shape_of,
)

# --- jobs


@dataclass(frozen=True)
class Job:
    """A server's description of a job: the fields of its answers, and the values of `Video`.

    Attributes:
        id: Pattern of the ids.
        created: Fields of the answer to an order.
        completed: Fields of the answer about a completed job.
        word: Status word of a running job.
        half: Progress in the middle of a job.
        model: Model of a completed job.
        size: Size of a completed job.
        seconds: Length of a completed job's video, in seconds.
        url: Whether the answer about a completed job has an address.
        known_at_once: Whether the answer to an order holds the time of its creation.
    """

    id: str
    created: str
    completed: str
    word: str = "in_progress"
    half: int = 50
    model: str = "veo-3.1"
    size: str | None = "128x128"
    seconds: float | None = 1.0
    url: bool = False
    known_at_once: bool = True


UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
COMMON = "id object model status progress created_at completed_at size seconds error"
SHORT = "id task_id object model status progress created_at"
PROXIED = f"{COMMON} expires_at remixed_from_video_id usage"
VLLM_FIELDS = (
    f"{COMMON} prompt quality remixed_from_video_id media_type expires_at file_name inference_time_s fps num_frames "
    "duration_s metrics stage_durations peak_memory_mb action"
)
FASTVIDEO_FIELDS = f"{COMMON} quality url file_path peak_memory_mb inference_time_s"
SGLANG_FIELDS = (
    f"{FASTVIDEO_FIELDS} urls remixed_from_video_id expires_at file_paths num_outputs revised_prompt action lidar"
)
JOBS = {
    VEO_GATEWAY: Job(
        f"video_{UUID}",
        "id object created status model",
        "completed_at created_at id model object progress result_url seconds size status url video_url",
        word="processing",
        model="sora2_video_generation",
        size="720x1280",
        seconds=4.0,
        url=True,
    ),
    RELAY: Job("task_[0-9a-zA-Z]{32}", SHORT, f"{SHORT} completed_at", size=None, seconds=None),
    NEW_API: Job(
        "task_[0-9a-zA-Z]{32}",
        SHORT,
        "id object model status progress created_at completed_at",
        size=None,
        seconds=None,
    ),
    LITELLM: Job("video_[A-Za-z0-9+/]{230,}=*", PROXIED, PROXIED, word="processing", known_at_once=False),
    VLLM: Job("video_gen_[0-9a-f]{32}", VLLM_FIELDS, VLLM_FIELDS, half=0),
    SGLANG: Job(UUID, SGLANG_FIELDS, SGLANG_FIELDS),
    FASTVIDEO: Job("[0-9a-f]{32}", FASTVIDEO_FIELDS, FASTVIDEO_FIELDS, word="queued", half=0),
    OPENAI: Job(
        "video_[0-9a-f]{32}",
        f"{COMMON} expires_at prompt remixed_from_video_id",
        f"{COMMON} expires_at prompt remixed_from_video_id",
    ),
}


@every_dialect_server
def test_the_answer_to_an_order_is_read(dialect_server, dialect):
    answer = dialect_server.order()
    body = answer.json()
    assert (answer.status_code, set(body)) == (200, set(JOBS[dialect].created.split()))
    assert re.fullmatch(JOBS[dialect].id, body["id"])
    assert body.get("task_id", body["id"]) == body["id"]
    assert (body["object"], body["status"], body["model"]) == ("video", "queued", "veo-3.1")
    video = dialect_server.client.create_video(SPEC)
    assert (video.status, video.model, video.reason) == (VideoStatus.QUEUED, "veo-3.1", None)
    assert (video.created_at and video.created_at.timestamp()) == (
        dialect_server.now if JOBS[dialect].known_at_once else None
    )


@every_dialect_server
def test_the_answer_about_a_running_job_is_read(dialect_server, dialect):
    video_id = dialect_server.job()
    dialect_server.now += LONG / 2
    body = dialect_server.get(video_id).json()
    assert (body["status"], body["progress"]) == (JOBS[dialect].word, JOBS[dialect].half)
    video = dialect_server.parsed(video_id)
    running = VideoStatus.QUEUED if dialect == FASTVIDEO else VideoStatus.RUNNING
    assert (video.id, video.status, video.progress) == (video_id, running, JOBS[dialect].half)
    assert video.url is None


@every_dialect_server
def test_the_answer_about_a_completed_job_is_read(dialect_server, dialect):
    expected = JOBS[dialect]
    video_id = dialect_server.job()
    dialect_server.now += LONG
    body = dialect_server.get(video_id).json()
    assert (body["status"], body["progress"], set(body)) == ("completed", 100, set(expected.completed.split()))
    video = dialect_server.parsed(video_id)
    assert (video.id, video.status, video.progress) == (video_id, VideoStatus.COMPLETED, 100)
    assert (video.model, video.size, video.seconds) == (expected.model, expected.size, expected.seconds)
    assert (video.url is not None) is expected.url
    assert video.completed_at.timestamp() == dialect_server.now


# HTTP status, and the field `error` of the body
FAILED = {
    VEO_GATEWAY: (200, "Content policy violation"),
    RELAY: (200, "Content policy violation"),
    VLLM: (500, {"code": 500, "message": "Content policy violation"}),
    SGLANG: (200, {"message": "Content policy violation"}),
    FASTVIDEO: (200, {"message": "Content policy violation"}),
    OPENAI: (200, {"code": "task_failed", "message": "Content policy violation"}),
}


@pytest.mark.parametrize("dialect", FAILED)
def test_a_failed_job_has_its_reason(dialect_server, dialect):
    dialect_server.jobs.fail_next("Content policy violation")
    video_id = dialect_server.job()
    dialect_server.now += LONG
    answer = dialect_server.get(video_id)
    assert (answer.status_code, answer.json()["error"], answer.json()["status"]) == (*FAILED[dialect], "failed")
    video = dialect_server.parsed(video_id)
    assert (video.id, video.status, video.reason) == (video_id, VideoStatus.FAILED, Reason.MODERATION)
    assert "Content policy violation" in video.message


@pytest.mark.parametrize("dialect", [LITELLM])
def test_a_failed_job_behind_the_proxy_is_a_server_error(dialect_server, dialect):
    dialect_server.jobs.fail_next("Content policy violation")
    video_id = dialect_server.job()
    dialect_server.now += LONG
    assert (dialect_server.get(video_id).status_code, dialect_server.get(video_id).json()["error"]["code"]) == (
        500,
        "500",
    )
    with pytest.raises(ApiError) as caught:
        dialect_server.parsed(video_id)
    assert (caught.value.reason, caught.value.permanent) == (Reason.SERVER, False)


@pytest.mark.parametrize("dialect", [RELAY])
def test_a_failed_job_may_have_no_reason(dialect_server, dialect):
    dialect_server.jobs.fail_next("")
    video_id = dialect_server.job()
    dialect_server.now += LONG
    assert (dialect_server.get(video_id).json()["status"], dialect_server.get(video_id).json()["error"]) == (
        "failed",
        "",
    )
    video = dialect_server.parsed(video_id)
    assert (video.status, video.reason, video.message) == (VideoStatus.FAILED, Reason.UNKNOWN, "")


@pytest.mark.parametrize("dialect", [NEW_API])
def test_the_gateway_hides_the_reason_of_a_failed_job(dialect_server, dialect):
    dialect_server.jobs.fail_next("Content policy violation")
    video_id = dialect_server.job()
    dialect_server.now += LONG
    assert (dialect_server.get(video_id).json()["status"], dialect_server.get(video_id).json()["progress"]) == (
        "failed",
        100,
    )
    video = dialect_server.parsed(video_id)
    assert (video.status, video.reason, video.message) == (VideoStatus.FAILED, Reason.UNKNOWN, "")


@pytest.mark.parametrize(("dialect", "model"), [(NEW_API, "veo-3.1"), (LITELLM, "veo-3.1-generate-001")])
def test_a_filtered_job_is_completed_and_its_content_stays_an_error(dialect_server, dialect, model):
    dialect_server.jobs.fail_next("Content policy violation", "filtered")
    video_id = dialect_server.order(model=model).json()["id"]
    for _ in range(3):
        dialect_server.now += LONG
        assert dialect_server.get(video_id).json()["status"] == "completed"
        assert dialect_server.get(video_id, "/content").status_code >= 500
    assert video_id not in [job.id for job in dialect_server.jobs.charged()]


@pytest.mark.parametrize("dialect", [LITELLM])
def test_the_status_of_a_filtered_job_stays_an_error(dialect_server, dialect):
    dialect_server.jobs.fail_next("Content policy violation", "filtered")
    video_id = dialect_server.order(model="veo-3.1-generate-preview").json()["id"]
    assert dialect_server.get(video_id).json()["status"] == "processing"
    for _ in range(3):
        dialect_server.now += LONG
        assert (dialect_server.get(video_id).status_code, dialect_server.get(video_id, "/content").status_code) == (
            500,
            500,
        )


@pytest.mark.parametrize("dialect", [LITELLM])
def test_a_job_that_failed_with_an_error_at_google_is_completed_without_a_video(dialect_server, dialect):
    dialect_server.jobs.fail_next("internal error")
    video_id = dialect_server.order(model="veo-3.1-generate-preview").json()["id"]
    dialect_server.now += LONG
    assert dialect_server.get(video_id).json()["status"] == "completed"
    answer = dialect_server.get(video_id, "/content")
    assert (answer.status_code, "No response data in completed operation" in answer.text) == (500, True)


# --- content


@every_dialect_server
def test_content_is_an_mp4_file(dialect_server, dialect):
    video_id = dialect_server.job()
    dialect_server.now += LONG
    answer = dialect_server.get(video_id, "/content")
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.content == dialect_server.content(video_id=video_id)
    assert answer.content[4:8] == b"ftyp"
    assert "content-encoding" not in answer.headers


NOT_READY = {
    VEO_GATEWAY: (400, ERROR),
    RELAY: (400, ERROR),
    NEW_API: (400, ERROR),
    LITELLM: (400, PROXY),
    VLLM: (404, VLLM_ERROR),
    SGLANG: (404, DETAIL),
    FASTVIDEO: (404, DETAIL),
    OPENAI: (400, ERROR),
}


@every_dialect_server
@pytest.mark.parametrize("moment", [0.0, LONG / 2])
def test_unfinished_content_is_not_ready(dialect_server, dialect, moment):
    video_id = dialect_server.job()
    dialect_server.now += moment
    answer = dialect_server.get(video_id, "/content")
    assert (answer.status_code, shape_of(answer)) == NOT_READY[dialect]
    with pytest.raises(ContentNotReadyError):
        dialect_server.content(video_id=video_id)


@pytest.mark.parametrize("dialect", [VLLM])
def test_content_of_a_failed_job_is_an_error(dialect_server, dialect):
    dialect_server.jobs.fail_next("out of memory")
    video_id = dialect_server.job()
    dialect_server.now += LONG
    answer = dialect_server.get(video_id, "/content")
    assert (answer.status_code, shape_of(answer)) == (422, VLLM_ERROR)
    with pytest.raises(ApiError, match="Video generation failed"):
        dialect_server.content(video_id=video_id)
