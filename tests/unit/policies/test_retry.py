"""The decisions of the retry policy, and where Airflow stores it."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.errors import ApiError, NotSentError, Reason, TransportError, VideoFailedError
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.policies.retry import VeoRetryPolicy
from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS, AIRFLOW_V_3_4_PLUS

pytestmark = pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="before Airflow 3.3 there are no retry policies")


def decide(error):
    return VeoRetryPolicy().evaluate(error, 1, 3)


def test_a_retry_waits_as_long_as_the_server_asks():
    decision = decide(ApiError("Asking failed", reason=Reason.RATE_LIMITED, status=429, retry_after=90.0))
    assert decision.action.value == "retry"
    assert decision.retry_delay == timedelta(seconds=90)
    assert "Asking failed (HTTP 429)" in decision.reason


@pytest.mark.parametrize("seconds", [3600.0, 1e9, 3e11, 1e300])
def test_a_retry_waits_an_hour_at_most(seconds):
    decision = decide(ApiError("Asking failed", reason=Reason.SERVER, status=503, retry_after=seconds))
    assert decision.retry_delay == timedelta(hours=1)


@pytest.mark.parametrize(
    "error", [NotSentError("no route"), VideoFailedError("v", "failed", Reason.UNKNOWN, "AUDIO_FILTERED")]
)
def test_an_error_that_may_pass_is_retried_after_the_delay_of_the_task(error):
    decision = decide(error)
    assert (decision.action.value, decision.retry_delay, decision.reason) == ("retry", None, str(error))


def refused(retry_after=None, video_id=None):
    """Return the error of a call that the server has refused for now."""
    answer = Answer.of(429, b'{"error": {"message": "Rate limit reached"}}', [], "http://x")
    error = ApiError("Refused", reason=Reason.RATE_LIMITED, status=429, answer=answer, retry_after=retry_after)
    error.add(video_id=video_id)
    return error


CONTEXT = {"task": SimpleNamespace(timeout=timedelta(minutes=20))}
needs_reschedules = pytest.mark.skipif(
    not AIRFLOW_V_3_4_PLUS, reason="before Airflow 3.4 a failed try is not rescheduled"
)


@needs_reschedules
@pytest.mark.parametrize(
    ("error", "delay"), [(refused(retry_after=40.0), timedelta(seconds=40)), (NotSentError("no route"), None)]
)
def test_an_order_that_surely_made_no_job_uses_no_retry(error, delay):
    decision = VeoRetryPolicy().evaluate(error, 1, 0, CONTEXT)
    assert (decision.action.value, decision.retry_delay) == ("reschedule", delay)
    assert (decision.reschedule_timeout, decision.max_reschedules) == (timedelta(minutes=20), None)
    assert decision.reason == str(error)


@needs_reschedules
@pytest.mark.parametrize(
    ("error", "context"),
    [
        (refused(), None),
        (refused(), {"task": SimpleNamespace()}),  # a task that orders nothing
        (refused(video_id="v"), CONTEXT),  # a status call
        (TransportError("no answer"), CONTEXT),  # the order may have made a job
        (ApiError("The order failed", reason=Reason.SERVER, status=502), CONTEXT),
        (VideoFailedError("v", "failed", Reason.UNKNOWN, "AUDIO_FILTERED"), CONTEXT),
    ],
)
def test_any_other_failure_uses_a_retry(error, context):
    assert VeoRetryPolicy().evaluate(error, 1, 3, context).action.value == "retry"


def test_a_permanent_error_is_not_retried():
    assert decide(VideoFailedError("v", "failed", Reason.MODERATION, "no")).action.value == "fail"


def test_errors_of_other_packages_are_left_to_airflow():
    assert decide(OSError("disk full")).action.value == "default"


def test_reasons_are_cut_to_250_letters():
    assert len(decide(NotSentError("x" * 5000)).reason) == 250


def test_arguments_and_default_args_override_the_policy():
    other = VeoRetryPolicy()
    assert isinstance(VeoCreateVideoOperator(task_id="a", prompt="p").retry_policy, VeoRetryPolicy)
    assert isinstance(VeoDownloadOperator(task_id="b", destination="/x", video_id="v").retry_policy, VeoRetryPolicy)
    assert VeoCreateVideoOperator(task_id="c", prompt="p", retry_policy=other).retry_policy is other
    with DAG("d", schedule=None, default_args={"retry_policy": other}):
        assert VeoCreateVideoOperator(task_id="e", prompt="p").retry_policy is other


def test_the_policy_survives_serialization():
    assert isinstance(VeoRetryPolicy.deserialize(VeoRetryPolicy().serialize()), VeoRetryPolicy)


def test_airflow_does_not_store_the_class_path_of_the_policy():
    """The class may move: a Dag that is parsed again uses the new path, and no row has the old one."""
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("d", schedule=None) as dag:
        VeoCreateVideoOperator(task_id="a", prompt="p")
        VeoCreateVideoOperator.partial(task_id="b", retry_policy=VeoRetryPolicy()).expand(prompt=["p"])
    with DAG("e", schedule=None, default_args={"retry_policy": VeoRetryPolicy()}) as dag_with_default:
        VeoCreateVideoOperator(task_id="a", prompt="p")
    for one in (dag, dag_with_default):
        text = json.dumps(DagSerialization.to_dict(one))
        assert "has_retry_policy" in text
        assert "VeoRetryPolicy" not in text
