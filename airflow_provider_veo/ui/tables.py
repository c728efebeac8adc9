"""The tables of Airflow's database that hold task instances and XComs, read alike on all versions of Airflow.

Airflow 3.4 keeps every try of a task as a row of its own, and the XComs of each try. A task instance in a loop or of a
mapped task has a region and an index there. The XComs from before the upgrade to 3.4 stay in a table of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from airflow.models import taskinstance, xcom
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import and_, literal, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.functions import FunctionElement

from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY, PROGRESS_KEY
from airflow_provider_veo.ui.views import TaskKey

KEYS = (ORDER_KEY, OUTCOME_KEY, PROGRESS_KEY)
ALL_TRIES = {"include_all_attempts": True}
"""Execution options of a statement that reads earlier tries, too."""

_TaskInstance: Any = TaskInstance
_DagRun: Any = DagRun
_AnyRegion: Any = None
_Region: Any = None
HAS_REGIONS = hasattr(TaskInstance, "region_id")
if HAS_REGIONS:
    from airflow.models.dynamic_region import DynamicRegion  # type: ignore[import-not-found, unused-ignore]

    _AnyRegion, _Region = DynamicRegion, aliased(DynamicRegion, name="region")


class Known(FunctionElement[Any]):
    """A column that is no reason for the database to choose an index, because its row is read before by another one.

    SQLite would rather start from all task instances or from all XComs with a key, and look for the run of each.
    """

    inherit_cache = True

    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(Known)
def _compile_unchanged(element: Any, compiler: Any, **how: Any) -> str:
    return str(compiler.process(element.clauses, **how))


@compiles(Known, "sqlite")
def _compile_without_index(element: Any, compiler: Any, **how: Any) -> str:
    # an expression, in place of which SQLite cannot use a column that equals it
    return f"coalesce({_compile_unchanged(element, compiler, **how)}, NULL)"


@dataclass(frozen=True)
class EntryTable:
    """A table with XComs.

    Attributes:
        model: Model of the table.
        owners: Model that names the task instances of the XComs; None if the XComs name them.
        has_places: Whether an XCom names the run, the task and the map index. Otherwise it names the try by its id.
    """

    model: Any
    owners: Any = None
    has_places: bool = True

    def join(self, statement: Any, *keys: str, optional: bool = False) -> tuple[Any, Any]:
        """Join XComs with the task instances of a statement, each by a unique index.

        Args:
            statement: Statement that reads task instances and their Dag runs.
            keys: Keys of the XComs.
            optional: Whether task instances without these XComs stay in the result.

        Returns:
            The new statement, and the XCom in it.
        """
        entry = aliased(self.model)
        key = Known(entry.key).in_(keys)
        if not self.has_places:
            same = entry.task_instance_id == Known(_TaskInstance.id)
            return statement.join(entry, and_(same, key), isouter=optional), entry
        place = _TaskInstance
        if self.owners is not None:
            place = aliased(self.owners)
            statement = statement.join(place, place.task_instance_id == _TaskInstance.id, isouter=optional)
        same = and_(
            entry.dag_run_id == Known(_DagRun.id),
            entry.task_id == Known(place.task_id),
            entry.map_index == Known(place.map_index),
        )
        return statement.join(entry, and_(same, key), isouter=optional), entry


_XCOM: Any = xcom
_OLD_TABLE: EntryTable | None = None
if hasattr(_XCOM, "XComModelV2"):
    _TABLE = EntryTable(_XCOM.XComModelV2, has_places=False)
    _OLD_TABLE = EntryTable(_XCOM.XComModelV1, owners=taskinstance.LegacyTaskDataOwner)  # type: ignore[attr-defined, unused-ignore]
else:
    _TABLE = EntryTable(_XCOM.XComModel)


def find_entry_tables(session: Session) -> list[EntryTable]:
    """Return the tables that hold page entries. An entry in the first one counts before one in the second.

    Args:
        session: Session of the database.
    """
    if _OLD_TABLE is None:
        return [_TABLE]
    old = _OLD_TABLE.model
    has_old = session.execute(select(old.key).where(old.key.in_(KEYS)).limit(1)).first()
    return [_TABLE, _OLD_TABLE] if has_old else [_TABLE]


def join_runs(statement: Any) -> Any:
    """Join task instances with the Dag runs of a statement, by an index.

    Args:
        statement: Statement that reads Dag runs.
    """
    same = and_(_TaskInstance.dag_id == Known(_DagRun.dag_id), _TaskInstance.run_id == Known(_DagRun.run_id))
    return statement.join(_TaskInstance, same)


def list_place_columns() -> tuple[Any, ...]:
    """Return the columns that distinguish the task instances of a task in a run, for `read_place`."""
    if not HAS_REGIONS:
        return (_TaskInstance.map_index,)
    return _TaskInstance.region_index, _TaskInstance.region_id, _Region.node_id, _Region.parent_region_index


def join_places(statement: Any) -> Any:
    """Join what the columns of `list_place_columns` need with the task instances of a statement.

    Args:
        statement: Statement that reads task instances.
    """
    return statement.join(_Region, _Region.id == _TaskInstance.region_id, isouter=True) if HAS_REGIONS else statement


def read_place(
    task_id: str, index: int, region_id: UUID | None = None, node: str | None = None, outer: int | None = None
) -> dict[str, Any]:
    """Return the place of a task instance, by names of the fields of `TaskRow`.

    Args:
        task_id: ID of the task.
        index: Index in the region; the map index before Airflow 3.4.
        region_id: ID of the region.
        node: ID of the task or the loop that the region belongs to.
        outer: Index of the region in the region around it.
    """
    if region_id is None or not region_id.int:
        return {"map_index": index}
    is_mapped = node == task_id
    return {
        "map_index": index if is_mapped else -1,
        "region_id": str(region_id),
        "region_index": index,
        "pass_index": outer if is_mapped else index,
    }


def select_place(key: TaskKey) -> Any:
    """Return the condition for the task instance of a key, without its try.

    Args:
        key: Names of the task instance.
    """
    names = (
        _TaskInstance.dag_id == key.dag_id,
        _TaskInstance.task_id == key.task_id,
        _TaskInstance.run_id == key.run_id,
    )
    if not HAS_REGIONS:
        return and_(*names, _TaskInstance.map_index == key.map_index)
    if key.region_id is not None:
        return and_(
            *names, _TaskInstance.region_id == UUID(key.region_id), _TaskInstance.region_index == key.region_index
        )
    expansions = select(_AnyRegion.id).where(
        _AnyRegion.dag_id == key.dag_id,
        _AnyRegion.run_id == key.run_id,
        _AnyRegion.node_id == key.task_id,
        _AnyRegion.parent_region_id.is_(None),
    )
    is_outside_of_loops = or_(_TaskInstance.region_id == UUID(int=0), _TaskInstance.region_id.in_(expansions))
    return and_(*names, is_outside_of_loops, _TaskInstance.region_index == key.map_index)


def select_try(number: int | None) -> Any:
    """Return the condition for a try, in a statement with `ALL_TRIES`.

    Args:
        number: Number of the try; None for the latest one.
    """
    if number is not None:
        return _TaskInstance.try_number == number
    return _TaskInstance.working_set.is_(True) if HAS_REGIONS else literal(True)
