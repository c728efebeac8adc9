"""Odd texts of servers in a PostgreSQL database, which takes neither half an emoji nor NUL: no process dies.

The tests use the Airflow of `test_losses`, and delete their runs at the end.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.support.hostile_runs import INNOCENT, OVER, SENSOR, HostileRuns

POISONED = "hostile_words"


@pytest.fixture(scope="module")
def runs(cluster):
    runs = HostileRuns(cluster.lab, cluster.sql)
    yield runs
    runs.delete(cluster.storage)


@pytest.fixture(scope="module")
def left(cluster, runs, tmp_path_factory):
    """Run all tasks, and return their states."""
    awaited = tmp_path_factory.mktemp("innocent") / "awaited"
    runs.start(SENSOR, file=str(awaited))
    for dag_id in (POISONED, INNOCENT):
        runs.start(dag_id)
    runs.wait_until("all orders", {"deferred", *OVER})
    cluster.hostile.release(POISONED)
    runs.wait_until("the poisoned tasks", OVER, POISONED)
    cluster.hostile.release(INNOCENT)
    awaited.touch()
    runs.wait_until("the innocent tasks", OVER, INNOCENT, SENSOR)
    return SimpleNamespace(states=runs.tasks(), health=runs.health())


def test_the_triggerers_survive_all_answers(runs, left):
    assert runs.triggerers_live, runs.log_of_triggerers()
    assert set(left.health.values()) == {"healthy"}, left.health


def test_tasks_with_good_servers_on_the_same_triggerers_finish(left):
    assert (left.states[SENSOR, "wait"], left.states[INNOCENT, "create"]) == ("success", "success")


def test_each_task_sends_one_order_and_ends_as_expected(cluster, left):
    cases = cluster.hostile.cases.by_dag[POISONED]
    assert {task_id: left.states[POISONED, task_id] for task_id in cases} == {
        task_id: case.end for task_id, case in cases.items()
    }
    assert {task_id: cluster.hostile.orders[POISONED, task_id] for task_id in cases} == dict.fromkeys(cases, 1)
