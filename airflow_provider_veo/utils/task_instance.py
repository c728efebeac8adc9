"""The parts of Airflow's task instance, and of its logger, that this provider uses."""

from __future__ import annotations

from typing import Any, Protocol


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
