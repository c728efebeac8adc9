"""When and why Airflow retries a task of ours (Airflow 3.3+)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_veo.api.error_answers import LONGEST_WAIT
from airflow_provider_veo.api.errors import ApiError, VeoError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, RetryDecision, RetryPolicy
else:
    try:
        from airflow.providers.common.compat.sdk import RetryDecision, RetryPolicy
    except (ImportError, AttributeError):  # before Airflow 3.3
        RetryDecision, RetryPolicy = None, object

_REASON_LIMIT = 250


class VeoRetryPolicy(RetryPolicy):
    """Retries what may pass, after the delay that the server asks for, and stores the reason.

    It is the default of this provider's operators; `retry_policy=` and `default_args` override it. Errors that are not
    of this provider are retried as the task says.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Decide about one failure. `retries` stays the upper limit."""
        if not isinstance(exception, VeoError):
            return RetryDecision.default()
        reason = str(exception)[:_REASON_LIMIT]
        if exception.permanent:
            return RetryDecision.fail(reason)
        wanted = exception.retry_after if isinstance(exception, ApiError) else None
        delay = None if wanted is None else timedelta(seconds=min(wanted, LONGEST_WAIT))
        return RetryDecision.retry(delay, reason)

    def serialize(self) -> dict[str, Any]:
        """Return the policy's settings: it has none."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> VeoRetryPolicy:  # noqa: ARG003 - Airflow's signature
        """Return the policy."""
        return cls()


def default_retry_policy() -> VeoRetryPolicy | None:
    """Return the policy, or None before Airflow 3.3."""
    return None if RetryDecision is None else VeoRetryPolicy()
