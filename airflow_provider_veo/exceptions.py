"""The exceptions of Airflow that this provider's tasks raise, and the conversion of a `VeoError` into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_veo.api.errors import CausedByVeoError, InvalidInputError, VeoError
from airflow_provider_veo.hooks.connection import describe_connection

__all__ = ["VeoFailException", "VeoSensorTimeout"]


class VeoFailException(CausedByVeoError, AirflowFailException):  # noqa: N818 - named as Airflow's
    """Fails the task without retries, since a retry would fail, too. Do what the message says, then clear the task.

    Args:
        cause: The original error, a `VeoError`.
    """


class VeoSensorTimeout(CausedByVeoError, AirflowSensorTimeout):  # noqa: N818
    """The sensor's `timeout` passed before the job was finished. Raise it, or collect the video later.

    Args:
        cause: The original error, a `VeoError`.
    """


@contextmanager
def fail_fast(conn_id: str | None = None, advise: Callable[[VeoError], str] = lambda _: "") -> Iterator[None]:
    """Let permanent errors fail the task without retries, and add the connection and the advice to all errors.

    Args:
        conn_id: The task's connection; None if it has none.
        advise: Function that returns the next step after an error.

    Raises:
        VeoFailException: The block raised a `VeoError` that is permanent.
    """
    try:
        yield
    except VeoError as error:
        _complete(error, conn_id, advise)
        if error.permanent:
            raise as_failure(error) from None
        raise
    except CausedByVeoError as error:
        _complete(error.cause, conn_id, advise)
        raise


def as_failure(error: VeoError) -> VeoFailException:
    """Return the exception that replaces an error. Raise it `from None`: it has the traceback of the error.

    Args:
        error: The original error, a `VeoError`.
    """
    return VeoFailException(error).with_traceback(error.__traceback__)


def _complete(error: VeoError, conn_id: str | None, advise: Callable[[VeoError], str]) -> None:
    if isinstance(error, InvalidInputError):
        return  # the error is about an argument of the task, or names the connection already
    error.add(advice=advise(error))
    if conn_id is not None and not error.where:
        error.add(where=describe_connection(conn_id))
