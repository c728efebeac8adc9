"""The retry policy of this provider's operators (Airflow 3.3 and later)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_veo.api.backends.openai.refusals import Verdict, judge
from airflow_provider_veo.api.error_answers import LONGEST_WAIT
from airflow_provider_veo.api.errors import ApiError, NotSentError, VeoError
from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS, AIRFLOW_V_3_4_PLUS

if TYPE_CHECKING or AIRFLOW_V_3_3_PLUS:
    from airflow.sdk import Context, RetryDecision, RetryPolicy
else:
    RetryPolicy = object

_REASON_LIMIT = 250  # letters


class VeoRetryPolicy(RetryPolicy):
    """Retries errors that may pass, after the delay that the server asks for, and stores the reason with the task.

    On Airflow 3.4 and later, an order that surely made no job and may succeed later uses no retry: the task is
    rescheduled, until the time for its video is over.

    It is the default of this provider's operators. The argument `retry_policy` and `default_args` override it. Errors
    that are not a `VeoError` are retried as without this policy.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,
    ) -> RetryDecision:
        """Return the decision about one failure. `retries` of the task stays the upper limit of its tries.

        Args:
            exception: The exception that the try raised.
            try_number: Number of the try; the policy does not use it.
            max_tries: Number of the last try; the policy does not use it.
            context: Context of the task, with the time that its video may take; None if Airflow gives none.
        """
        if not isinstance(exception, VeoError):
            return RetryDecision.default()
        reason = str(exception)[:_REASON_LIMIT]
        if exception.permanent:
            return RetryDecision.fail(reason)
        wanted = exception.retry_after if isinstance(exception, ApiError) else None
        delay = None if wanted is None else timedelta(seconds=min(wanted, LONGEST_WAIT))
        timeout = _read_timeout(context)
        if AIRFLOW_V_3_4_PLUS and timeout and _made_no_job(exception):
            new: Any = RetryDecision  # its older types do not have the method
            decision: RetryDecision = new.reschedule(delay, reschedule_timeout=timeout, reason=reason)
            return decision
        return RetryDecision.retry(delay, reason)

    def serialize(self) -> dict[str, Any]:
        """Return the settings of the policy: it has none."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> VeoRetryPolicy:  # noqa: ARG003 - Airflow's signature
        """Return the policy for the settings that `serialize` has returned.

        Args:
            data: Settings of the policy: it has none.
        """
        return cls()


def _made_no_job(error: VeoError) -> bool:
    """Return whether an order surely made no job. An error that names a job is not about an order."""
    if error.video_id is not None:
        return False
    return isinstance(error, NotSentError) or (isinstance(error, ApiError) and judge(error) is not Verdict.UNKNOWN)


def _read_timeout(context: Context | None) -> timedelta | None:
    """Return the time that the video of a task may take; None for a task that orders nothing."""
    timeout = getattr(context["task"], "timeout", None) if context and "task" in context else None
    return timeout if isinstance(timeout, timedelta) else None


def make_default_retry_policy() -> VeoRetryPolicy | None:
    """Return the policy of the operators; None before Airflow 3.3."""
    return VeoRetryPolicy() if AIRFLOW_V_3_3_PLUS else None
