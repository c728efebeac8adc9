"""The parts of Airflow's task instance, and of its logger, that this provider uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID


class TaskInstanceKey(Protocol):
    """The names that identify a task instance in Airflow.

    Attributes:
        dag_id: ID of the Dag.
        run_id: ID of the Dag run.
        task_id: ID of the task, with the ID of its group.
        map_index: Index of a mapped task instance; -1 for a task that is not mapped.
    """

    @property
    def dag_id(self) -> str: ...

    @property
    def run_id(self) -> str: ...

    @property
    def task_id(self) -> str: ...

    @property
    def map_index(self) -> int: ...


@dataclass(frozen=True)
class Region:
    """The place of a task instance in a task loop or in an expansion (Airflow 3.4 and later).

    Two task instances of one run, one task and one map index have different places: two passes of a loop have different
    indexes, and a pass that is repeated after a clear of the loop's gate has another region.

    Attributes:
        id: UUID of the region.
        index: Index within the region: the number of the pass, or the map index of a mapped task instance.
    """

    id: str
    index: int


def find_region(ti: TaskInstanceKey) -> Region | None:
    """Return the place of a task instance; None before Airflow 3.4, and outside of loops and expansions.

    Args:
        ti: Task instance of a context or of a trigger.
    """
    region_id = getattr(ti, "region_id", None)  # the UUID 0 in a task, and None in a trigger, mean that there is none
    index = getattr(ti, "region_index", None)
    if region_id is None or index is None or not UUID(str(region_id)).int:
        return None
    return Region(str(region_id), index)


class TaskInstance(TaskInstanceKey, Protocol):
    """The task instance in the context of a running task.

    Attributes:
        max_tries: Number of the last try that Airflow makes; None if Airflow does not report it.
    """

    @property
    def max_tries(self) -> int | None: ...

    def xcom_push(self, key: str, value: Any) -> None: ...

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any: ...


class TaskLog(Protocol):
    """The logger of a task: one of Python's, or one of Airflow's own kind since Airflow 3."""

    def info(self, message: str, /, *args: Any) -> Any: ...

    def warning(self, message: str, /, *args: Any, exc_info: bool = False) -> Any: ...

    def exception(self, message: str, /, *args: Any) -> Any: ...
