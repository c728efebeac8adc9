from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_veo.api.errors import ApiError, NotSentError, Reason, VideoFailedError
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.policies.retry import VeoRetryPolicy, default_retry_policy

pytestmark = pytest.mark.skipif(default_retry_policy() is None, reason="retry policies came with Airflow 3.3")


def decide(error):
    return VeoRetryPolicy().evaluate(error, 1, 3)


def test_the_servers_delay_is_kept():
    decision = decide(ApiError("Asking failed", reason=Reason.RATE_LIMITED, status=429, retry_after=90.0))
    assert decision.action.value == "retry"
    assert decision.retry_delay == timedelta(seconds=90)
    assert "Asking failed (HTTP 429)" in decision.reason


@pytest.mark.parametrize("seconds", [3600.0, 1e9, 3e11, 1e300])
def test_no_server_puts_a_retry_off_for_longer_than_an_hour(seconds):
    decision = decide(ApiError("Asking failed", reason=Reason.SERVER, status=503, retry_after=seconds))
    assert decision.retry_delay == timedelta(hours=1)


@pytest.mark.parametrize(
    "error", [NotSentError("no route"), VideoFailedError("v", "failed", Reason.UNKNOWN, "AUDIO_FILTERED")]
)
def test_what_may_pass_is_retried_after_the_tasks_own_delay(error):
    decision = decide(error)
    assert (decision.action.value, decision.retry_delay, decision.reason) == ("retry", None, str(error))


def test_what_cannot_pass_is_not_retried():
    assert decide(VideoFailedError("v", "failed", Reason.MODERATION, "no")).action.value == "fail"


def test_other_errors_are_none_of_its_business():
    assert decide(OSError("disk full")).action.value == "default"


def test_reasons_are_short():
    assert len(decide(NotSentError("x" * 5000)).reason) == 250


def test_it_is_the_default_that_arguments_and_default_args_override():
    other = VeoRetryPolicy()
    assert isinstance(VeoCreateVideoOperator(task_id="a", prompt="p").retry_policy, VeoRetryPolicy)
    assert isinstance(VeoDownloadOperator(task_id="b", destination="/x", video_id="v").retry_policy, VeoRetryPolicy)
    assert VeoCreateVideoOperator(task_id="c", prompt="p", retry_policy=other).retry_policy is other
    with DAG("d", schedule=None, default_args={"retry_policy": other}):
        assert VeoCreateVideoOperator(task_id="e", prompt="p").retry_policy is other


def test_it_survives_serialization():
    assert isinstance(VeoRetryPolicy.deserialize(VeoRetryPolicy().serialize()), VeoRetryPolicy)
