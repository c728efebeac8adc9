"""How the errors of the video API become Airflow's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSensorTimeout

from airflow_provider_veo.api.errors import InvalidInputError, Reason, VeoError
from airflow_provider_veo.hooks.connection import place_of_connection


class _Caused(AirflowException):
    """An exception of Airflow that says what an error of this package says, and knows what it knows.

    Attributes:
        cause: the error.
    """

    def __init__(self, cause: VeoError) -> None:
        super().__init__(str(cause))
        self.cause = cause

    @property
    def reason(self) -> Reason:
        """Why, in one word: the word of the metrics."""
        return self.cause.reason

    @property
    def video_id(self) -> str | None:
        """The job that it is about; None where there is none, or where it is not known."""
        return self.cause.video_id

    def __str__(self) -> str:
        return str(self.cause)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.cause,)


class VeoFailException(_Caused, AirflowFailException):
    """The task fails at once, whatever its `retries`: the same again would fail again."""


class VeoSensorTimeout(_Caused, AirflowSensorTimeout):
    """The time of a sensor is over."""


@contextmanager
def fail_fast(conn_id: str | None = None, advise: Callable[[VeoError], str] = lambda _: "") -> Iterator[None]:
    """Let permanent errors fail the task without a retry, and all others pass; each says where, and what to do next.

    Args:
        conn_id: the task's connection; None where it has none.
        advise: returns what to do about an error, see `advice`.

    Raises:
        VeoFailException: in place of a permanent `VeoError`, with the same message.
    """
    try:
        yield
    except VeoError as error:
        _complete(error, conn_id, advise)
        if error.permanent:
            raise refusal(error) from None
        raise
    except _Caused as error:
        _complete(error.cause, conn_id, advise)
        raise


def refusal(error: VeoError) -> VeoFailException:
    """Return what to raise `from None` in place of an error: with its traceback, so that the log has one, not two."""
    return VeoFailException(error).with_traceback(error.__traceback__)


def _complete(error: VeoError, conn_id: str | None, advise: Callable[[VeoError], str]) -> None:
    if isinstance(error, InvalidInputError):
        return  # it is about the task's arguments, or names its connection itself
    error.tell(advice=advise(error))
    if conn_id is not None and not error.place:
        error.tell(place=place_of_connection(conn_id))
