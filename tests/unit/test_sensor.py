"""The sensor without a network: what it hands to its trigger, and what it makes of the end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_provider_veo.api.errors import Reason, VeoError
from airflow_provider_veo.api.polling import Outcome
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.sensors.video import VeoVideoSensor

NOW = 1_764_172_941.0
COMPLETED = Outcome(kind="completed", video_id="v", status="completed", model="veo-3.1", seconds=4.0)
FAILED = replace(COMPLETED, kind="failed", status="failed", message="no cats today")
LATE = replace(COMPLETED, kind="timeout", status="running", message="Video v was not finished")
LOST = replace(COMPLETED, kind="error", status="unknown", message="asking failed", reason=Reason.SERVER.value)


@pytest.fixture(autouse=True)
def connection(monkeypatch):
    value = {"conn_type": "veo", "host": "https://api.example.com", "password": "sk-canary"}
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps(value))


def sensor(**arguments):
    return VeoVideoSensor(**{"task_id": "wait", "video_id": "v", "deferrable": True, **arguments})


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("video_id", ["", None, {}, {"id": None}, {"video": "v"}, 7])
def test_a_missing_id_is_refused_before_any_request(context, deferrable, video_id):
    with pytest.raises(VeoFailException, match=r"video_id is .*; it must be a job's id"):
        sensor(video_id=video_id, deferrable=deferrable).execute(context)


@pytest.mark.parametrize("video_id", ["v", {"id": "v", "status": "queued"}])
def test_it_defers_on_the_job_and_never_cancels_it(mocker, context, video_id):
    mocker.patch("airflow_provider_veo.sensors.video.time.time", return_value=NOW)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(video_id=video_id, timeout=600, poll_interval=7).execute(context)
    _, kwargs = deferred.value.trigger.serialize()
    assert kwargs == {
        "conn_id": "veo_default",
        "video_id": "v",
        "submitted_at": NOW,
        "deadline": NOW + 600,
        "poll_interval": 7.0,
        "model": None,
        "cancel_on_kill": False,
    }
    assert deferred.value.timeout == timedelta(seconds=660)


def test_the_execution_timeout_shortens_the_wait(mocker, context):
    mocker.patch("airflow_provider_veo.sensors.video.time.time", return_value=NOW)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(timeout=600, execution_timeout=timedelta(seconds=20)).execute(context)
    assert deferred.value.trigger.deadline == NOW + 20


def test_a_completed_job_is_returned(context):
    result = sensor().execute_complete(context, COMPLETED.to_event())
    assert (result["id"], result["model"], result["seconds"], result["estimated_cost_usd"]) == ("v", "veo-3.1", 8, 0.25)


def test_the_result_of_who_has_ordered_names_the_model(context):
    event = replace(COMPLETED, model="sora2_video_generation").to_event()
    result = sensor(video_id={"id": "v", "model": "veo-3.1-fast"}).execute_complete(context, event)
    assert (result["model"], result["seconds"], result["estimated_cost_usd"]) == ("veo-3.1-fast", 8, 0.15)


def test_nothing_is_invented_about_an_unknown_model(context):
    result = sensor().execute_complete(context, replace(COMPLETED, model=None).to_event())
    assert (result["model"], result["seconds"], result["estimated_cost_usd"]) == (None, 4.0, None)


@pytest.mark.parametrize(
    ("outcome", "error"), [(FAILED, VeoFailException), (LATE, AirflowSensorTimeout), (LOST, VeoError)]
)
def test_how_it_fails(context, outcome, error):
    with pytest.raises(error, match=outcome.message):
        sensor().execute_complete(context, outcome.to_event())


@pytest.mark.parametrize("outcome", [FAILED, LATE])
def test_soft_fail_skips(context, outcome):
    with pytest.raises(AirflowSkipException):
        sensor(soft_fail=True).resume_execution("execute_complete", {"event": outcome.to_event()}, context)
