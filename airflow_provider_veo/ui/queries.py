"""What the page asks Airflow's database: a fixed number of statements, whatever is in it.

An XCom of our name may hold anything that Airflow's API lets people write. So records come as texts of a bounded length
and become values here, and the database itself is asked for no more than it can surely read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import JSON, Text, TypeDecorator, and_, case, cast, func, select, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.functions import FunctionElement

from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY, PROGRESS_KEY
from airflow_provider_veo.ui.cards import ENDED, LONGEST_NAME, Group, Status, Stored, Task, VideoName

PAGE_SIZE = 24
_LONGEST = 500_000
"""Letters of a record, as JSON: ten times as many as any of ours should have. A longer one is as good as none."""

_Order: Any = aliased(XComModel, name="veo_order")
_Outcome: Any = aliased(XComModel, name="veo_outcome")
_Progress: Any = aliased(XComModel, name="veo_progress")
_TI: Any = TaskInstance

_STATUS: Any = case(
    *(
        (_TI.state.in_([state for state, means in ENDED.items() if means == status]), status)
        for status in ("completed", "failed")
    ),
    else_="in_progress",
)


@dataclass(frozen=True)
class Filter:
    """Which generations are wanted; None is all.

    Attributes:
        since: ordered then or later.
        until: ordered before then.
    """

    dag_id: str | None = None
    status: Status | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def of_orders(self, dag_ids: set[str]) -> list[Any]:
        """Return the conditions on the orders themselves.

        Args:
            dag_ids: the Dags that the user may read.
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
        """Say whether counted generations are among the wanted ones; their times are not known any more."""
        wanted = (self.dag_id, self.status, self.model)
        found = (group.dag_id, group.status, group.model)
        return all(one in (None, other) for one, other in zip(wanted, found, strict=True))


@dataclass(frozen=True)
class Name:
    """What names a task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


def dags_with_orders(session: Session) -> set[str]:
    """Return the ids of the Dags that have ever ordered a video."""
    return set(session.scalars(select(_Order.dag_id).where(_Order.key == ORDER_KEY).distinct()))


def newest(session: Session, dag_ids: set[str], wanted: Filter, page: int) -> list[Task]:
    """Return a page of generations, the newest first, and one more if there is another page.

    Args:
        session: of the database.
        dag_ids: the Dags that the user may read.
        wanted: which.
        page: from 1.
    """
    chosen = select(_Order.dag_run_id, _Order.task_id, _Order.map_index).where(*wanted.of_orders(dag_ids))
    if wanted.status is not None:
        chosen = chosen.join(_TI, _same_task(_Order)).where(wanted.status == _STATUS)
    chosen = chosen.order_by(*_NEWEST_FIRST).limit(PAGE_SIZE + 1).offset((page - 1) * PAGE_SIZE)
    # first the page by what is small, then everything else of its few rows
    few = chosen.subquery()
    rows = _tasks(_Order.key == ORDER_KEY).join(
        few,
        and_(
            few.c.dag_run_id == _Order.dag_run_id,
            few.c.task_id == _Order.task_id,
            few.c.map_index == _Order.map_index,
        ),
    )
    return [_task(row) for row in session.execute(rows.order_by(*_NEWEST_FIRST))]


def task(session: Session, name: Name) -> Task | None:
    """Return one task instance of whatever operator; None if there is none."""
    columns = _columns()
    statement = (
        select(*columns)
        .select_from(_TI)
        .outerjoin(_Order, and_(_same_task(_Order), _Order.key == ORDER_KEY))
        .outerjoin(_Outcome, and_(_same_task(_Outcome), _Outcome.key == OUTCOME_KEY))
        .outerjoin(_Progress, and_(_same_task(_Progress), _Progress.key == PROGRESS_KEY))
        .where(
            _TI.dag_id == name.dag_id,
            _TI.run_id == name.run_id,
            _TI.task_id == name.task_id,
            _TI.map_index == name.map_index,
        )
    )
    row = session.execute(statement).first()
    return _task(row) if row else None


def stored_by_others(session: Session, tasks: Sequence[Task]) -> dict[VideoName, Stored]:
    """Return what other tasks of the same runs have stored of the videos of these."""
    lacking = [task for task in tasks if task.videos and not task.stored.is_playable]
    if not lacking:
        return {}
    runs = tuple_(DagRun.dag_id, DagRun.run_id).in_({(task.dag_id, task.run_id) for task in lacking})
    names = {name for task in lacking for _, _, name in task.videos}
    statement = (
        select(_Outcome.dag_id, _Outcome.run_id, _Outcome.task_id, _Outcome.map_index, _record(_Outcome))
        .select_from(DagRun)
        .join(_Outcome, _Outcome.dag_run_id == DagRun.id)
        .where(runs, _Outcome.key == OUTCOME_KEY, _OF.in_(names))
    )
    found = {}
    for dag_id, run_id, task_id, map_index, text in session.execute(statement):
        key = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        stored = Stored(key, record_of(text) or {})
        if stored.of and stored.is_playable:
            found[dag_id, run_id, stored.of] = stored
    return found


def counted(session: Session, dag_ids: set[str], wanted: Filter) -> list[Group]:
    """Return the generations of some Dags and a time, counted by Dag, model, status and figures.

    Args:
        session: of the database.
        dag_ids: the Dags that the user may read.
        wanted: of which the times count here.
    """
    # as texts: a database refuses the whole question if one of the records holds no number where it expects one
    groups = (
        _Order.dag_id,
        _Shown(_text_in(_Order, "model")),
        _STATUS,
        _Shown(_text_in(_Order, "videos")),
        _Shown(_text_in(_Outcome, "estimated_cost_usd")),
        _Shown(_text_in(_Outcome, "generation_seconds")),
    )
    statement = (
        select(func.count(), *groups)
        .select_from(_Order)
        .join(_TI, _same_task(_Order))
        .outerjoin(_Outcome, and_(_same_xcom(_Outcome), _Outcome.key == OUTCOME_KEY))
        .where(*Filter(since=wanted.since, until=wanted.until).of_orders(dag_ids))
        .group_by(*groups)
    )
    return [Group.of(*row) for row in session.execute(statement)]


class _Readable(FunctionElement[Any]):
    """A JSON value that the database can look into.

    SQLite keeps JSON as text and reads it at each question. One NaN, which Python writes into JSON, and it would refuse
    the whole question; the others refuse NaN when it is written.
    """

    type = JSON()
    inherit_cache = True


@compiles(_Readable)
def _as_it_is(element: Any, compiler: Any, **how: Any) -> str:
    return str(compiler.process(element.clauses, **how))


@compiles(_Readable, "sqlite")
def _if_it_can_be_read(element: Any, compiler: Any, **how: Any) -> str:
    value = compiler.process(element.clauses, **how)
    return f"CASE WHEN json_valid({value}) THEN {value} END"


class _Decoded(TypeDecorator[str]):
    """A text, of which SQLite gives the bytes."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text, in which half an emoji is a question mark."""
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


