"""How the errors of the video API become Airflow's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_veo.api.errors import VeoError


class VeoFailException(AirflowFailException):
    """The task fails at once, whatever its `retries`: the same again would fail again.

    Attributes:
        cause: what cannot be helped; its message is this one's.
    """

    def __init__(self, cause: VeoError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextmanager
def fail_fast() -> Iterator[None]:
    """Let permanent errors fail the task without a retry, and all others pass as they are.

    Raises:
        VeoFailException: in place of a permanent `VeoError`, with the same message.
    """
    try:
        yield
    except VeoError as error:
        if error.permanent:
            raise refusal(error) from None
        raise


def refusal(error: VeoError) -> VeoFailException:
    """Return what to raise `from None` in place of an error: with its traceback, so that the log has one, not two."""
    return VeoFailException(error).with_traceback(error.__traceback__)
