"""The public API as its users write it. Only mypy reads this module: `make lint` fails if a type of the API breaks.

`assert_type` holds exact types. Where only a part of a type is promised, an annotated name holds that part.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, Context
from typing_extensions import assert_type

from airflow_provider_veo.api.errors import (
    ApiError,
    InvalidInputError,
    Reason,
    StatusUnknownError,
    TransportError,
    VeoError,
    VideoFailedError,
    VideoTimeoutError,
)
from airflow_provider_veo.api.polling.decision import WaitPolicy
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.decorators.video import veo_video_task
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator
from airflow_provider_veo.policies.retry import VeoRetryPolicy
from airflow_provider_veo.sensors.video import VeoVideoSensor
from airflow_provider_veo.storage.files import StoredVideo
from airflow_provider_veo.triggers.video import VeoVideoTrigger


def make_operators() -> None:
    """Make each operator with all its own arguments."""
    create = VeoCreateVideoOperator(
        task_id="create",
        conn_id="veo_default",
        prompt="a cat",
        model="veo-3.1",
        first_frame="first.png",
        last_frame="s3://bucket/last.png",
        seconds=8,
        size="1280x720",
        extra_body={"seed": 1},
        destination=Path("/videos/cat.mp4"),
        deferrable=True,
        poll_interval=timedelta(seconds=5),
        timeout=timedelta(minutes=20),
        max_submissions=2,
        on_unknown_submission="resubmit",
        cancel_on_kill=True,
        retries=3,
    )
    VeoDownloadOperator(
        task_id="download", video_id={"id": "video_1"}, destination="s3://aws@bucket/cat.mp4", if_exists="overwrite"
    )
    VeoDownloadOperator(task_id="fetch", url="https://example.com/cat.mp4", destination="cat.mp4", max_bytes=None)
    VeoChatCompletionOperator(task_id="chat", prompt="a cat", model="veo_3_1", n=2, timeout=600.0)
    VeoExtractFrameOperator(task_id="frame", source="cat.mp4", destination="cat.png", at="last")
    VeoConcatOperator(task_id="join", sources=["a.mp4", Path("b.mp4")], destination="video.mp4")
    VeoVideoSensor(task_id="wait", video_id="video_1", poll_interval=10.0, mode="reschedule")
    VeoCreateVideoOperator(task_id="wrong", prompt="a cat", on_unknown_submission="maybe")  # type: ignore[arg-type]
    VeoDownloadOperator(task_id="wrong", destination="a.mp4", if_exists="ask")  # type: ignore[arg-type]
    result: Mapping[str, object] = create.execute(Context())
    assert result


def decorate() -> None:
    """Use the decorator with and without arguments."""

    def prompt() -> str:
        return "a cat"

    veo_video_task(model="veo-3.1")
    veo_video_task(prompt)


def use_hook() -> Outcome:
    """Order, wait and store by the hook."""
    hook = VeoHook("veo_default")
    video = assert_type(hook.create_video(VideoSpec("a cat", "veo-3.1", seconds=8)), Video)
    assert_type(hook.get_video(video.id), Video)
    assert_type(hook.cancel_video(video.id), bool)
    assert_type(hook.test_connection(), tuple[bool, str])
    stored = hook.download_video("cat.mp4", video_id=video.id, if_exists="fail", content_timeout=timedelta(minutes=1))
    assert_type(stored, StoredVideo)
    policy = WaitPolicy(submitted_at=0.0, deadline=1.0, poll_interval=None)
    return assert_type(hook.wait_for_video(video.id, policy), Outcome)


def read_data(video: Video, outcome: Outcome, stored: StoredVideo) -> None:
    """Read the fields of results."""
    assert_type(video.status, VideoStatus)
    assert_type(video.progress, float | None)
    assert_type(video.url, str | None)
    assert_type(video.reason, Reason | None)
    assert_type(outcome.video_id, str)
    assert_type(outcome.seconds, float | None)
    assert_type(outcome.to_event(), dict[str, Any])
    assert_type(Outcome.from_event({}), Outcome)
    assert_type(stored.bytes, int)
    assert_type(stored.sha256, str)
    assert_type(ChatSpec("a cat", "veo_3_1", n=2).n, int)


def handle_errors() -> str:
    """Catch each error by its class, and read the attributes of their root."""
    try:
        use_hook()
    except VideoFailedError as error:
        return error.reason.value
    except (ApiError, TransportError, StatusUnknownError, VideoTimeoutError, InvalidInputError) as error:
        root: VeoError = error
        assert_type(root.reason, Reason)
        assert_type(root.permanent, bool)
        assert_type(root.video_id, str | None)
        assert_type(root.advice, str)
    except VeoFailException as error:
        permanent: AirflowFailException = error
        return str(permanent)
    return ""


def run_emulator() -> str:
    """Start the emulator, as a test of a user does."""
    with EmulatorServer(Settings(api_key="key", generation_seconds=1.0)) as emulator:
        return assert_type(emulator.url, str)


def store_classes() -> None:
    """Make the two objects whose class paths Airflow stores."""
    trigger = VeoVideoTrigger(conn_id="veo_default", video_id="video_1", submitted_at=0.0, deadline=1.0)
    assert_type(trigger.serialize(), tuple[str, dict[str, Any]])
    VeoRetryPolicy()
