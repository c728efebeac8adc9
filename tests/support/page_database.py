"""Fill Airflow's empty database with up to a million orders, as tasks would have left them, and with statistics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from tests.support import page_entries
from tests.support.page_entries import START, STATES, XCOMS, Task

DAGS = 5
OTHER = "other"
PER_RUN = 5  # orders of a run
_BATCH = 500  # runs
_KINDS = len(STATES) * len(page_entries.MODELS)
_ENDED = [n for n in range(_KINDS) if STATES[n % len(STATES)] != "deferred"]
_RUNNING = 20  # orders in progress, the newest ones
_COPIED = 1000  # orders; PostgreSQL copies them faster than this process writes more

Rows = dict[Any, list[dict[str, Any]]]


def fill(session: Session, count: int) -> None:
    """Add orders of some Dags, five in a run, and as many runs of a Dag without orders. The newest are in progress.

    Args:
        session: Session of a database with Airflow's empty tables.
        count: Number of orders.
    """
    notes = [page_entries.notes_of(number) for number in range(_KINDS)]
    for number in range(DAGS):
        page_entries.add_dag(session, f"videos_{number}")
    page_entries.add_dag(session, OTHER, {"dag": {"tasks": []}})
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    written = min(count, _COPIED) if is_postgresql else count
    for first in range(0, written, _BATCH * PER_RUN):
        rows: Rows = {DagRun: [], TaskInstance: [], XCOMS: []}
        for order in range(first, min(first + _BATCH * PER_RUN, written), PER_RUN):
            _add_run(rows, order, min(PER_RUN, written - order), notes)
        for model, values in rows.items():
            session.execute(model.__table__.insert(), values)
    if count > written:
        _copy(session, count // written)
    _run_newest(session)
    session.commit()
    _analyze(session)


def _copy(session: Session, times: int) -> None:
    """Copy all runs of a PostgreSQL database until each is there so many times, each copy newer than those before."""
    session.execute(text("SET LOCAL session_replication_role = replica"))  # no checks of foreign keys
    runs = 2 * _COPIED // PER_RUN
    later = f"make_interval(mins => {runs} * k)"
    changed = {
        "dag_run": {
            "id": f"id + {runs} * k",
            "run_id": "run_id || '_' || k",
            **{name: f"{name} + {later}" for name in ("logical_date", "run_after", "start_date", "end_date")},
        },
        "task_instance": {"id": _copied_id("id"), "run_id": "run_id || '_' || k"},
        XCOMS.__tablename__: {
            "id": "gen_random_uuid()",
            "task_instance_id": _copied_id("task_instance_id"),
            "dag_run_id": f"dag_run_id + {runs} * k",
            "run_id": "run_id || '_' || k",
            "timestamp": f"timestamp + {later}",
        },
    }
    for model in (DagRun, TaskInstance, XCOMS):
        table: Any = model.__table__
        names = [f'"{column.name}"' for column in table.columns]
        values = [changed[table.name].get(column.name, f'"{column.name}"') for column in table.columns]
        statement = (
            f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(values)} "
            f"FROM generate_series(1, {times - 1}) k CROSS JOIN {table.name}"
        )
        session.execute(text(statement))


def _copied_id(column: str) -> str:
    return f"(lpad(to_hex(k), 8, '0') || right(replace({column}::text, '-', ''), 24))::uuid"


def _run_newest(session: Session) -> None:
    """Put the newest orders in progress."""
    newest = select(DagRun.id, DagRun.dag_id, DagRun.run_id).where(DagRun.dag_id != OTHER).order_by(DagRun.id.desc())
    for run, dag_id, run_id in session.execute(newest.limit(_RUNNING // PER_RUN)).all():
        session.execute(update(DagRun).where(DagRun.id == run).values(_state="running", end_date=None))
        tasks = (TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        session.execute(update(TaskInstance).where(*tasks).values(state="deferred", end_date=None))


def _add_run(rows: Rows, order: int, count: int, notes: list[dict[str, Any]]) -> None:
    number = order // PER_RUN
    tasks: list[Task] = []
    for index in range(count):
        kind = _ENDED[(order + index) % len(_ENDED)]
        tasks.append(("create", index, STATES[kind % len(STATES)], notes[kind]))
    _add_rows(rows, f"videos_{number % DAGS}", 2 * number + 1, tasks)
    _add_rows(rows, OTHER, 2 * number + 2, [("transform", -1, "success", {"return_value": number})])


def _add_rows(rows: Rows, dag_id: str, dag_run_id: int, tasks: list[Task]) -> None:
    at = START + timedelta(minutes=dag_run_id)
    run_id = f"scheduled__{at.isoformat()}"
    run = {"id": dag_run_id, "dag_id": dag_id, "run_id": run_id, "run_type": "scheduled", "logical_date": at}
    end = at + timedelta(minutes=5)
    rows[DagRun].append({**run, "run_after": at, "start_date": at, "end_date": end, "state": "success"})
    instances, xcoms = page_entries.make_rows(dag_id, run_id, dag_run_id, tasks, at=at)
    rows[TaskInstance] += instances
    rows[XCOMS] += xcoms


def _analyze(session: Session) -> None:
    """Bring the statistics of the database up to date, as its own services do from time to time."""
    bind: Any = session.get_bind()
    with bind.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if bind.dialect.name == "postgresql" else "ANALYZE"))
