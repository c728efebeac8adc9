"""The sensor without a network: the arguments of its trigger, and the results that it returns for an event."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import ApiError, InvalidInputError, Reason, TransportError, VeoError
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.video import Video, VideoStatus
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.observability import metrics
from airflow_provider_veo.sensors.video import VeoVideoSensor

NOW = 1_764_172_941.0
COMPLETED = Outcome(kind="completed", video_id="v", status="completed", model="veo-3.1", seconds=4.0)
FAILED = replace(COMPLETED, kind="failed", status="failed", message="no cats today")
LATE = replace(COMPLETED, kind="timeout", status="running", message="Video v was not finished")
LOST = replace(COMPLETED, kind="error", status="unknown", message="asking failed", reason=Reason.SERVER.value)


@pytest.fixture(autouse=True)
def connection(monkeypatch):
    extra = {"profile": "veo-gateway"}
    value = {"conn_type": "veo", "host": "https://api.example.com", "password": "sk-canary", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps(value))


def sensor(**arguments):
    return VeoVideoSensor(**{"task_id": "wait", "video_id": "v", "deferrable": True, **arguments})


WRONG_IDS = ["", None, {}, {"id": None}, {"video": "v"}, 7.5, True, ["v"]]


@pytest.mark.parametrize("video_id", WRONG_IDS)
def test_a_missing_id_is_refused_when_the_dag_is_parsed(video_id):
    with pytest.raises(InvalidInputError, match=r"Task 'wait': video_id is .*; it must be the id of a video job"):
        sensor(video_id=video_id)


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("video_id", WRONG_IDS)
def test_a_missing_id_is_refused_before_any_request(context, deferrable, video_id):
    waiting = sensor(video_id="{{ nothing }}", deferrable=deferrable)
    waiting.video_id = video_id
    with pytest.raises(VeoFailException, match=r"video_id is .*; it must be the id of a video job"):
        waiting.execute(context)


@pytest.mark.parametrize(("timeout", "seconds"), [(1_800, 1_800), (timedelta(minutes=30), 1_800), (0, 0)])
def test_the_timeout_may_be_a_number_or_a_timedelta(timeout, seconds):
    assert sensor(timeout=timeout).timeout == seconds


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), 1e12, timedelta(days=400)])
def test_a_timeout_without_an_end_is_refused_when_the_dag_is_parsed(timeout):
    with pytest.raises((InvalidInputError, OverflowError, ValueError, AirflowException)):
        sensor(timeout=timeout)


@pytest.mark.parametrize("video_id", ["v", {"id": "v", "status": "queued"}])
def test_the_deferred_trigger_waits_for_the_job_and_never_cancels_it(mocker, context, video_id):
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
        "not_before": NOW + 10,
        "opening": 45.0,
        "backend": None,
    }
    assert deferred.value.timeout == timedelta(seconds=660)


@pytest.mark.parametrize("said", ["-1", "soon", "nan"])
def test_a_bad_shortest_deferral_is_refused(context, monkeypatch, said):
    monkeypatch.setenv("AIRFLOW__VEO__SHORTEST_DEFERRAL", said)
    with pytest.raises(VeoFailException, match=r"\[veo\] shortest_deferral"):
        sensor().execute(context)


def test_the_execution_timeout_shortens_the_wait(mocker, context):
    mocker.patch("airflow_provider_veo.sensors.video.time.time", return_value=NOW)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(timeout=600, execution_timeout=timedelta(seconds=20)).execute(context)
    assert deferred.value.trigger.deadline == NOW + 20


def test_a_completed_job_is_returned(context):
    result = sensor().execute_complete(context, COMPLETED.to_event())
    assert (result["id"], result["model"], result["seconds"], result["estimated_cost_usd"]) == ("v", "veo-3.1", 8, 0.25)


def test_the_result_of_the_ordering_task_names_the_model(context):
    event = replace(COMPLETED, model="sora2_video_generation").to_event()
    result = sensor(video_id={"id": "v", "model": "veo-3.1-fast"}).execute_complete(context, event)
    assert (result["model"], result["seconds"], result["estimated_cost_usd"]) == ("veo-3.1-fast", 8, 0.15)


def test_facts_about_an_unknown_model_are_none(context):
    result = sensor().execute_complete(context, replace(COMPLETED, model=None).to_event())
    assert (result["model"], result["seconds"], result["estimated_cost_usd"]) == (None, 4.0, None)


@pytest.mark.parametrize(
    ("outcome", "error"), [(FAILED, VeoFailException), (LATE, AirflowSensorTimeout), (LOST, VeoError)]
)
def test_each_outcome_without_a_video_is_its_own_error(context, outcome, error):
    with pytest.raises(error, match=outcome.message):
        sensor().execute_complete(context, outcome.to_event())


@pytest.mark.parametrize("outcome", [FAILED, LATE])
def test_a_soft_fail_skips_the_task(context, outcome):
    with pytest.raises(AirflowSkipException):
        sensor(soft_fail=True).resume_execution("execute_complete", {"event": outcome.to_event()}, context)


class Clock:
    """A clock that moves only when something sleeps."""

    def __init__(self):
        self.now = NOW

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += max(seconds, 0.001)


@pytest.fixture
def clock(mocker):
    clock = Clock()
    for module in ("sensors.video", "api.polling.wait"):
        mocker.patch(f"airflow_provider_veo.{module}.time", clock)
    return clock


@pytest.fixture
def answers(mocker):
    """Return a function that sets the answers to the status calls. The last one is repeated."""

    def set_answers(*seen):
        left = list(seen)

        def get_video(_client, _video_id):
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        mocker.patch.object(VeoClient, "get_video", get_video)

    return set_answers


@pytest.fixture
def failures(mocker):
    """Return the names of the metrics that were sent."""
    sent = []
    mocker.patch.object(metrics, "send", lambda found, _task: sent.extend(metric.name for metric in found))
    return sent


RUNNING = Video("v", VideoStatus.RUNNING)
DONE = Video("v", VideoStatus.COMPLETED)
NOT_FOUND = ApiError("Asking failed", reason=Reason.NOT_FOUND, status=404)
BROKEN = ApiError("Asking failed", reason=Reason.SERVER, status=502)
BUSY = ApiError("Asking failed", reason=Reason.RATE_LIMITED, status=429)


def poke_until_the_end(waiting, context, clock):
    while not (found := waiting.poke(context)).is_done:
        clock.sleep(60)
    return found


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize(
    ("trouble", "words", "after"),
    [
        (NOT_FOUND, "does not know video v", 60),
        (BROKEN, "could not be read", 300),
        (TransportError("no route to host"), "could not be read", 300),
    ],
)
def test_failing_status_calls_end_the_wait_as_in_the_trigger(context, clock, answers, mode, trouble, words, after):
    answers(trouble)
    with pytest.raises(VeoFailException if trouble is NOT_FOUND else VeoError, match=words):
        poke_until_the_end(sensor(deferrable=False, mode=mode), context, clock)
    assert after <= clock.now - NOW < after + 120


def test_each_poke_uses_the_key_that_the_connection_has_then(context, clock, mocker, monkeypatch):
    keys = []

    def get_video(client, _video_id):
        keys.append(client.settings.api_key)
        return RUNNING

    mocker.patch.object(VeoClient, "get_video", get_video)
    waiting = sensor(deferrable=False)
    waiting.poke(context)
    changed = {"conn_type": "veo", "host": "https://api.example.com", "password": "sk-rotated"}
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps(changed))
    waiting.poke(context)
    assert keys == ["sk-canary", "sk-rotated"]


def test_a_completed_job_is_returned_although_the_connection_cannot_be_read_any_more(context, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_VEO_DEFAULT")
    result = sensor(conn_id="deleted").execute_complete(context, COMPLETED.to_event())
    assert (result["id"], result["model"], result["estimated_cost_usd"]) == ("v", "veo-3.1", None)


@pytest.mark.parametrize("trouble", [BROKEN, TransportError("no route to host"), BUSY])
def test_in_reschedule_mode_a_failed_call_is_repeated_until_the_server_answers(context, clock, answers, trouble):
    answers(trouble, trouble, trouble, RUNNING)
    assert not sensor(deferrable=False, mode="reschedule").poke(context).is_done


def test_in_reschedule_mode_a_busy_server_does_not_hold_the_worker(context, clock, answers):
    answers(BUSY)
    assert not sensor(deferrable=False, mode="reschedule").poke(context).is_done
    assert clock.now - NOW < 400


def test_in_poke_mode_a_good_answer_resets_the_count_of_failures(context, clock, answers):
    answers(*[BROKEN] * 4, RUNNING, *[BROKEN] * 4, DONE)
    assert poke_until_the_end(sensor(deferrable=False), context, clock).xcom_value["id"] == "v"


@pytest.mark.parametrize("outcome", [FAILED, LATE])
def test_a_soft_fail_is_not_reported_as_a_failure(context, failures, outcome):
    with pytest.raises(AirflowSkipException):
        sensor(soft_fail=True).resume_execution("execute_complete", {"event": outcome.to_event()}, context)
    assert failures == []


@pytest.mark.parametrize("outcome", [FAILED, LATE, LOST])
def test_a_failure_is_reported_once(context, failures, outcome):
    with pytest.raises(Exception, match=outcome.message):
        sensor().resume_execution("execute_complete", {"event": outcome.to_event()}, context)
    assert failures.count(metrics.FAILED) == 1


@pytest.mark.parametrize("option", [{"soft_fail": True}, {"never_fail": True}])
def test_a_skip_while_poking_is_not_reported_as_a_failure(context, clock, answers, failures, option):
    answers(Video("v", VideoStatus.FAILED, reason=Reason.MODERATION))
    with pytest.raises(AirflowSkipException):
        sensor(deferrable=False, **option).execute(context)
    assert failures == []
