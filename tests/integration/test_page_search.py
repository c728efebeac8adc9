"""The search of the page through Airflow's database: its indexes, its limits, and the Dags that it reads."""

from __future__ import annotations

import json
import zlib
from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS

if not AIRFLOW_V_3_1_PLUS:
    pytest.skip("Airflow shows pages of plugins since 3.1", allow_module_level=True)

from airflow.sdk import DAG, task
from sqlalchemy import event, text, update

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.ui import dags, database, queries
from airflow_provider_veo.ui.queries import Filter
from airflow_provider_veo.ui.views import TaskKey
from tests.support import page_entries
from tests.support.page_plans import Plan, find_faults

EXPLAIN = "EXPLAIN QUERY PLAN"


@pytest.fixture(scope="module", autouse=True)
def tables():
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def session():
    from airflow.utils.session import create_session

    with create_session() as session:
        page_entries.empty(session)
        yield session
        session.rollback()
        page_entries.empty(session)


@pytest.fixture
def dag_ids(session):
    return {"videos", "other"}


REQUESTS = {
    "the first page": Filter(),
    "failed ones": Filter(status="failed"),
    "ones in progress": Filter(status="in_progress"),
    "one model": Filter(model="sora-9"),
    "one Dag": Filter(dag_id="videos"),
    "one task": Filter(dag_id="videos", task_id="create"),
    "one day": Filter(since=page_entries.START, until=page_entries.START + timedelta(1)),
    "further back": Filter(before=10),
}


def plans(session, work):
    """Return the plans of the statements that some work sends, as SQLite would run them."""
    asked = []
    connection = session.connection()

    def note(_connection, _cursor, statement, parameters, *_):
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    work(session)
    event.remove(connection, "before_cursor_execute", note)
    explained = [(sql, connection.exec_driver_sql(f"{EXPLAIN} {sql}", values)) for sql, values in asked]
    return [Plan(sql, [line for *_, line in rows]) for sql, rows in explained]


@pytest.mark.parametrize("has_statistics", [True, False])
@pytest.mark.parametrize("wanted", REQUESTS.values(), ids=REQUESTS)
def test_every_statement_of_a_page_uses_an_index(session, dag_ids, wanted, has_statistics):
    _fill(session, has_statistics)
    found = plans(session, lambda session: queries.read_newest(session, dag_ids, wanted, 1))
    assert len(found) >= 2
    assert find_faults(found) == []


@pytest.mark.parametrize("has_statistics", [True, False])
@pytest.mark.parametrize("wanted", [Filter(), REQUESTS["one Dag"], REQUESTS["one day"]], ids=["all", "Dag", "day"])
def test_every_statement_of_the_totals_uses_an_index(session, dag_ids, wanted, has_statistics):
    _fill(session, has_statistics)
    assert find_faults(plans(session, lambda session: queries.count_groups(session, dag_ids, wanted))) == []


def test_every_statement_of_a_task_uses_an_index(session):
    _fill(session, has_statistics=True)
    key = TaskKey("videos", "r0", "create", 3)

    def work(session):
        row = queries.read_task(session, key)
        assert row is not None
        queries.read_stored_by_others(session, [row])

    assert find_faults(plans(session, work)) == []


def _fill(session, has_statistics):
    page_entries.add_tasks(session, 600, per_run=6)
    page_entries.add_tasks(session, 20, dag_id="other", per_run=1)
    session.execute(text("ANALYZE" if has_statistics else "DROP TABLE IF EXISTS sqlite_stat1"))
    session.commit()


def test_a_search_without_time_says_how_far_it_came_and_can_go_on(session, dag_ids, monkeypatch):
    page_entries.add_tasks(session, 40, per_run=1)
    monkeypatch.setattr(queries, "SEARCH_SECONDS", 0)
    monkeypatch.setattr(queries, "FEW_RUNS", 7)
    before, found, dates = None, [], []
    while True:
        page = queries.read_newest(session, dag_ids, Filter(status="failed", before=before), 1)
        found += [row.run_id for row in page.rows]
        dates.append(page.extent.until)
        if page.extent.is_whole:
            break
        before = page.extent.last
    assert found == [f"r{n}" for n in range(39, -1, -1) if page_entries.STATES[n % 5] == "failed"]
    assert len(dates) == 6
    assert dates == sorted(dates, reverse=True)


