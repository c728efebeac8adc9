"""The statements that the Veo page sends to Airflow's database.

No index leads to the page entries by time, model or status. So a search goes from Dag run to Dag run, the newest first,
and each of its statements reads a bounded number of runs by indexes. A search that takes too long stops, and says how
far it came.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session

from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY
from airflow_provider_veo.observability.page import OutcomeEntry
from airflow_provider_veo.ui import tables
from airflow_provider_veo.ui.database import TooSlowError, attempt
from airflow_provider_veo.ui.json_columns import SafeText, as_text, parse_entry, parse_json, text_in
from airflow_provider_veo.ui.tables import EntryTable
from airflow_provider_veo.ui.views import ENDED_STATES, Group, Status, StoredFile, TaskKey, TaskRow, VideoName

PAGE_SIZE = 24
SEARCH_SECONDS = 1.2
"""Seconds after which a search stops before its next step."""

FEW_RUNS, MANY_RUNS = 50, 1000
"""Runs that the first step of a search reads: of one that looks for some tasks, and of one that reads all."""

_MOST_RUNS = 5000  # of one step
_STEP_SECONDS = 0.3  # the duration of a step that the search aims at
_GROWTH = 4
_END_OF_RUN = timedelta(hours=1)  # by which a task may write an entry after the end of its run

_TaskInstance: Any = TaskInstance
_DagRun: Any = DagRun

_COLUMNS = {
    "dag_id": _TaskInstance.dag_id,
    "run_id": _TaskInstance.run_id,
    "task_id": _TaskInstance.task_id,
    "try_number": _TaskInstance.try_number,
    "state": _TaskInstance.state,
    "started_at": _TaskInstance.start_date,
    "ended_at": _TaskInstance.end_date,
}
"""Columns of a task instance, by the field of `TaskRow`."""

_STATUS: Any = case(
    *(
        (_TaskInstance.state.in_([state for state, means in ENDED_STATES.items() if means == status]), status)
        for status in ("completed", "failed")
    ),
    else_="in_progress",
)


@dataclass(frozen=True)
class Filter:
    """The tasks that a user wants to see. None takes all.

    Attributes:
        dag_id: ID of the Dag.
        status: Status of the task.
        model: Name of the model.
        since: Earliest time of the order.
        until: Time before which the order was written.
        task_id: ID of the task.
        before: Database id of a Dag run; only runs that were created before it are searched.
    """

    dag_id: str | None = None
    status: Status | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    task_id: str | None = None
    before: int | None = None

    def list_run_conditions(self, dag_ids: set[str]) -> list[Any]:
        """Return the conditions for the Dag runs that can have such tasks.

        Args:
            dag_ids: IDs of the Dags that the user may read.
        """
        wanted = dag_ids if self.dag_id is None else dag_ids & {self.dag_id}
        conditions = [_DagRun.dag_id == next(iter(wanted)) if len(wanted) == 1 else _DagRun.dag_id.in_(wanted)]
        if self.before is not None:
            conditions.append(_DagRun.id < self.before)
        if self.until is not None:  # no task of a run orders before the run is due
            conditions.append(tables.Known(_DagRun.run_after) < self.until)
        if self.since is not None:  # nor after the end of the run
            conditions.append(or_(_DagRun.end_date.is_(None), _DagRun.end_date >= _earlier(self.since)))
        return conditions

    def list_task_conditions(self, order: Any) -> list[Any]:
        """Return the conditions for the tasks of these runs, without those for the status and the model.

        Args:
            order: The order entry.
        """
        conditions = []
        if self.task_id is not None:
            conditions.append(_TaskInstance.task_id == self.task_id)
        if self.since is not None:
            conditions.append(order.timestamp >= self.since)
        if self.until is not None:
            conditions.append(order.timestamp < self.until)
        return conditions

    def takes(self, group: Group) -> bool:
        """Return whether counted tasks are wanted. Their Dags, tasks and times were compared before."""
        return self.status in (None, group.status) and self.model in (None, group.model)


@dataclass
class Extent:
    """How far a search has come.

    Attributes:
        last: Database id of the oldest Dag run that was searched; None if no run was.
        until: Date of this run.
        is_whole: Whether all runs were searched.
    """

    last: int | None = None
    until: datetime | None = None
    is_whole: bool = False


@dataclass
class Page:
    """A page of tasks.

    Attributes:
        rows: The tasks.
        more: Whether the search has found tasks for another page.
        extent: How far the search has come.
    """

    rows: list[TaskRow] = field(default_factory=list)
    more: bool = False
    extent: Extent = field(default_factory=Extent)


def read_newest(session: Session, dag_ids: set[str], wanted: Filter, page: int) -> Page:
    """Return a page of tasks, those of the newest Dag runs first, and in a run the newest orders first.

    Args:
        session: Session of the database.
        dag_ids: IDs of the Dags that the user may read.
        wanted: Filter of the user.
        page: Number of the page, from 1.
    """
    needed = page * PAGE_SIZE + 1
    found: list[Any] = []
    entry_tables = tables.find_entry_tables(session)
    conditions = wanted.list_run_conditions(dag_ids)
    if wanted.status == "in_progress":  # Airflow ends a run only when all of its tasks have ended
        conditions.append(_DagRun.state.in_(("queued", "running")))

    def read_step(runs: list[Any]) -> bool:
        found.extend(_find_orders(session, entry_tables, runs, wanted, needed - len(found)))
        return len(found) < needed

    extent = _search(session, conditions, FEW_RUNS, read_step)
    ids = [task for task, *_ in found[needed - 1 - PAGE_SIZE : needed - 1]]
    return Page(_read_rows(session, entry_tables, ids), len(found) >= needed, extent)


def _find_orders(
    session: Session, entry_tables: list[EntryTable], runs: list[Any], wanted: Filter, most: int
) -> list[Any]:
    """Return the task instances that have ordered, of the runs of some conditions, in the order of the page."""
    found: list[Any] = []
    for orders, order, _ in _join_orders(entry_tables, _TaskInstance.id, _DagRun.id):
        conditions = [*runs, *wanted.list_task_conditions(order)]
        if wanted.status is not None:
            conditions.append(wanted.status == _STATUS)
        if wanted.model is not None:
            conditions.append(text_in(order, "model") == wanted.model)
        newest_first = (_DagRun.id.desc(), order.timestamp.desc(), _TaskInstance.id)
        statement = orders.add_columns(order.timestamp).where(*conditions).order_by(*newest_first).limit(most)
        found += session.execute(statement).all()
    if len(entry_tables) > 1:
        found.sort(key=lambda one: (one[1], one[2]), reverse=True)
    return found[:most]


def _join_orders(entry_tables: list[EntryTable], *columns: Any) -> Iterator[tuple[Any, Any, list[EntryTable]]]:
    """Yield a statement for the orders of each table, its order entry, and the tables that may hold the outcomes.

    An order that is in two tables counts in the first one.
    """
    for number, table in enumerate(entry_tables):
        statement, order = table.join(tables.join_runs(select(*columns).select_from(_DagRun)), ORDER_KEY)
        for other in entry_tables[:number]:
            statement, newer = other.join(statement, ORDER_KEY, optional=True)
            statement = statement.where(newer.key.is_(None))
        yield statement, order, entry_tables[: number + 1]


def count_groups(session: Session, dag_ids: set[str], wanted: Filter) -> tuple[list[Group], Extent]:
    """Return the tasks of the newest Dag runs, counted by Dag, model, status and figures.

    Args:
        session: Session of the database.
        dag_ids: IDs of the Dags that the user may read.
        wanted: Filter of the user, of which the status and the model do not count here.
    """
    groups: list[Group] = []
    entry_tables = tables.find_entry_tables(session)

    def read_step(runs: list[Any]) -> bool:
        for statement in _count_orders(entry_tables, wanted):
            groups.extend(Group.of(*row) for row in session.execute(statement.where(*runs)))
        return True

    extent = _search(session, wanted.list_run_conditions(dag_ids), MANY_RUNS, read_step)
    return groups, extent


def _count_orders(entry_tables: list[EntryTable], wanted: Filter) -> Iterator[Any]:
    for orders, order, outcome_tables in _join_orders(entry_tables):
        statement, outcomes = orders, []
        for table in outcome_tables:
            statement, outcome = table.join(statement, OUTCOME_KEY, optional=True)
            outcomes.append(outcome)
        # as texts: a database refuses the whole statement if one entry has no number where it expects one
        groups = (
            _DagRun.dag_id,
            SafeText(text_in(order, "model")),
            _STATUS,
            SafeText(text_in(order, "videos")),
            SafeText(_first_text(outcomes, "estimated_cost_usd")),
            SafeText(_first_text(outcomes, "generation_seconds")),
        )
        yield statement.add_columns(func.count(), *groups).where(*wanted.list_task_conditions(order)).group_by(*groups)


def _first_text(entries: list[Any], name: str) -> Any:
    texts = [text_in(entry, name) for entry in entries]
    return texts[0] if len(texts) == 1 else func.coalesce(*texts)


def _search(session: Session, conditions: list[Any], size: int, read_step: Callable[[list[Any]], bool]) -> Extent:
    """Go from Dag run to Dag run, the newest first, until enough was found, all was searched, or the time is over.

    Args:
        session: Session of the database.
        conditions: Conditions for the runs.
        size: Number of runs of the first step.
        read_step: Reads the runs of some conditions, and returns whether the search shall go on.
    """
    extent = Extent()
    begun = time.monotonic()
    while True:
        step_begun = time.monotonic()
        step = select(_DagRun.id, _DagRun.run_after).where(*conditions).order_by(_DagRun.id.desc()).limit(size)
        if extent.last is not None:
            step = step.where(_DagRun.id < extent.last)
        try:
            with attempt(session):
                runs = session.execute(step).all()
                # by their range: a long list of ids leads databases to read all XComs instead
                goes_on = bool(runs) and read_step([*conditions, _DagRun.id.between(runs[-1].id, runs[0].id)])
        except TooSlowError:
            if extent.last is None:
                raise
            return extent
        if runs:
            extent = Extent(runs[-1].id, runs[-1].run_after)
        if len(runs) < size:
            return replace(extent, is_whole=True)
        now = time.monotonic()
        if not goes_on or now - begun >= SEARCH_SECONDS:
            return extent
        size = min(_MOST_RUNS, int(size * min(_GROWTH, max(1 / _GROWTH, _STEP_SECONDS / (now - step_begun)))) + 1)


def read_task(session: Session, key: TaskKey) -> TaskRow | None:
    """Return one task instance of any operator; None if there is none.

    Args:
        session: Session of the database.
        key: Names of the task instance.
    """
    row = _find_row(session, key)
    if row is None or key.try_number is None:
        return row
    latest = _find_row(session, replace(key, try_number=None)) or row
    return row if latest.try_number == row.try_number else replace(row, latest_try=latest.try_number)


def read_tries(session: Session, key: TaskKey) -> list[int]:
    """Return the numbers of the tries of a task instance that Airflow has kept.

    Args:
        session: Session of the database.
        key: Names of the task instance.
    """
    statement = select(_TaskInstance.try_number).where(tables.select_place(key)).order_by(_TaskInstance.try_number)
    return list(session.scalars(statement, execution_options=tables.ALL_TRIES))


def _find_row(session: Session, key: TaskKey) -> TaskRow | None:
    statement = (
        select(_TaskInstance.id)
        .where(tables.select_place(key), tables.select_try(key.try_number))
        .order_by(_TaskInstance.id.desc())
        .limit(1)
    )
    ids = session.scalars(statement, execution_options=tables.ALL_TRIES).all()
    rows = _read_rows(session, tables.find_entry_tables(session), ids)
    return rows[0] if rows else None


def read_stored_by_others(session: Session, rows: Sequence[TaskRow]) -> dict[VideoName, StoredFile]:
    """Return the files that other tasks of the same runs have stored, by the names of the videos.

    Args:
        session: Session of the database.
        rows: The task instances that have ordered the videos.
    """
    lacking = [row for row in rows if row.videos and not row.stored.is_playable]
    if not lacking:
        return {}
    runs = tuple_(_DagRun.dag_id, _DagRun.run_id).in_({(row.dag_id, row.run_id) for row in lacking})
    names = {name for row in lacking for _, _, name in row.videos}
    columns = (_TaskInstance.dag_id, _TaskInstance.run_id, _TaskInstance.task_id, *tables.list_place_columns())
    found = {}
    for table in reversed(tables.find_entry_tables(session)):
        joined = tables.join_places(tables.join_runs(select(*columns).select_from(_DagRun)))
        statement, outcome = table.join(joined, OUTCOME_KEY)
        statement = statement.add_columns(as_text(outcome)).where(runs, text_in(outcome, "of").in_(names))
        for dag_id, run_id, task_id, *place, text in session.execute(statement):
            at = tables.read_place(task_id, *place)
            key = TaskKey(dag_id, run_id, task_id, at["map_index"], at.get("region_id"), at.get("region_index"))
            stored = StoredFile(key, cast("OutcomeEntry", parse_entry(text) or {}))
            if stored.of and stored.is_playable:
                found[dag_id, run_id, stored.of] = stored
    return found


def _read_rows(session: Session, entry_tables: Iterable[EntryTable], ids: Sequence[Any]) -> list[TaskRow]:
    """Return task instances with their page entries, by the ids of their tries."""
    if not ids:
        return []
    places = tables.list_place_columns()
    statement = tables.join_places(select(_TaskInstance.id, *_COLUMNS.values(), *places).select_from(_TaskInstance))
    entries = _read_entries(session, entry_tables, ids)
    rows = {}
    for task, *found in session.execute(statement.where(_TaskInstance.id.in_(ids)), execution_options=tables.ALL_TRIES):
        values = dict(zip(_COLUMNS, found[: len(_COLUMNS)], strict=True))
        place = tables.read_place(values["task_id"], *found[len(_COLUMNS) :])
        rows[task] = _to_row(values | place, [entries.get((task, key), (None, None)) for key in tables.KEYS])
    return [rows[one] for one in ids if one in rows]


def _read_entries(
    session: Session, entry_tables: Iterable[EntryTable], ids: Sequence[Any]
) -> dict[tuple[Any, str], tuple[str | None, datetime]]:
    """Return the page entries of task instances as texts, with their times, by id of the try and by key."""
    found: dict[tuple[Any, str], tuple[str | None, datetime]] = {}
    for table in entry_tables:
        runs = and_(_DagRun.dag_id == _TaskInstance.dag_id, _DagRun.run_id == _TaskInstance.run_id)
        tasks = select(_TaskInstance.id).select_from(_TaskInstance).join(_DagRun, runs)
        statement, entry = table.join(tasks.where(_TaskInstance.id.in_(ids)), *tables.KEYS)
        statement = statement.add_columns(entry.key, as_text(entry), entry.timestamp)
        for task, key, text, moment in session.execute(statement, execution_options=tables.ALL_TRIES):
            found.setdefault((task, key), (text, moment))
    return found


def _to_row(values: dict[str, Any], entries: Sequence[tuple[str | None, datetime | None]]) -> TaskRow:
    (order, ordered_at), (outcome, _), (progress, _) = entries
    text = parse_json(progress)
    return TaskRow(
        **values,
        order=cast("Any", parse_entry(order)),
        ordered_at=ordered_at,
        outcome=cast("Any", parse_entry(outcome)),
        progress=text if isinstance(text, str) else None,
    )


def _earlier(moment: datetime) -> datetime:
    try:
        return moment - _END_OF_RUN
    except OverflowError:
        return moment
