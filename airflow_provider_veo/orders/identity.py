"""The identity of a task instance over all its tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_veo.utils.task_instance import Region, TaskInstance, find_region


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
        region: Place of the task instance in a task loop or an expansion; None if it has none.
        pass_index: Number of the pass of the task loop, from 0, as `{{ loop.index }}`; None outside of a loop.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    epoch: int
    try_number: int | None = None
    clear_number: int | None = None
    retries: int | None = None
    region: Region | None = None
    pass_index: int | None = None

    @classmethod
    def of(cls, ti: TaskInstance, dag_run: Any = None, task: Any = None, loop: Any = None) -> TaskIdentity:
        """Return the identity of the task instance of a context.

        Args:
            ti: Task instance of the context.
            dag_run: The Dag run; None where the context has none.
            task: The operator; None where the context has none.
            loop: The task loop, as Airflow 3.4 describes it in the context; None outside of a loop.
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
            region=find_region(ti),
            pass_index=_read_count(loop, "index"),
        )

    @property
    def key(self) -> str:
        """Text for idempotency keys: no two task instances have the same one."""
        place = (self.region.id, str(self.region.index)) if self.region else ()
        return "\0".join((self.dag_id, self.run_id, self.task_id, str(self.map_index), *place))

    def __str__(self) -> str:
        index = "" if self.map_index < 0 else f"[{self.map_index}]"
        of_loop = "" if self.pass_index is None else f", pass {self.pass_index}"
        return f"Dag {self.dag_id}, run {self.run_id}, task {self.task_id}{index}{of_loop}"


def _read_count(owner: Any, name: str) -> int | None:
    value = getattr(owner, name, None)
    return value if type(value) is int else None
