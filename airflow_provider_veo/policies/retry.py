"""The retry policy of this provider's operators (Airflow 3.3 and later)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_veo.api.error_answers import LONGEST_WAIT
from airflow_provider_veo.api.errors import ApiError, VeoError
from airflow_provider_veo.version_compat import AIRFLOW_V_3_3_PLUS

if TYPE_CHECKING or AIRFLOW_V_3_3_PLUS:
    from airflow.sdk import Context, RetryDecision, RetryPolicy
else:
    RetryPolicy = object

_REASON_LIMIT = 250  # letters


class VeoRetryPolicy(RetryPolicy):
    """Retries errors that may pass, after the delay that the server asks for, and stores the reason with the task.

    It is the default of this provider's operators. The argument `retry_policy` and `default_args` override it. Errors
    that are not a `VeoError` are retried as without this policy.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Return the decision about one failure. `retries` of the task stays the upper limit.

        Args:
            exception: The exception that the try raised.
            try_number: Number of the try; the policy does not use it.
            max_tries: Number of the last try; the policy does not use it.
            context: Context of the task; the policy does not use it.
        """
        if not isinstance(exception, VeoError):
            return RetryDecision.default()
        reason = str(exception)[:_REASON_LIMIT]
        if exception.permanent:
            return RetryDecision.fail(reason)
        wanted = exception.retry_after if isinstance(exception, ApiError) else None
        delay = None if wanted is None else timedelta(seconds=min(wanted, LONGEST_WAIT))
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


def make_default_retry_policy() -> VeoRetryPolicy | None:
    """Return the policy of the operators; None before Airflow 3.3."""
    return VeoRetryPolicy() if AIRFLOW_V_3_3_PLUS else None
