"""The order record of a task, which outlives its tries: in Airflow's task state store, and in the order files.

The order files are there where Airflow's store is missing or forgets; see `order_files`. The users of `OrderStore` need
not know where a record is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from airflow_provider_veo.api.errors import NotOrderedError, VeoError
from airflow_provider_veo.orders.order_files import OrderFiles
from airflow_provider_veo.orders.record import OrderRecord, State
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
        store: Airflow's task state store; None before Airflow 3.3.
        files: The order files of the task instance; None if it keeps none.
    """

    def __init__(self, store: TaskStateStore | None, files: OrderFiles | None = None) -> None:
        self._store = store
        self._files = files
        self._is_of_files = False

    @property
    def is_there(self) -> bool:
        """Whether this Airflow has a task state store."""
        return self._store is not None

    @property
    def remembers(self) -> bool:
        """Whether a retry finds the record of this try."""
        return self._store is not None or self._files is not None

    @property
    def is_of_files(self) -> bool:
        """Whether the record that `read` has returned last comes from the order files."""
        return self._is_of_files

    def read(self) -> OrderRecord | None:
        """Return the record, or None if there is none.

        Raises:
            NotOrderedError: The record cannot be read; it may exist.
            InvalidInputError: `[veo] storage` is wrong.
        """
        in_store = self._read(lambda store: None if (value := store.get(KEY)) is None else OrderRecord.from_json(value))
        found = in_store if self._files is None else self._compare_with_files(self._files, in_store)
        self._is_of_files = found is not None and found is not in_store and found.entry is not None
        return found

    def _compare_with_files(self, files: OrderFiles, in_store: OrderRecord | None) -> OrderRecord | None:
        """Return the later one of the record in Airflow's store and the record in the order files.

        Airflow's store has every change. It is behind if it could not be written after a request, if a late try has
        written to it, or if the process ended before it was written.
        """
        try:
            if in_store is None:
                return files.find_latest()
            if in_store.entry is None:
                return in_store
            if not files.has(in_store.entry):  # the storage or the name of the installation was changed
                return replace(in_store, entry=None)
            if later := files.find_latest(after=in_store.entry):
                return later
            known = files.read(in_store.entry) if in_store.is_unknown else None
        except VeoError as error:
            if in_store is None or not in_store.has_job:
                raise
            log.warning("The task continues with the record in the task state store. %s", error)
            return in_store
        return known if known and not known.is_unknown else in_store

    def find_unfinished(self) -> str | None:
        """Return the ID of a job in Airflow's store that is paid for, and whose video is not delivered; or None.

        This never fails, and does not look into the order files, since the storage may be the thing that has failed.
        """
        try:
            value = None if self._store is None else self._store.get(KEY)
            record = None if value is None else OrderRecord.from_json(value)
        except Exception:
            log.debug("The record of earlier orders cannot be read", exc_info=True)
            return None
        return record.video_id if record and record.state in (State.SUBMITTED, State.STORED) else None

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

    def write(self, record: OrderRecord) -> OrderRecord:
        """Write the record before an order is sent.

        An intent becomes a new order in the order files first. Only the try that has made its file goes on.

        Args:
            record: Record of the order.

        Returns:
            The record as it was written: with its number in the order files.

        Raises:
            NotOrderedError: The record cannot be written, or another try is about to order.
            InvalidInputError: `[veo] storage` is wrong.
        """
        is_intent = record.state is State.INTENT
        if not is_intent:
            record = self._enter(record)
        elif self._files is not None:
            record = self._files.begin(record)
        try:
            self._set(record)
        except Exception as error:
            if is_intent:
                self._add_to_files(record.as_refused())  # nothing was sent
            raise NotOrderedError(
                f"The intent to order cannot be written to the task state store, so nothing was ordered: "
                f"{type(error).__name__}: {error}",
                permanent=False,
            ) from error
        if not is_intent:
            self._add_to_files(record)
        return record

    def write_or_log(self, record: OrderRecord) -> OrderRecord:
        """Write the record after an event. A failure is logged: it must not lose a video that was paid for.

        Args:
            record: Record of the order.

        Returns:
            The record as it was written: with its number in the order files.
        """
        record = self._enter(record)
        try:
            self._set(record)
        except Exception:
            log.exception("Video %s: its record could not be written to the task state store", record.video_id)
        self._add_to_files(record)
        return record

    def _enter(self, record: OrderRecord) -> OrderRecord:
        """Return a record with a number in the order files. Airflow 3.3 has none, and its orders outlive an upgrade."""
        if self._files is None or record.entry is not None or record.state not in (State.SUBMITTED, State.STORED):
            return record
        try:
            return self._files.begin(record)
        except VeoError as error:
            log.warning("Video %s is in no order file yet. %s", record.video_id, error)
            return record

    def _set(self, record: OrderRecord) -> None:
        if self._store is not None:
            self._store.set(KEY, record.to_json(), **never_expire())

    def _add_to_files(self, record: OrderRecord) -> None:
        if self._files is None:
            return
        try:
            self._files.add(record)
        except Exception:
            log.exception("Video %s: its record could not be written to the order files", record.video_id)
