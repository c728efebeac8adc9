"""How the errors of the video API become Airflow's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_veo.api.errors import VeoError


class VeoFailException(AirflowFailException):
    """The task fails at once, whatever its `retries`: the same again would fail again."""


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
            raise VeoFailException(str(error)) from error
        raise
