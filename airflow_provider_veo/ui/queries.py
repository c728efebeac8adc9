"""The statements that the Veo page sends to Airflow's database. Their number does not depend on its rows.

A page entry can hold anything, since users can write XComs of the same name by Airflow's API. So entries are read as
texts of a bounded length and parsed here, and the database itself only looks into JSON that it can surely read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import JSON, Text, TypeDecorator, and_, case, func, select, tuple_
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.functions import FunctionElement

from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY, PROGRESS_KEY
from airflow_provider_veo.observability.page import OutcomeEntry
from airflow_provider_veo.ui.views import (
    ENDED_STATES,
    LONGEST_NAME,
    Group,
    Status,
    StoredFile,
    TaskKey,
    TaskRow,
    VideoName,
)

PAGE_SIZE = 24
_LONGEST = 500_000
"""Letters of an entry as JSON, ten times as many as this provider writes. A longer entry counts as missing."""

_Order: Any = aliased(XComModel, name="veo_order")
_Outcome: Any = aliased(XComModel, name="veo_outcome")
_Progress: Any = aliased(XComModel, name="veo_progress")
_TaskInstance: Any = TaskInstance

_NEWEST_FIRST = (_Order.timestamp.desc(), _Order.dag_run_id.desc(), _Order.task_id, _Order.map_index)

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
    """

    dag_id: str | None = None
    status: Status | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def list_conditions(self, dag_ids: set[str]) -> list[Any]:
        """Return the conditions for order entries, without the one for the status.

        Args:
            dag_ids: IDs of the Dags that the user may read.
        """
        wanted = dag_ids if self.dag_id is None else dag_ids & {self.dag_id}
        conditions = [_Order.key == ORDER_KEY, _Order.dag_id.in_(wanted)]
        if self.model is not None:
            conditions.append(_text_in(_Order, "model") == self.model)
        if self.since is not None:
            conditions.append(_Order.timestamp >= self.since)
        if self.until is not None:
            conditions.append(_Order.timestamp < self.until)
        return conditions

    def takes(self, group: Group) -> bool:
        """Return whether counted tasks are wanted. Their times were compared before."""
        wanted = (self.dag_id, self.status, self.model)
        found = (group.dag_id, group.status, group.model)
        return all(one in (None, other) for one, other in zip(wanted, found, strict=True))


def read_dags_with_orders(session: Session) -> set[str]:
    """Return the IDs of the Dags that have ordered a video."""
    return set(session.scalars(select(_Order.dag_id).where(_Order.key == ORDER_KEY).distinct()))


def read_newest(session: Session, dag_ids: set[str], wanted: Filter, page: int) -> list[TaskRow]:
    """Return a page of tasks, the newest orders first, and one more row if there is another page.

    Args:
        session: Session of the database.
        dag_ids: IDs of the Dags that the user may read.
        wanted: Filter of the user.
        page: Number of the page, from 1.
    """
    chosen = select(_Order.dag_run_id, _Order.task_id, _Order.map_index).where(*wanted.list_conditions(dag_ids))
    if wanted.status is not None:
        chosen = chosen.join(_TaskInstance, _same_task(_Order)).where(wanted.status == _STATUS)
    chosen = chosen.order_by(*_NEWEST_FIRST).limit(PAGE_SIZE + 1).offset((page - 1) * PAGE_SIZE)
    # first the keys of the rows of this page, then all columns of these few rows
    few = chosen.subquery()
    rows = _select_orders().join(
        few,
        and_(
            few.c.dag_run_id == _Order.dag_run_id,
            few.c.task_id == _Order.task_id,
            few.c.map_index == _Order.map_index,
        ),
    )
    return [_to_row(row) for row in session.execute(rows.order_by(*_NEWEST_FIRST))]


