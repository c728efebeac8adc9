"""The order files of a task instance: a second record of its orders, in `[veo] storage`.

Airflow before 3.3 has no task state store, and a clear in Airflow 3.4 empties it. Without another record, the task
would order again although a video is paid for and not delivered.

Each task instance has a folder, `_veo/orders/<name>/`. A file in it holds the record of one order at one moment:

- `<n>.intent` is made before the request is sent. Of two tries at the same time, only one can make it.
- `<n>.job`, `<n>.job-2`, ... are made after the server has answered, and after each later event.
- `<n>.done` is made when the order is over: refused, lost or delivered.

A file is made once; nothing changes or removes it. So a try that Airflow has given up for dead can damage nothing. The
orders are counted from 0, and found by asking for their names in turn: a listing needs more rights, and may be late.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import count
from typing import Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_veo import version_compat
from airflow_provider_veo.api.answers.answer import is_usable_id
from airflow_provider_veo.api.errors import InvalidInputError, NotOrderedError
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.record import OrderRecord, State
from airflow_provider_veo.storage.destinations import read_folder
from airflow_provider_veo.storage.errors import text_of
from airflow_provider_veo.storage.names import OURS, clean_beginning
from airflow_provider_veo.storage.targets import Target

_LONGEST_LABEL = 60  # letters of the name of a folder, for people
_MOST_BYTES = 2**18  # of a file: far more than a record has
_OVER = (State.REFUSED, State.LOST, State.DELIVERED)


def are_kept() -> bool:
    """Return whether tasks keep order files: Airflow has no task state store or empties it, and a storage is set."""
    return not version_compat.CLEAR_KEEPS_TASK_STATE and bool(_read_option("veo", "storage"))


def read_installation() -> str:
    """Return the name of this installation of Airflow, which may share its storage with others."""
    of_airflow = "api" if version_compat.AIRFLOW_V_3_0_PLUS else "webserver"
    return _read_option("veo", "installation") or _read_option(of_airflow, "base_url").rstrip("/")


def name_folder(installation: str, task: TaskIdentity) -> str:
    """Return the name of a task instance's folder, which no other task instance has.

    The region is no part of it: a clear of an earlier task of a task loop gives the task instance another region.

    Args:
        installation: Name of the installation of Airflow.
        task: Identity of the task instance.
    """
    parts = (installation, task.dag_id, task.run_id, task.task_id, str(task.pass_index), str(task.map_index))
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{clean_beginning(f'{task.dag_id}.{task.task_id}', _LONGEST_LABEL)}~{digest}"


class OrderFiles:
    """The order files of one task instance.

    Args:
        task: Identity of the task instance.
    """

    def __init__(self, task: TaskIdentity) -> None:
        self._task = task
        self._latest: int | None = None  # number of the latest order that this process knows of; -1 if there is none
        self._moments: dict[int, int] = {}  # number of the next file `.job` of an order

    def find_latest(self, after: int = -1) -> OrderRecord | None:
        """Return the latest record of the latest order; None if there is none.

        Args:
            after: Number of an order. Only later ones count.

        Raises:
            NotOrderedError: The storage cannot be read.
            InvalidInputError: `[veo] storage` is wrong.
        """
        with self._before_order("read"):
            found = after
            while self._target(f"{found + 1}.intent").exists():
                found += 1
            self._latest = found
            return self._read_order(found) if found > after else None

    def read(self, entry: int) -> OrderRecord | None:
        """Return the latest record of an order; None if there is none.

        Args:
            entry: Number of the order.

        Raises:
            NotOrderedError: The storage cannot be read.
            InvalidInputError: `[veo] storage` is wrong.
        """
        with self._before_order("read"):
            return self._read_order(entry)

    def begin(self, record: OrderRecord) -> OrderRecord:
        """Return the record of a new order with its number, after it was written.

        Args:
            record: Record of the order, without a number.

        Raises:
            NotOrderedError: Another try has begun an order at the same time, or the storage cannot be written.
            InvalidInputError: `[veo] storage` is wrong.
        """
        if self._latest is None:
            self.find_latest()
        entry = (-1 if self._latest is None else self._latest) + 1
        begun = replace(record, entry=entry)
        with self._before_order("written"):
            if self._create_alone(f"{entry}.intent", begun):
                self._latest = entry
                return begun
        raise NotOrderedError(
            "Another try of this task has begun an order at the same time, so this one has ordered nothing. A retry "
            "continues with that order.",
            permanent=False,
        )

    def add(self, record: OrderRecord) -> None:
        """Write the record of an order after an event.

        Args:
            record: Record of the order, with its number.

        Raises:
            Exception: The storage does not take the file. Drivers raise exceptions of any class.
        """
        if record.entry is None:
            return
        if record.state in _OVER:
            self._create(f"{record.entry}.done", record)  # only the first end counts
            return
        for moment in count(self._moments.get(record.entry, 1)):
            if self._create(_name_moment(record.entry, moment), record):
                self._moments[record.entry] = moment + 1
                return

    @cached_property
    def _folder(self) -> Target:
        storage = read_folder("storage")
        if storage is None:
            raise InvalidInputError("[veo] storage is empty, so this task can keep no order files.")
        return storage.below(OURS, "orders", name_folder(read_installation(), self._task))

    def _target(self, name: str) -> Target:
        return self._folder.below(name)

    @contextmanager
    def _before_order(self, verb: str) -> Iterator[None]:
        try:
            yield
        except InvalidInputError:
            raise
        except Exception as error:  # storage drivers raise exceptions of any class
            raise NotOrderedError(
                f"The order files of this task cannot be {verb}, so nothing was ordered now: {text_of(error)}. They "
                f"are in {self._folder}. Correct the storage, then retry or clear the task.",
                permanent=False,
            ) from error

    def _read_order(self, entry: int) -> OrderRecord | None:
        if done := self._read_record(f"{entry}.done", entry):
            return done
        latest = None
        for moment in count(1):
            self._moments[entry] = moment
            if (found := self._read_record(_name_moment(entry, moment), entry)) is None:
                break
            latest = found
        return latest or self._read_record(f"{entry}.intent", entry)

    def _read_record(self, name: str, entry: int) -> OrderRecord | None:
        target = self._target(name)
        if not target.exists():
            return None
        record = OrderRecord.from_json(_read_json(target))
        if record.video_id is not None and not is_usable_id(record.video_id):
            raise ValueError(f"{target} names a job by an id that no job has")
        return replace(record, entry=entry)

    def _create(self, name: str, record: OrderRecord, nonce: str = "") -> bool:
        """Create a file, and return whether it was absent."""
        content = json.dumps({"nonce": nonce} | record.to_json()).encode()
        try:
            with self._target(name).staged(replace=False) as part:
                part.write_bytes(content)
        except FileExistsError:
            return False
        return True

    def _create_alone(self, name: str, record: OrderRecord) -> bool:
        """Create a file that only one of several processes may create, and return whether this process is the one.

        The file is read back. Some storages do not refuse a file that exists, and a driver may repeat a request that
        has created the file, and then report that the file exists.
        """
        nonce = secrets.token_hex(16)
        try:
            self._create(name, record, nonce)
        except Exception:
            if not self._target(name).exists():
                raise
        return bool(_read_json(self._target(name)).get("nonce") == nonce)


def _name_moment(entry: int, moment: int) -> str:
    return f"{entry}.job" + (f"-{moment}" if moment > 1 else "")


def _read_json(target: Target) -> dict[str, Any]:
    with target.open() as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{target} is too large for an order file")
    value = json.loads(content)
    if not isinstance(value, dict):
        raise TypeError(f"{target} is no order file")
    return value


def _read_option(section: str, name: str) -> str:
    return (conf.get(section, name, fallback=None) or "").strip()