class _Shown(FunctionElement[Any]):
    """A text that can surely be fetched.

    SQLite takes half an emoji in JSON, and its driver would refuse to make it a text; the others refuse it when it is
    written.
    """

    type = _Decoded()
    inherit_cache = True


@compiles(_Shown, "sqlite")
def _as_bytes(element: Any, compiler: Any, **how: Any) -> str:
    return f"CAST({_as_it_is(element, compiler, **how)} AS BLOB)"


compiles(_Shown)(_as_it_is)


def _text_in(xcom: Any, name: str) -> Any:
    """Return what a record holds under a name, as a text of a bounded length."""
    return func.substr(_Readable(xcom.value)[name].as_string(), 1, LONGEST_NAME)


def _record(xcom: Any) -> Any:
    """Return a whole record as JSON text; NULL instead of one that is far too long."""
    text = cast(xcom.value, Text)
    return case((func.length(text) <= _LONGEST, text))


_OF = _text_in(_Outcome, "of")
_NEWEST_FIRST = (_Order.timestamp.desc(), _Order.dag_run_id.desc(), _Order.task_id, _Order.map_index)


def _columns() -> tuple[Any, ...]:
    return (
        _TI.dag_id,
        _TI.run_id,
        _TI.task_id,
        _TI.map_index,
        _TI.try_number,
        _TI.state,
        _TI.start_date.label("started_at"),
        _TI.end_date.label("ended_at"),
        _record(_Order).label("order"),
        _Order.timestamp.label("ordered_at"),
        _record(_Outcome).label("outcome"),
        _record(_Progress).label("progress"),
    )


def _task(row: Any) -> Task:
    columns = row._asdict()
    progress = value_of(columns["progress"])
    return Task(
        **columns
        | {
            "order": record_of(columns["order"]),
            "outcome": record_of(columns["outcome"]),
            "progress": progress if isinstance(progress, str) else None,
        }
    )


def record_of(text: str | None) -> dict[str, Any] | None:
    """Return a record; none where somebody else has written an XCom of its name."""
    value = value_of(text)
    return value if isinstance(value, dict) else None


def value_of(text: str | None) -> Any:
    """Return the value of a JSON text; None for what Python or JSON cannot hold: NaN, or depth without end."""
    try:
        return json.loads(text, parse_constant=lambda _name: None) if text is not None else None
    except (ValueError, RecursionError):
        return None


def _tasks(condition: Any) -> Any:
    return (
        select(*_columns())
        .select_from(_Order)
        .join(_TI, _same_task(_Order))
        .outerjoin(_Outcome, and_(_same_xcom(_Outcome), _Outcome.key == OUTCOME_KEY))
        .outerjoin(_Progress, and_(_same_xcom(_Progress), _Progress.key == PROGRESS_KEY))
        .where(condition)
    )


def _same_task(xcom: Any) -> Any:
    """Join an XCom and its task instance by the columns of an index of both."""
    return and_(
        _TI.dag_id == xcom.dag_id,
        _TI.task_id == xcom.task_id,
        _TI.run_id == xcom.run_id,
        _TI.map_index == xcom.map_index,
    )


def _same_xcom(xcom: Any) -> Any:
    """Join another XCom of the same task instance by the primary key."""
    return and_(
        xcom.dag_run_id == _Order.dag_run_id,
        xcom.task_id == _Order.task_id,
        xcom.map_index == _Order.map_index,
    )