def read_task(session: Session, key: TaskKey) -> TaskRow | None:
    """Return one task instance of any operator; None if there is none.

    Args:
        session: Session of the database.
        key: Names of the task instance.
    """
    columns = _list_columns()
    statement = (
        select(*columns)
        .select_from(_TaskInstance)
        .outerjoin(_Order, and_(_same_task(_Order), _Order.key == ORDER_KEY))
        .outerjoin(_Outcome, and_(_same_task(_Outcome), _Outcome.key == OUTCOME_KEY))
        .outerjoin(_Progress, and_(_same_task(_Progress), _Progress.key == PROGRESS_KEY))
        .where(
            _TaskInstance.dag_id == key.dag_id,
            _TaskInstance.run_id == key.run_id,
            _TaskInstance.task_id == key.task_id,
            _TaskInstance.map_index == key.map_index,
        )
    )
    row = session.execute(statement).first()
    return _to_row(row) if row else None


def read_stored_by_others(session: Session, rows: Sequence[TaskRow]) -> dict[VideoName, StoredFile]:
    """Return the files that other tasks of the same runs have stored, by the names of the videos.

    Args:
        session: Session of the database.
        rows: The task instances that have ordered the videos.
    """
    lacking = [row for row in rows if row.videos and not row.stored.is_playable]
    if not lacking:
        return {}
    runs = tuple_(DagRun.dag_id, DagRun.run_id).in_({(row.dag_id, row.run_id) for row in lacking})
    names = {name for row in lacking for _, _, name in row.videos}
    statement = (
        select(_Outcome.dag_id, _Outcome.run_id, _Outcome.task_id, _Outcome.map_index, _as_text(_Outcome))
        .select_from(DagRun)
        .join(_Outcome, _Outcome.dag_run_id == DagRun.id)
        .where(runs, _Outcome.key == OUTCOME_KEY, _text_in(_Outcome, "of").in_(names))
    )
    found = {}
    for dag_id, run_id, task_id, map_index, text in session.execute(statement):
        outcome = cast("OutcomeEntry", parse_entry(text) or {})
        stored = StoredFile(TaskKey(dag_id, run_id, task_id, map_index), outcome)
        if stored.of and stored.is_playable:
            found[dag_id, run_id, stored.of] = stored
    return found


def count_groups(session: Session, dag_ids: set[str], wanted: Filter) -> list[Group]:
    """Return the tasks of some Dags and a time, counted by Dag, model, status and figures.

    Args:
        session: Session of the database.
        dag_ids: IDs of the Dags that the user may read.
        wanted: Filter of the user, of which only the times count here.
    """
    # as texts: a database refuses the whole statement if one entry has no number where it expects one
    groups = (
        _Order.dag_id,
        _SafeText(_text_in(_Order, "model")),
        _STATUS,
        _SafeText(_text_in(_Order, "videos")),
        _SafeText(_text_in(_Outcome, "estimated_cost_usd")),
        _SafeText(_text_in(_Outcome, "generation_seconds")),
    )
    statement = (
        select(func.count(), *groups)
        .select_from(_Order)
        .join(_TaskInstance, _same_task(_Order))
        .outerjoin(_Outcome, and_(_same_xcom(_Outcome), _Outcome.key == OUTCOME_KEY))
        .where(*Filter(since=wanted.since, until=wanted.until).list_conditions(dag_ids))
        .group_by(*groups)
    )
    return [Group.of(*row) for row in session.execute(statement)]


class _Readable(FunctionElement[Any]):
    """A JSON value that the database can look into.

    SQLite stores JSON as text, and parses it for each statement. It refuses the whole statement if one row has a NaN,
    which Python writes into JSON. Other databases refuse NaN when it is written.
    """

    type = JSON()
    inherit_cache = True


@compiles(_Readable)
def _compile_unchanged(element: Any, compiler: Any, **how: Any) -> str:
    return str(compiler.process(element.clauses, **how))


@compiles(_Readable, "sqlite")
def _compile_if_valid(element: Any, compiler: Any, **how: Any) -> str:
    value = compiler.process(element.clauses, **how)
    return f"CASE WHEN json_valid({value}) THEN {value} END"


