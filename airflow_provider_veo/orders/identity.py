"""The identity of a task instance over all its tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_veo.utils.task_instance import TaskInstance


@dataclass(frozen=True)
class TaskIdentity:
    """A task instance over all its tries.

    Attributes:
        dag_id: ID of the Dag.
        run_id: ID of the Dag run.
        task_id: ID of the task, with the ID of its group.
        map_index: Index of a mapped task instance; -1 for a task that is not mapped.
        epoch: The task instance's `max_tries`. It is the same in all retries, and another one after a clear.
        try_number: Number of this try; None if Airflow does not report it.
        clear_number: Number of clears that the Dag run has seen; None if Airflow does not report it.
        retries: Number of retries that the Dag gives the task now; None if it is not known.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    epoch: int
    try_number: int | None = None
    clear_number: int | None = None
    retries: int | None = None

    @classmethod
    def of(cls, ti: TaskInstance, dag_run: Any = None, task: Any = None) -> TaskIdentity:
        """Return the identity of the task instance of a context.

        Args:
            ti: Task instance of the context.
            dag_run: The Dag run; None where the context has none.
            task: The operator; None where the context has none.
        """
        return cls(
            ti.dag_id,
            ti.run_id,
            ti.task_id,
            ti.map_index,
            ti.max_tries or 0,
            try_number=_read_count(ti, "try_number"),
            clear_number=_read_count(dag_run, "clear_number"),
            retries=_read_count(task, "retries"),
        )

    @property
    def key(self) -> str:
        """Text for idempotency keys: no two task instances have the same one."""
        return "\0".join((self.dag_id, self.run_id, self.task_id, str(self.map_index)))

    def __str__(self) -> str:
        index = "" if self.map_index < 0 else f"[{self.map_index}]"
        return f"Dag {self.dag_id}, run {self.run_id}, task {self.task_id}{index}"


def _read_count(owner: Any, name: str) -> int | None:
    value = getattr(owner, name, None)
    return value if type(value) is int else None
