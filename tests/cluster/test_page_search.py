"""The search of the page on PostgreSQL: it uses the indexes of Airflow's tables, and ends in time."""

from __future__ import annotations

import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

from airflow_provider_veo.ui import dags, database, queries
from airflow_provider_veo.ui.queries import Filter
from tests.cluster.services import PostgreSQL
from tests.support import page_database, page_entries
from tests.support.page_plans import find_faults_of_postgresql

ORDERS = 20_000
VIDEOS = {f"videos_{number}" for number in range(page_database.DAGS)}
DAY = Filter(since=page_entries.START)
FILTERS = [Filter(), Filter(status="failed"), Filter(status="in_progress"), Filter(model="sora-9"), DAY]
FILTERS += [Filter(dag_id="videos_1"), Filter(dag_id="videos_1", task_id="create"), Filter(before=1000)]


@pytest.fixture(scope="module")
def engine():
    if PostgreSQL.program() is None:
        pytest.skip(f"PostgreSQL is missing. On Debian: apt install {PostgreSQL.name}")
    with PostgreSQL() as server:
        engine = create_engine(server.url)
        import_all_models()
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            page_database.fill(session, ORDERS)
        yield engine
        engine.dispose()


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session


def faults(session, work):
    """Return the faults in the plans of the statements that some work sends."""
    asked = []
    connection = session.connection()

    def note(_connection, _cursor, statement, parameters, *_):
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    work()
    event.remove(connection, "before_cursor_execute", note)
    found = []
    for sql, values in asked:
        if sql.startswith("SELECT"):
            (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", values).scalar_one()
            found += [f"{fault} in {sql}" for fault in find_faults_of_postgresql(plan["Plan"])]
    return found


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_every_statement_of_a_page_uses_an_index(session, wanted):
    assert faults(session, lambda: queries.read_newest(session, VIDEOS, wanted, 1)) == []


@pytest.mark.parametrize("wanted", [Filter(), Filter(dag_id="videos_1")], ids=str)
def test_every_statement_of_the_totals_uses_an_index(session, wanted, monkeypatch):
    monkeypatch.setattr(queries, "SEARCH_SECONDS", 0)
    monkeypatch.setattr(queries, "MANY_RUNS", 50)
    assert faults(session, lambda: queries.count_groups(session, VIDEOS, wanted)) == []


def test_all_pages_together_show_all_orders(session):
    assert dags.read_dags_of_provider(session) == VIDEOS
    groups, extent = queries.count_groups(session, VIDEOS, Filter())
    if extent.is_whole:
        assert sum(group.tasks for group in groups) == ORDERS
    assert len(queries.read_newest(session, VIDEOS, Filter(status="in_progress"), 1).rows) == 20


def test_a_statement_that_is_too_slow_ends_and_the_session_goes_on(session, monkeypatch):
    monkeypatch.setattr(database, "STATEMENT_SECONDS", 0.1)
    with database._limit_statements(session):
        with pytest.raises(database.TooSlowError), database.attempt(session):
            session.execute(text("SELECT pg_sleep(60)"))
        assert session.scalar(text("SELECT 1")) == 1
    session.rollback()
    assert session.scalar(text("SHOW statement_timeout")) == "0"