def test_totals_without_time_are_those_of_the_newest_runs(session, dag_ids, monkeypatch):
    page_entries.add_tasks(session, 40, per_run=1)
    monkeypatch.setattr(queries, "SEARCH_SECONDS", 0)
    monkeypatch.setattr(queries, "MANY_RUNS", 15)
    groups, extent = queries.count_groups(session, dag_ids, Filter())
    assert sum(group.tasks for group in groups) == 15
    assert extent.until == page_entries.START + timedelta(minutes=10 * 25)
    assert not extent.is_whole


def test_a_search_whose_step_is_too_slow_shows_what_it_has_found(session, dag_ids, monkeypatch):
    page_entries.add_tasks(session, 40, per_run=1)
    monkeypatch.setattr(queries, "FEW_RUNS", 7)
    find, steps = queries._find_orders, []

    def find_once(*arguments):
        steps.append(arguments)
        if len(steps) > 1:
            raise database.TooSlowError
        return find(*arguments)

    monkeypatch.setattr(queries, "_find_orders", find_once)
    page = queries.read_newest(session, dag_ids, Filter(), 1)
    assert [row.run_id for row in page.rows] == [f"r{n}" for n in range(39, 32, -1)]
    assert (page.more, page.extent.is_whole) == (False, False)


FOR_EVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_the_database_gives_up_a_statement_that_is_too_slow(session, monkeypatch):
    monkeypatch.setattr(database, "STATEMENT_SECONDS", 0.05)
    with pytest.raises(database.TooSlowError), database.open_session() as limited:
        limited.execute(text(FOR_EVER))
    # the same connection has no limit afterwards
    few = FOR_EVER.replace("FROM n)", "FROM n WHERE i < 1000000)")
    monkeypatch.setattr(database, "STATEMENT_SECONDS", -1)
    assert session.execute(text(few)).scalar() == 1_000_000


def test_other_errors_of_the_database_keep_their_type():
    from sqlalchemy.exc import OperationalError

    with pytest.raises(OperationalError), database.open_session() as limited:
        limited.execute(text("SELECT * FROM no_such_table"))


class MyCreate(VeoCreateVideoOperator):
    pass


def serialized(make):
    """Return a Dag as Airflow stores it."""
    from airflow.serialization import serialized_objects

    serializer = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
        make()
    return serializer.to_dict(dag)


def _plain():
    VeoCreateVideoOperator(task_id="create", prompt="p")


def _mapped_subclass():
    MyCreate.partial(task_id="create").expand(prompt=["p", "q"])


def _decorated():
    @task.veo_video
    def create():
        return "p"

    create()


def _foreign():
    @task
    def create():
        return "veo_link"

    create()


@pytest.mark.parametrize(
    ("make", "is_ours"), [(_plain, True), (_mapped_subclass, True), (_decorated, True), (_foreign, False)]
)
@pytest.mark.parametrize("is_compressed", [False, True])
def test_dags_are_found_by_their_tasks(session, make, is_ours, is_compressed):
    page_entries.add_dag(session, "d", serialized(make))
    if is_compressed:
        packed = zlib.compress(json.dumps(serialized(make)).encode())
        session.execute(update(page_entries.SerializedDagModel).values(_data=None, _data_compressed=packed))
    session.commit()
    assert dags.read_dags_of_provider(session) == ({"d"} if is_ours else set())


def test_a_dag_that_has_got_a_task_of_this_provider_is_found(session):
    page_entries.add_dag(session, "d", serialized(_foreign))
    session.commit()
    assert dags.read_dags_of_provider(session) == set()
    later = datetime.now(timezone.utc) + timedelta(seconds=1)
    session.execute(update(page_entries.SerializedDagModel).values(_data=serialized(_plain), last_updated=later))
    session.commit()
    assert dags.read_dags_of_provider(session) == {"d"}


def test_a_dag_that_could_not_be_read_yet_may_be_one_of_this_provider(session, monkeypatch):
    page_entries.add_dag(session, "d", serialized(_foreign))
    session.commit()
    monkeypatch.setattr(dags, "READING_SECONDS", 0)
    assert dags.read_dags_of_provider(session) == {"d"}
