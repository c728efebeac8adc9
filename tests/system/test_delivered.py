"""A video counts as delivered when its task succeeds: tests on a real scheduler, with killed processes and clears."""

from __future__ import annotations

from collections import Counter

from tests.support.airflow_version import TASK_INSTANCES


def clear(system, dag_id, run_id):
    """Clear all tasks of a run, and wait until it has succeeded again."""
    body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False}
    system.lab.request("POST", f"/dags/{dag_id}/clearTaskInstances", body)
    assert system.until_over(dag_id, run_id) == "success", system.all_logs(dag_id, run_id)


def orders(system, run_id):
    """Return the number of tasks of a run, by the number of their orders."""
    jobs = [job for job in system.gateways["veo_plain"].jobs.all() if job.prompt.startswith(run_id)]
    return Counter(Counter(job.prompt for job in jobs).values())


def test_tasks_that_fail_after_storing_order_once(system, tmp_path):
    """The tasks are killed, or fail in their name or in `post_execute`. A retry collects, and a later clear orders."""
    ways = ["sigkill", "template", "post_execute"]
    run_id = system.start("failing_afterwards", ways=ways, times=1, folder=str(tmp_path))
    assert system.until_over("failing_afterwards", run_id) == "success"
    assert orders(system, run_id) == {1: 7}
    tries = system.sql(f"select try_number from {TASK_INSTANCES} where run_id = '{run_id}'")
    assert min(tries) == (2,), "a task did not fail"
    clear(system, "failing_afterwards", run_id)
    assert orders(system, run_id) == {2: 7}


def test_after_an_unrecorded_success_the_first_clear_does_not_order(system):
    """A task is killed before it records its delivery, or a person marks it as a success."""
    killed = system.start("crashing", point="before delivery", on_unknown="fail")
    with system.held("veo_plain"):
        marked = system.start("deferred")
        system.wait_until("the first answer", lambda: "after the order" in system.log("deferred", marked))
        state = {"new_state": "success"}
        system.lab.request("PATCH", f"/dags/deferred/dagRuns/{marked}/taskInstances/create", state)
    for dag_id, run_id in {"crashing": killed, "deferred": marked}.items():
        assert system.until_over(dag_id, run_id) == "success"
        clear(system, dag_id, run_id)
        assert orders(system, run_id) == {1: 1}, system.all_logs(dag_id, run_id)
        assert "another clear orders a new video" in system.log(dag_id, run_id)
        clear(system, dag_id, run_id)
        assert orders(system, run_id) == {2: 1}
