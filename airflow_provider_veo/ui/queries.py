"""What the page asks Airflow's database: a fixed number of statements, whatever is in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import and_, case, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from airflow_provider_veo.records import ORDER_KEY, OUTCOME_KEY
from airflow_provider_veo.task_state import PROGRESS_KEY
from airflow_provider_veo.ui.cards import ENDED, Group, Status, Task, VideoName, medium

PAGE_SIZE = 24

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
        dag_ids: those that the user may read.
        since: ordered then or later.
        until: ordered before then.
    """

    dag_ids: Collection[str]
    status: Status | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def of_orders(self) -> list[Any]:
        """Return the conditions on the orders themselves."""
        conditions = [_Order.key == ORDER_KEY, _Order.dag_id.in_(self.dag_ids)]
        if self.model is not None:
            conditions.append(_Order.value["model"].as_string() == self.model)
        if self.since is not None:
            conditions.append(_Order.timestamp >= self.since)
        if self.until is not None:
            conditions.append(_Order.timestamp < self.until)
        return conditions


def dags_with_orders(session: Session) -> set[str]:
    """Return the ids of the Dags that have ever ordered a video."""
    return set(session.scalars(select(_Order.dag_id).where(_Order.key == ORDER_KEY).distinct()))


def newest(session: Session, wanted: Filter, page: int) -> list[Task]:
    """Return a page of generations, the newest first, and one more if there is another page.

    Args:
        session: of the database.
        wanted: which.
        page: from 1.
    """
    chosen = select(_Order.dag_run_id, _Order.task_id, _Order.map_index).where(*wanted.of_orders())
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


def task(session: Session, dag_id: str, run_id: str, task_id: str, map_index: int) -> Task | None:
    """Return one task instance of whatever operator; None if there is none."""
    columns = _columns()
    statement = (
        select(*columns)
        .select_from(_TI)
        .outerjoin(_Order, and_(_same_task(_Order), _Order.key == ORDER_KEY))
        .outerjoin(_Outcome, and_(_same_task(_Outcome), _Outcome.key == OUTCOME_KEY))
        .outerjoin(_Progress, and_(_same_task(_Progress), _Progress.key == PROGRESS_KEY))
        .where(_TI.dag_id == dag_id, _TI.run_id == run_id, _TI.task_id == task_id, _TI.map_index == map_index)
    )
    row = session.execute(statement).first()
    return _task(row) if row else None


def media_of(session: Session, tasks: Sequence[Task]) -> dict[VideoName, dict[str, Any]]:
    """Return what other tasks of the same runs have stored of the videos of these."""
    lacking = [task for task in tasks if task.videos and not medium(task.key, task.outcome or {})]
    if not lacking:
        return {}
    runs = tuple_(DagRun.dag_id, DagRun.run_id).in_({(task.dag_id, task.run_id) for task in lacking})
    names = {name for task in lacking for _, _, name in task.videos}
    statement = (
        select(_Outcome.dag_id, _Outcome.run_id, _Outcome.task_id, _Outcome.map_index, _Outcome.value)
        .select_from(DagRun)
        .join(_Outcome, _Outcome.dag_run_id == DagRun.id)
        .where(runs, _Outcome.key == OUTCOME_KEY, _OF.in_(names))
    )
    found = {}
    for dag_id, run_id, task_id, map_index, outcome in session.execute(statement):
        key = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        if shown := medium(key, outcome):
            found[dag_id, run_id, outcome["of"]] = shown
    return found


def counted(session: Session, dag_ids: Collection[str], since: datetime | None, until: datetime | None) -> list[Group]:
    """Return the generations of some Dags and a time, counted by Dag, model, status and figures."""
    # as texts: a database refuses the whole question if one of the records holds no number where it expects one
    groups = (
        _Order.dag_id,
        _Order.value["model"].as_string(),
        _STATUS,
        _Order.value["videos"].as_string(),
        _Outcome.value["estimated_cost_usd"].as_string(),
        _Outcome.value["generation_seconds"].as_string(),
    )
    statement = (
        select(func.count(), *groups)
        .select_from(_Order)
        .join(_TI, _same_task(_Order))
        .outerjoin(_Outcome, and_(_same_xcom(_Outcome), _Outcome.key == OUTCOME_KEY))
        .where(*Filter(dag_ids, since=since, until=until).of_orders())
        .group_by(*groups)
    )
    return [Group.of(*row) for row in session.execute(statement)]


_OF = _Outcome.value["of"].as_string()
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
        _Order.value.label("order"),
        _Order.timestamp.label("ordered_at"),
        _Outcome.value.label("outcome"),
        _Progress.value.label("progress"),
    )


def _task(row: Any) -> Task:
    columns = row._asdict()
    return Task(**columns | {"order": _object(columns["order"]), "outcome": _object(columns["outcome"])})


def _object(value: Any) -> dict[str, Any] | None:
    """Return a record; none where somebody else has written an XCom of its name."""
    return value if isinstance(value, dict) else None


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
