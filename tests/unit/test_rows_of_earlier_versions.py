"""Rows that an earlier version has written into Airflow's database still work: triggers, events and XComs."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

from airflow_provider_veo.links.video import VeoVideoLink
from airflow_provider_veo.observability import keys
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.sensors.video import VeoVideoSensor

CLASS_PATH = "airflow_provider_veo.triggers.video.VeoVideoTrigger"
KWARGS = {
    "conn_id": "veo_default",
    "video_id": "video_1",
    "submitted_at": 1772366400.5,
    "deadline": 1772367600.5,
    "poll_interval": None,
    "model": "veo-3.1",
    "cancel_on_kill": True,
    "not_before": 1772366410.5,
    "opening": 25.0,
    "backend": "openai",
}
EVENT = {
    "version": 1,
    "kind": "completed",
    "video_id": "video_1",
    "status": "completed",
    "message": "",
    "reason": "unknown",
    "model": "veo-3.1",
    "url": "https://cdn.example.com/a.mp4",
    "size": "720x1280",
    "seconds": 8.0,
    "created_at": "2026-03-01T12:00:00Z",
    "completed_at": "2026-03-01T12:01:30Z",
    "expires_at": None,
    "url_withheld": False,
    "polls": 6,
    "reason_in_words": False,
    "in_doubt": False,
    "was_running": False,
}


def load_trigger(**kwargs):
    """Make a trigger from its row, as Airflow does."""
    module, _, name = CLASS_PATH.rpartition(".")
    return getattr(import_module(module), name)(**kwargs)


def test_a_trigger_row_has_the_same_class_path_and_arguments():
    assert load_trigger(**KWARGS).serialize() == (CLASS_PATH, KWARGS)


@pytest.mark.parametrize(
    "missing", [["opening", "backend"], ["not_before", "opening", "backend", "model", "cancel_on_kill"]]
)
def test_a_trigger_row_without_newer_arguments_can_be_loaded(missing):
    kwargs = {name: value for name, value in KWARGS.items() if name not in missing}
    assert load_trigger(**kwargs).video_id == "video_1"


@pytest.mark.parametrize("missing", [[], ["was_running", "in_doubt", "reason_in_words"]])
@pytest.mark.parametrize(
    "operator",
    [
        VeoCreateVideoOperator(task_id="create", prompt="a cat", model="veo-3.1"),
        VeoVideoSensor(task_id="wait", video_id="video_1"),
    ],
    ids=["create", "sensor"],
)
def test_a_task_resumes_with_the_event_of_an_earlier_version(monkeypatch, context, operator, missing):
    connection = {"conn_type": "veo", "host": "https://api.example.com", "password": "key"}
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps(connection))
    event = {name: value for name, value in EVENT.items() if name not in missing}
    result = operator.execute_complete(context, event)
    assert (result["id"], result["status"], result["url"]) == ("video_1", "completed", EVENT["url"])


def test_xcoms_have_the_same_keys():
    assert (keys.ORDER_KEY, keys.OUTCOME_KEY, keys.PROGRESS_KEY) == ("veo_order", "veo_outcome", "progress")
    assert VeoVideoLink().xcom_key == "veo_link"
