"""The order record in Airflow's task state store, which outlives the tries of a task."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from airflow_provider_veo.api.errors import NotOrderedError
from airflow_provider_veo.orders.record import OrderRecord
from airflow_provider_veo.utils.airflow_internals import never_expire

log = logging.getLogger(__name__)

T = TypeVar("T")

KEY = "veo_submission"
"""Name of the order record in the task state store."""

NAMED_KEY = "veo_adopt"
"""Name of the value in the task state store in which a person names the job of an unknown order; see `adoption`."""


class TaskStateStore(Protocol):
    """Airflow's task state store, `context["task_state_store"]`, since Airflow 3.3."""

    def get(self, key: str) -> Any: ...

    def set(self, key: str, value: Any, **options: Any) -> None: ...

    def delete(self, key: str) -> None: ...


class OrderStore:
    """Keeps the order record of one task instance.

    Args:
        store: Airflow's task state store; None before Airflow 3.3, where no record is kept.
    """

    def __init__(self, store: TaskStateStore | None) -> None:
        self._store = store

    @property
    def is_there(self) -> bool:
        """Whether this Airflow keeps records."""
        return self._store is not None

    def read(self) -> OrderRecord | None:
        """Return the record, or None if there is none.

        Raises:
            NotOrderedError: The record cannot be read; it may exist.
        """
        return self._read(lambda store: None if (value := store.get(KEY)) is None else OrderRecord.from_json(value))

    def read_named(self) -> Any:
        """Return the value that a person has written under `NAMED_KEY`, or None.

        Raises:
            NotOrderedError: The value cannot be read.
        """
        return self._read(lambda store: store.get(NAMED_KEY))

    def _read(self, read: Callable[[TaskStateStore], T]) -> T | None:
        try:
            return None if self._store is None else read(self._store)
        except Exception as error:
            raise NotOrderedError(
                f"The record of earlier orders cannot be read from the task state store, so nothing was ordered now: "
                f"{type(error).__name__}: {error}",
                permanent=False,
            ) from error

    def delete_named(self) -> None:
        """Delete the value that `read_named` returns. A failure is logged: the record is more important."""
        if self._store is None:
            return
        try:
            self._store.delete(NAMED_KEY)
        except Exception:
            log.exception("%s could not be deleted from the task state store. Delete it by hand.", NAMED_KEY)

    def write(self, record: OrderRecord) -> None:
        """Write the record before an order is sent.

        Raises:
            NotOrderedError: The record cannot be written.
        """
        try:
            self._set(record)
        except Exception as error:
            raise NotOrderedError(
                f"The intent to order cannot be written to the task state store, so nothing was ordered: "
                f"{type(error).__name__}: {error}",
                permanent=False,
            ) from error

    def write_or_log(self, record: OrderRecord) -> None:
        """Write the record after an event. A failure is logged: it must not lose a video that was paid for."""
        try:
            self._set(record)
        except Exception:
            log.exception("Video %s: its record could not be written to the task state store", record.video_id)

    def _set(self, record: OrderRecord) -> None:
        if self._store is not None:
            self._store.set(KEY, record.to_json(), **never_expire())
