"""The page on Airflow 3.4 and later: loops, mapped tasks in loops, earlier tries, and XComs from before the upgrade."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY, PROGRESS_KEY
from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS

if not AIRFLOW_V_3_4_PLUS:
    pytest.skip("Airflow keeps the XComs of each try since 3.4", allow_module_level=True)

from airflow.models.dagrun import DagRun
from airflow.models.dynamic_region import DynamicRegion
from airflow.models.taskinstance import LegacyTaskDataOwner, TaskInstance
from airflow.models.xcom import XComModelV1
from sqlalchemy import delete, insert, select, update

from airflow_provider_veo.ui import queries
from airflow_provider_veo.ui.queries import Filter
from airflow_provider_veo.ui.views import TaskKey
from tests.support import page_entries

DAG, RUN = "videos", "r"


@pytest.fixture
def session():
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    with create_session() as session:
        _empty(session)
        yield session
        session.rollback()
        _empty(session)


def _empty(session):
    for table in (XComModelV1, LegacyTaskDataOwner):
        session.execute(delete(table))
    page_entries.empty(session)


def notes(name):
    order = {"prompt": name, "model": "m", "videos": 1}
    return {ORDER_KEY: order, OUTCOME_KEY: {"videos": [name], "estimated_cost_usd": 0.1, "path": f"/v/{name}.mp4"}}


def add_region(session, node, parent=None, index=None):
    region = DynamicRegion(dag_id=DAG, run_id=RUN, node_id=node, parent_region_id=parent, parent_region_index=index)
    session.add(region)
    session.flush()
    return region.id


def place(session, task_id, index, region, new_index):
    """Move a task instance that was added outside of all regions into one."""
    of_task = (TaskInstance.task_id == task_id, TaskInstance.region_index == index)
    outside = TaskInstance.region_id == UUID(int=0)
    session.execute(
        update(TaskInstance).where(*of_task, outside).values(region_id=region, region_index=new_index),
        execution_options={"synchronize_session": False},
    )


@pytest.fixture
def loop(session):
    """Add a loop of three passes with a plain task and, in two of them, two mapped ones, and mapped ones outside."""
    plain = [("plain", n, "success", notes(f"plain {n}")) for n in range(3)]
    mapped = [("mapped", n, "success", notes(f"mapped {n}")) for n in range(4)]
    outside = [("outside", n, "success", notes(f"outside {n}")) for n in range(2)]
    page_entries.add_run(session, DAG, RUN, [*plain, *mapped, *outside, ("alone", -1, "success", notes("alone"))])
    region = add_region(session, "loop")
    for n in range(3):
        place(session, "plain", n, region, n)
    for passed in range(2):
        expansion = add_region(session, "mapped", region, passed)
        for n in range(2):
            place(session, "mapped", 2 * passed + n, expansion, n)
    expansion = add_region(session, "outside")
    for n in range(2):
        place(session, "outside", n, expansion, n)
    session.commit()


def test_each_task_in_a_loop_is_shown_once_and_with_its_own_entries(session, loop):
    rows = queries.read_newest(session, {DAG}, Filter(), 1).rows
    found = {row.order["prompt"]: (row.task_id, row.map_index, row.pass_index) for row in rows}
    assert len(rows) == 10
    assert found == {
        **{f"plain {n}": ("plain", -1, n) for n in range(3)},
        **{f"mapped {n}": ("mapped", n % 2, n // 2) for n in range(4)},
        **{f"outside {n}": ("outside", n, None) for n in range(2)},
        "alone": ("alone", -1, None),
    }
    assert all(row.outcome["videos"] == [row.order["prompt"]] for row in rows)
    groups, _ = queries.count_groups(session, {DAG}, Filter())
    assert sum(group.tasks for group in groups) == 10
    assert sum(group.cost for group in groups) == pytest.approx(1.0)


def test_each_task_in_a_loop_is_found_by_its_own_key(session, loop):
    rows = queries.read_newest(session, {DAG}, Filter(), 1).rows
    assert len({row.key for row in rows}) == 10
    for row in rows:
        assert queries.read_task(session, row.key) == row


def test_a_mapped_task_outside_of_loops_is_found_without_its_region(session, loop):
    row = queries.read_task(session, TaskKey(DAG, RUN, "outside", 1))
    assert row is not None
    assert row.order["prompt"] == "outside 1"
    assert queries.read_task(session, TaskKey(DAG, RUN, "mapped", 1)) is None


def test_a_task_filter_takes_all_passes(session, loop):
    rows = queries.read_newest(session, {DAG}, Filter(task_id="plain"), 1).rows
    assert [row.order["prompt"] for row in rows] == ["plain 2", "plain 1", "plain 0"]
    groups, _ = queries.count_groups(session, {DAG}, Filter(task_id="plain"))
    assert sum(group.tasks for group in groups) == 3


def test_a_file_of_a_pass_is_asked_for_by_its_region(session, loop):
    stored = {"of": "plain 1", "path": "/v/a.mp4", "bytes": 1, "media_type": "video/mp4"}
    _add_tasks(session, [("download", 1, "success", {OUTCOME_KEY: stored})])
    region = session.scalars(select(DynamicRegion.id).where(DynamicRegion.node_id == "loop")).one()
    place(session, "download", 1, region, 1)
    session.commit()
    rows = queries.read_newest(session, {DAG}, Filter(task_id="plain"), 1).rows
    found = queries.read_stored_by_others(session, rows)
    assert found[DAG, RUN, "plain 1"].key == TaskKey(DAG, RUN, "download", -1, str(region), 1)


def _add_tasks(session, tasks, **values):
    run = session.scalars(select(DagRun.id)).one()
    instances, xcoms = page_entries.make_rows(DAG, RUN, run, tasks, at=page_entries.START)
    page_entries.add_rows(session, ([one | values for one in instances], xcoms))
    session.commit()
    return [one["id"] for one in instances]


@pytest.fixture
def two_tries(session):
    """Add a task whose first try has failed, and whose second one has succeeded."""
    page_entries.add_run(session, DAG, RUN, [("create", -1, "success", notes("second"))])
    session.execute(update(TaskInstance).values(try_number=2), execution_options={"synchronize_session": False})
    failed = {ORDER_KEY: {"prompt": "first"}, OUTCOME_KEY: {"error": "refused"}}
    _add_tasks(session, [("create", -1, "up_for_retry", failed)], working_set=None, try_number=1)


def test_an_earlier_try_is_shown_with_its_own_entries(session, two_tries):
    row = queries.read_task(session, TaskKey(DAG, RUN, "create", -1, try_number=1))
    assert (row.order["prompt"], row.outcome["error"], row.status) == ("first", "refused", "failed")
    assert (row.try_number, row.latest_try, row.key.try_number) == (1, 2, 1)


def test_the_latest_try_is_shown_unless_another_one_is_asked_for(session, two_tries):
    for number in (None, 2):
        row = queries.read_task(session, TaskKey(DAG, RUN, "create", -1, try_number=number))
        assert (row.order["prompt"], row.latest_try, row.key.try_number) == ("second", None, None)
    assert queries.read_task(session, TaskKey(DAG, RUN, "create", -1, try_number=3)) is None


def test_the_kept_tries_are_listed(session, two_tries):
    assert queries.read_tries(session, TaskKey(DAG, RUN, "create", -1, try_number=1)) == [1, 2]
    rows = queries.read_newest(session, {DAG}, Filter(), 1).rows
    assert [row.order["prompt"] for row in rows] == ["second"]
    groups, _ = queries.count_groups(session, {DAG}, Filter())
    assert sum(group.tasks for group in groups) == 1


def _age(session, *keys):
    """Move the XComs of some keys to the table of Airflow before 3.4, as an upgrade does."""
    table = page_entries.XCOMS
    run = session.scalars(select(DagRun.id)).one()
    tasks = {task.id: task for task in session.scalars(select(TaskInstance))}
    for task in tasks.values():
        names = {"dag_id": DAG, "run_id": RUN, "task_id": task.task_id, "map_index": task.region_index}
        session.execute(insert(LegacyTaskDataOwner).values(**names, task_instance_id=task.id))
        for xcom in session.scalars(select(table).where(table.task_instance_id == task.id, table.key.in_(keys))).all():
            values = {"key": xcom.key, "value": xcom.value, "timestamp": xcom.timestamp, "dag_run_id": run}
            session.execute(insert(XComModelV1), [names | values])
            session.delete(xcom)
    session.commit()


ALL = (ORDER_KEY, OUTCOME_KEY, PROGRESS_KEY)


@pytest.mark.parametrize("keys", [ALL, (ORDER_KEY, PROGRESS_KEY)], ids=["before", "during the task"])
def test_tasks_from_before_the_upgrade_are_shown(session, keys):
    tasks = [("create", n, "success", notes(f"old {n}")) for n in range(3)]
    page_entries.add_run(session, DAG, RUN, tasks)
    _age(session, *keys)
    _add_tasks(session, [("create", 3, "success", notes("new"))])
    rows = queries.read_newest(session, {DAG}, Filter(), 1).rows
    assert sorted(row.order["prompt"] for row in rows) == ["new", "old 0", "old 1", "old 2"]
    assert all(row.outcome["videos"] == [row.order["prompt"]] for row in rows)
    assert queries.read_task(session, TaskKey(DAG, RUN, "create", 1)).order["prompt"] == "old 1"
    groups, _ = queries.count_groups(session, {DAG}, Filter())
    assert (sum(group.tasks for group in groups), sum(group.cost for group in groups)) == (4, pytest.approx(0.4))


def test_an_order_from_before_the_upgrade_that_was_written_again_counts_once(session):
    page_entries.add_run(session, DAG, RUN, [("create", -1, "success", notes("old"))])
    _age(session, *ALL)
    task = session.scalars(select(TaskInstance.id)).one()
    again = [
        {"task_instance_id": task, "key": key, "value": value, "timestamp": page_entries.START + timedelta(1)}
        for key, value in notes("again").items()
    ]
    session.execute(insert(page_entries.XCOMS), again)
    session.commit()
    rows = queries.read_newest(session, {DAG}, Filter(), 1).rows
    assert [row.order["prompt"] for row in rows] == ["again"]
    groups, _ = queries.count_groups(session, {DAG}, Filter())
    assert sum(group.tasks for group in groups) == 1