class _Decoded(TypeDecorator[str]):
    """A text that SQLite returns as bytes."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text. Half an emoji in it becomes a question mark."""
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


class _SafeText(FunctionElement[Any]):
    """A text that can surely be read.

    SQLite stores half an emoji in JSON, and its driver would refuse to read it as a text. Other databases refuse it
    when it is written.
    """

    type = _Decoded()
    inherit_cache = True


@compiles(_SafeText, "sqlite")
def _compile_as_bytes(element: Any, compiler: Any, **how: Any) -> str:
    return f"CAST({_compile_unchanged(element, compiler, **how)} AS BLOB)"


compiles(_SafeText)(_compile_unchanged)


def _text_in(xcom: Any, name: str) -> Any:
    """Return the value of an entry under a name, as a text of a bounded length."""
    return func.substr(_Readable(xcom.value)[name].as_string(), 1, LONGEST_NAME)


def _as_text(xcom: Any) -> Any:
    """Return a whole entry as JSON text; NULL instead of one that is far too long."""
    text = sql_cast(xcom.value, Text)
    return case((func.length(text) <= _LONGEST, text))


def _list_columns() -> tuple[Any, ...]:
    return (
        _TaskInstance.dag_id,
        _TaskInstance.run_id,
        _TaskInstance.task_id,
        _TaskInstance.map_index,
        _TaskInstance.try_number,
        _TaskInstance.state,
        _TaskInstance.start_date.label("started_at"),
        _TaskInstance.end_date.label("ended_at"),
        _as_text(_Order).label("order"),
        _Order.timestamp.label("ordered_at"),
        _as_text(_Outcome).label("outcome"),
        _as_text(_Progress).label("progress"),
    )


def _to_row(row: Any) -> TaskRow:
    columns = row._asdict()
    progress = parse_json(columns["progress"])
    return TaskRow(
        **columns
        | {
            "order": parse_entry(columns["order"]),
            "outcome": parse_entry(columns["outcome"]),
            "progress": progress if isinstance(progress, str) else None,
        }
    )


def parse_entry(text: str | None) -> dict[str, Any] | None:
    """Return a page entry; None if the text is not a JSON object, since a user has written the XCom.

    Args:
        text: JSON text of the XCom; None if there is none.
    """
    value = parse_json(text)
    return value if isinstance(value, dict) else None


def parse_json(text: str | None) -> Any:
    """Return the value of a JSON text; None for a text that is not valid, or too deep. NaN in it becomes None.

    Args:
        text: JSON text; None if there is none.
    """
    try:
        return json.loads(text, parse_constant=lambda _name: None) if text is not None else None
    except (ValueError, RecursionError):
        return None


def _select_orders() -> Any:
    return (
        select(*_list_columns())
        .select_from(_Order)
        .join(_TaskInstance, _same_task(_Order))
        .outerjoin(_Outcome, and_(_same_xcom(_Outcome), _Outcome.key == OUTCOME_KEY))
        .outerjoin(_Progress, and_(_same_xcom(_Progress), _Progress.key == PROGRESS_KEY))
        .where(_Order.key == ORDER_KEY)
    )


def _same_task(xcom: Any) -> Any:
    """Return the condition that joins an XCom with its task instance, by the columns of an index of both."""
    return and_(
        _TaskInstance.dag_id == xcom.dag_id,
        _TaskInstance.task_id == xcom.task_id,
        _TaskInstance.run_id == xcom.run_id,
        _TaskInstance.map_index == xcom.map_index,
    )


def _same_xcom(xcom: Any) -> Any:
    """Return the condition that joins another XCom of the same task instance, by the primary key."""
    return and_(
        xcom.dag_run_id == _Order.dag_run_id,
        xcom.task_id == _Order.task_id,
        xcom.map_index == _Order.map_index,
    )
