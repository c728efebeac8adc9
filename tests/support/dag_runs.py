"""Runs the Dags of `tests/dags` on a real Airflow, in this process."""

from __future__ import annotations

from pathlib import Path

DAGS = Path(__file__).parents[1] / "dags"


def dags_in(folder):
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.1
        from airflow.models.dagbag import DagBag
    bag = DagBag(str(folder))
    assert bag.import_errors == {}
    return bag.dags


def run(dag_id, conf=None):
    """Run a Dag; return the state of the run, the states of the tasks, and a function that reads XComs."""
    dag_run = dags_in(DAGS)[dag_id].test(run_conf=conf)
    instances = {(ti.task_id, ti.map_index): ti for ti in dag_run.get_task_instances()}
    states = {key: str(ti.state) for key, ti in instances.items()}

    def result(task_id):
        return instances[task_id, -1].xcom_pull(task_ids=task_id)

    return str(dag_run.state), states, result


def clear(dag, dag_run):
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
