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
