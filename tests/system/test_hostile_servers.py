"""Hostile servers and a real Airflow: no process dies, no task orders twice, and no key is stored.

All tasks run once, at the same time; the tests check the results.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from dev.airflow_lab import AirflowLab
from tests.support.airflow_version import TASK_INSTANCES
from tests.support.hostile_gateway import (
    DEADLINES,
    ECHOED,
    KEY,
    KEY_OF_OTHER_LETTERS,
    LATE,
    PAID,
    POISONED,
    SECRET_WORDS,
    Case,
    Cases,
    HostileGateway,
)
from tests.support.hostile_runs import INNOCENT, OVER, SENSOR, HostileRuns, tables
from tests.support.key_spellings import files_with, is_in, rows_with, spellings

CASES = Cases(
    {
        "hostile_words": POISONED,
        "hostile_waits": LATE,
        "hostile_deadlines": DEADLINES,
        "hostile_orders": PAID,
        "hostile_echoes": ECHOED,
        INNOCENT: {"create": Case(end="success")},
    }
)
HOSTILE = tuple(dag_id for dag_id in CASES.by_dag if dag_id != INNOCENT)
WAITING = "hostile_waits"  # its tasks wait for another try
ALL = [(dag_id, task_id) for dag_id in HOSTILE for task_id in CASES.by_dag[dag_id]]
ENDS = {"success", "failed", "up_for_retry"}
TRIGGERS = f"select task_id, classpath, kwargs from trigger join {TASK_INSTANCES} on trigger.id = trigger_id"
EVENTS = f"select dag_id, task_id, next_kwargs from {TASK_INSTANCES} where next_kwargs is not null"
RETRIES = f"select task_id, state, end_date, retry_delay_override from {TASK_INSTANCES} where dag_id = '{WAITING}'"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    storage = tmp_path_factory.mktemp("videos")
    settings = {
        "AIRFLOW__VEO__STORAGE": str(storage),
        # so that the arguments of triggers can be read in the database
        "AIRFLOW__CORE__FERNET_KEY": "",
        "PYTHONUNBUFFERED": "1",  # Airflow's own log is read while it is written
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow_provider_veo=DEBUG httpx=DEBUG httpcore=DEBUG",
    }
    with HostileGateway(CASES) as server:
        connections = {**server.connections(), "files": {"conn_type": "fs"}}
        dags = Path(__file__).parent / "hostile_dags"
        with AirflowLab(dags, connections, settings | CASES.environment()) as lab:

            def sql(query):
                with sqlite3.connect(f"file:{lab.home}/airflow.db?mode=ro", uri=True, timeout=60) as database:
                    database.text_factory = lambda text: text.decode(errors="replace")
                    return database.execute(query).fetchall()

            runs = HostileRuns(lab, sql)
            runs.server, runs.storage = server, storage
            yield runs


@pytest.fixture(scope="module")
def left(runs, tmp_path_factory):
    """Run all tasks, and return their states and the rows that they have left in the database."""
    awaited = tmp_path_factory.mktemp("innocent") / "awaited"
    runs.start(SENSOR, file=str(awaited))
    for dag_id in CASES.by_dag:
        runs.start(dag_id)
    runs.wait_until("all orders", {"deferred", *ENDS})
    triggers = runs.sql(TRIGGERS)
    with runs.hold_events():
        for dag_id in ("hostile_waits", "hostile_echoes", "hostile_words"):
            runs.server.release(dag_id)
            runs.wait_until(f"the triggers of {dag_id}", {"scheduled", *ENDS}, dag_id)
        events = runs.sql(EVENTS)
    runs.wait_until("the hostile tasks", OVER, *(dag_id for dag_id in HOSTILE if dag_id != WAITING))
    runs.wait_until("the tasks that wait", ENDS, WAITING)
    runs.server.release(INNOCENT)
    awaited.touch()
    runs.wait_until("the innocent tasks", OVER, INNOCENT, SENSOR)
    catalogue = "select name from sqlite_master where type = 'table'"
    return SimpleNamespace(
        states=runs.tasks(),
        triggers=triggers,
        events=events,
        tables=tables(runs.sql, catalogue),
        retries={task_id: facts for task_id, *facts in runs.sql(RETRIES)},
        health=runs.health(),
    )


def test_the_triggerer_survives_all_answers(runs, left):
    assert runs.triggerers_live, runs.log_of_triggerers()


def test_airflow_stays_healthy(runs, left):
    assert set(left.health.values()) == {"healthy"}, left.health
    assert "OverflowError" not in runs.lab.log.read_text(errors="replace")


def test_tasks_with_good_servers_on_the_same_triggerer_finish(left):
    assert (left.states[SENSOR, "wait"], left.states[INNOCENT, "create"]) == ("success", "success")


def test_each_task_ends_as_expected(runs, left):
    wrong = {
        (dag_id, task_id): (state, case.end)
        for dag_id, cases in CASES.by_dag.items()
        for task_id, case in cases.items()
        if (state := left.states[dag_id, task_id]) not in ((case.end,) if case.end else OVER)
    }
    assert wrong == {}


def test_each_task_sends_one_order(runs, left):
    """Three retries send no other order. A task whose key is refused beforehand sends none."""
    wrong = {
        (dag_id, task_id): runs.server.orders[dag_id, task_id]
        for dag_id in HOSTILE
        for task_id, case in CASES.by_dag[dag_id].items()
        if runs.server.orders[dag_id, task_id] != 1 and case.conn_id != "hostile_letters"
    }
    assert wrong == {}


def test_the_log_holds_the_reason(runs, left):
    said = {
        (dag_id, task_id): case.says
        for dag_id in HOSTILE
        for task_id, case in CASES.by_dag[dag_id].items()
        if case.says not in runs.log(dag_id, task_id)
    }
    assert said == {}


@pytest.mark.parametrize("task_id", LATE)
def test_the_next_try_begins_within_an_hour(left, task_id):
    state, end_date, delay = left.retries[task_id]
    assert state == "up_for_retry"
    assert delay is not None, "the delay that the server asked for is ignored"
    assert delay <= 3600, f"{delay} s after {end_date}"
    assert datetime.fromisoformat(str(end_date)) + timedelta(seconds=delay)


def test_no_prompt_is_in_a_trigger_row(left):
    assert len(left.triggers) > 20
    assert [row for row in left.triggers if SECRET_WORDS in str(row)] == []


def test_the_texts_of_the_server_have_arrived(runs, left):
    """Without these texts, the next tests would prove little."""
    with_echoes = [task_id for task_id in ECHOED if "echo-of-the-key" in runs.log("hostile_echoes", task_id)]
    assert len(with_echoes) > 10
    assert any("echo-of-the-key" in str(row) for row in left.events)


def test_no_key_is_in_a_file(runs, left):
    assert len(list(runs.lab.home.rglob("*.log"))) > len(ALL)
    assert len(list(runs.storage.rglob("*.json"))) > 5
    assert files_with(KEY, runs.lab.home, runs.storage) == []


def test_no_key_is_in_the_database(left):
    assert left.tables["xcom"]
    assert rows_with(KEY, left.tables) == []


def test_no_key_is_in_an_event_or_a_trigger_row(left):
    assert left.events
    assert rows_with(KEY, {"trigger": left.triggers, "event": left.events}) == []


def test_a_key_of_unusual_characters_is_in_no_file_and_no_table(runs, left):
    assert files_with(KEY_OF_OTHER_LETTERS, runs.lab.home) == []
    assert rows_with(KEY_OF_OTHER_LETTERS, left.tables) == []


@pytest.mark.parametrize(("name", "spelled"), spellings(KEY).items())
def test_the_search_finds_each_spelling(tmp_path, name, spelled):
    (tmp_path / "a.log").write_text(f"one line\nthe key {spelled[:-2]}… is here\n")
    assert len(files_with(KEY, tmp_path)) == 1, name
    assert len(rows_with(KEY, {"xcom": [(1, f'{{"error": "{spelled}"}}'.encode(), None)]})) == 1, name
    assert not is_in(KEY, "sk-***")
