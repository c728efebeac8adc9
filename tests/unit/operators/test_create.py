"""The create operator without a network: the arguments that it refuses, and its result for an event."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, TaskDeferred

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import Reason, TransportError, VideoFailedError, VideoTimeoutError
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.triggers.video import VeoVideoTrigger

pytestmark = pytest.mark.usefixtures("gateway")

NOW = 1_764_172_941.0
COMPLETED = Outcome(kind="completed", video_id="v", status="completed", url="https://x.example/a.mp4", seconds=4.0)


@pytest.fixture
def order(mocker):
    """Replace the call that orders; return its mock."""
    mocker.patch("airflow_provider_veo.operators.create.time.time", return_value=NOW)
    return mocker.patch.object(VeoClient, "create_video", return_value=Video("v", VideoStatus.QUEUED, "queued"))


def create(**arguments):
    return VeoCreateVideoOperator(**{"task_id": "create", "prompt": "a cat", "deferrable": True, **arguments})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"first_frame": "/no/such.png", "model": "veo-3.1-fl"}, "first_frame '/no/such.png' cannot be read"),
        ({"first_frame": "data:image/png;base64,AAAA", "model": "veo-3.1-fl"}, "not a JPEG, PNG or WebP"),
        ({"destination": "videos/a.mp4"}, r"set \[veo\] storage"),
        ({"destination": "nosuch://bucket/a.mp4"}, "cannot be used: .*nosuch"),
        ({"destination": "s3://bucket/a.mp4"}, r"pip install 'airflow-provider-veo\[s3\]'"),
        ({"destination": "/dev/null/a.mp4"}, "cannot be written: /dev/null is a file"),
    ],
)
@pytest.mark.parametrize("deferrable", [True, False])
def test_bad_input_is_refused_before_anything_is_paid(order, context, arguments, complaint, deferrable):
    with pytest.raises(VeoFailException, match=complaint) as caught:
        create(deferrable=deferrable, **arguments).execute(context)
    assert isinstance(caught.value, AirflowFailException)
    order.assert_not_called()


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_bad_configuration_is_refused_before_anything_is_paid(order, context, monkeypatch, deferrable):
    monkeypatch.setenv("AIRFLOW__VEO__POLL_INTERVAL", "often")
    with pytest.raises(VeoFailException, match=r"poll_interval is 'often'.*\[veo\] poll_interval"):
        create(deferrable=deferrable).execute(context)
    order.assert_not_called()


def test_a_broken_connection_is_refused(order, context, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps({"conn_type": "veo"}))
    with pytest.raises(VeoFailException, match="'veo_default': it has no host"):
        create().execute(context)
    order.assert_not_called()


def test_one_destination_for_all_mapped_tasks_is_refused(order, context):
    with DAG("d", schedule=None) as dag:
        VeoCreateVideoOperator.partial(task_id="create", destination="/tmp/a.mp4").expand(prompt=["one", "two"])
    context["ti"].map_index = 0
    with pytest.raises(VeoFailException, match=r"'/tmp/a\.mp4' is the same for all .*\. Put \{video_id\} or"):
        dag.get_task("create").unmap({"prompt": "one"}).execute(context)
    order.assert_not_called()


def deferral(operator, context):
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(context)
    return caught.value


def test_a_deferral_has_the_arguments_of_the_trigger(order, context):
    deferred = deferral(create(timeout=timedelta(minutes=10), poll_interval=3), context)
    path, kwargs = deferred.trigger.serialize()
    assert path == "airflow_provider_veo.triggers.video.VeoVideoTrigger"
    assert kwargs == {
        "conn_id": "veo_default",
        "video_id": "v",
        "submitted_at": NOW,
        "deadline": NOW + 600,
        "poll_interval": 3,
        "model": "veo-3.1-fast",
        "cancel_on_kill": True,
        "not_before": NOW + 10,
        "opening": 45.0,
        "backend": "openai",
    }
    assert VeoVideoTrigger(**kwargs).serialize() == (path, kwargs)
    assert deferred.method_name == "execute_complete"
    assert not deferred.kwargs
    assert deferred.timeout == timedelta(seconds=660)
    assert order.call_args.args[0].model == "veo-3.1-fast"


@pytest.mark.parametrize(("said", "seconds"), [("0", 0.0), ("2.5", 2.5), ("600", 600.0), ("", 10.0)])
def test_a_deferral_lasts_as_long_as_the_configuration_says(order, context, monkeypatch, said, seconds):
    monkeypatch.setenv("AIRFLOW__VEO__SHORTEST_DEFERRAL", said)
    deferred = deferral(create(timeout=timedelta(seconds=30)), context)
    assert deferred.trigger.not_before == NOW + seconds
    assert deferred.timeout.total_seconds() == max(30, seconds) + 60  # or Airflow would end the wait before its event


@pytest.mark.parametrize("said", ["-1", "soon", "nan", "inf", "601", "1e999", "10s"])
def test_a_bad_shortest_deferral_is_refused_before_anything_is_paid(order, context, monkeypatch, said):
    monkeypatch.setenv("AIRFLOW__VEO__SHORTEST_DEFERRAL", said)
    with pytest.raises(VeoFailException, match=rf"\[veo\] shortest_deferral .* is '{said}'; it must be a number"):
        create().execute(context)
    order.assert_not_called()


def test_execution_timeout_shortens_the_wait(order, context):
    operator = create(timeout=timedelta(minutes=10), execution_timeout=timedelta(minutes=2))
    assert deferral(operator, context).trigger.deadline == NOW + 120


def test_the_connection_may_name_the_model(order, context, monkeypatch):
    value = {"conn_type": "veo", "host": "https://api.example.com", "extra": {"default_model": "sora-9"}}
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps(value))
    deferral(create(), context)
    assert order.call_args.args[0].model == "sora-9"


def test_a_task_that_resumes_with_a_video_returns_its_result():
    assert create().execute_complete({}, COMPLETED.to_event()) == {
        "id": "v",
        "status": "completed",
        "model": "veo-3.1-fast",
        "url": "https://x.example/a.mp4",
        "size": "720x1280",
        "seconds": 8,
        "created_at": None,
        "completed_at": None,
        "expires_at": None,
        "estimated_cost_usd": 0.15,
        "cost_usd": None,
        "submissions": None,
        "prompt_sha256": hashlib.sha256(b"a cat").hexdigest(),
    }


def test_the_shown_progress_ends_with_the_job(context):
    create().execute_complete(context, COMPLETED.to_event())
    assert context["ti"].xcoms == {"progress": "completed 100 %"}
    with pytest.raises(VideoFailedError):
        create().execute_complete(context, replace(COMPLETED, kind="failed", status="cancelled").to_event())
    assert context["ti"].xcoms == {"progress": "cancelled"}


def test_a_failure_to_show_the_progress_does_not_lose_the_video(context):
    def fail(**_):
        raise RuntimeError("the API server is away")

    context["ti"].xcom_push = fail
    assert create().execute_complete(context, COMPLETED.to_event())["status"] == "completed"


def test_a_task_that_resumes_returns_its_result_although_the_connection_cannot_be_read_any_more(context):
    task = create(conn_id="deleted", model="veo-3.1")
    result = task.execute_complete(context, COMPLETED.to_event())
    assert (result["id"], result["model"], result["estimated_cost_usd"]) == ("v", "veo-3.1", None)


@pytest.mark.parametrize(
    ("outcome", "error", "complaint"),
    [
        (
            Outcome("failed", "v", "failed", "no cats", Reason.MODERATION.value),
            VeoFailException,
            r"Video v failed: no cats\. The content filter refused it: change the prompt or the frames\.",
        ),
        (Outcome("failed", "v", "failed", "boom"), VideoFailedError, "Video v failed: boom"),
        (Outcome("timeout", "v", "running", "v was not finished"), VideoTimeoutError, "v was not finished"),
        (
            Outcome("error", "v", "unknown", "refused", Reason.AUTHENTICATION.value),
            VeoFailException,
            "refused",
        ),
    ],
)
def test_a_task_that_resumes_without_a_video_fails(outcome, error, complaint):
    with pytest.raises(error, match=complaint):
        create().execute_complete({}, outcome.to_event())


def test_every_data_argument_is_a_template():
    assert set(VeoCreateVideoOperator.template_fields) == {
        "prompt",
        "model",
        "first_frame",
        "last_frame",
        "seconds",
        "size",
        "extra_body",
        "destination",
        "conn_id",
    }
    assert set(VeoDownloadOperator.template_fields) == {"destination", "video_id", "url", "conn_id"}


def test_an_address_that_the_event_must_not_hold_is_asked_for_again(mocker):
    url = "https://x.example/a.mp4?signature=s"
    event = replace(COMPLETED, url=url).to_event()
    asked = mocker.patch.object(VeoClient, "get_video", return_value=Video("v", VideoStatus.COMPLETED, url=url))
    assert create().execute_complete({}, event)["url"] == url
    asked.side_effect = TransportError("connection refused")
    assert create().execute_complete({}, event)["url"] is None
