"""Run the Dags of `tests/dags` on a real Airflow, in this process."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DAGS = Path(__file__).parents[1] / "dags"


def dags_in(folder: Path) -> Mapping[str, Any]:
    """Return the Dags of a folder by ID. All its files must be importable."""
    # Airflow 3.1 moved the class
    moved = importlib.util.find_spec("airflow.dag_processing.dagbag")
    module = importlib.import_module("airflow.dag_processing.dagbag" if moved else "airflow.models.dagbag")
    bag = module.DagBag(str(folder))
    assert bag.import_errors == {}
    dags: Mapping[str, Any] = bag.dags
    return dags


def run(
    dag_id: str, conf: Mapping[str, Any] | None = None
) -> tuple[str, dict[tuple[str, int], str], Callable[[str], Any]]:
    """Run a Dag.

    Returns:
        The state of the run; the states of the task instances by task ID and map index; a function that returns the
        result of a task.
    """
    dag_run = dags_in(DAGS)[dag_id].test(run_conf=conf)
    instances = {(ti.task_id, ti.map_index): ti for ti in dag_run.get_task_instances()}
    states = {key: str(ti.state) for key, ti in instances.items()}

    def result(task_id: str) -> Any:
        return instances[task_id, -1].xcom_pull(task_ids=task_id)

    return str(dag_run.state), states, result


def clear(dag: Any, dag_run: Any) -> dict[tuple[str, int], str]:
    """Clear all tasks of a run, and run each once more, as `dag.test()` does (Airflow 3.3); return their states."""
    from airflow.models.taskinstance import clear_task_instances
    from airflow.sdk.definitions.dag import _run_task
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState

    with create_session() as session:
        clear_task_instances(dag_run.get_task_instances(session=session), session=session)
    for ti in dag_run.get_task_instances():
        with create_session() as session:
            ti.try_number += 1
            ti.state = TaskInstanceState.SCHEDULED
            session.merge(ti)
        _run_task(ti=ti, task=dag.task_dict[ti.task_id], run_triggerer=True)
    return {(ti.task_id, ti.map_index): str(ti.state) for ti in dag_run.get_task_instances()}
