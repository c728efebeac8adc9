"""Facts about clears in Airflow's own database, on which the unit tests of clears and retries rely."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sqlalchemy import select

from airflow_provider_veo.orders.decision import make_next_record, was_cleared
from airflow_provider_veo.orders.identity import TaskIdentity
from airflow_provider_veo.orders.order import Order
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS
from tests.support.dag_runs import DAGS, dags_in

pytestmark = [
    pytest.mark.usefixtures("database"),
    pytest.mark.skipif(
        not AIRFLOW_V_3_1_PLUS, reason="Airflow before 3.1 stores its Dags in another way; the rules are the same"
    ),
]


def order_of(who):
    return Order(
        fingerprint="f",
        epoch=who.epoch,
        now=1.0,
        timeout=60.0,
        max_submissions=2,
        on_unknown_submission="fail",
        try_number=who.try_number,
        clear_number=who.clear_number,
        retries=who.retries,
    )


def seen_by_the_next_try(ti, retries):
    """Return the identity that the context of the task's next try holds."""
    number = SimpleNamespace(clear_number=ti.dag_run.clear_number)
    following = SimpleNamespace(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=ti.map_index,
        max_tries=ti.max_tries,
        try_number=ti.try_number + 1,
    )
    return TaskIdentity.of(following, number, SimpleNamespace(retries=retries))


@pytest.mark.parametrize("lowered_by", [0, 1, 2])
def test_a_clear_is_recognized_after_retries_were_lowered(veo_default, tmp_path, monkeypatch, lowered_by):
    from airflow.models.dagbag import DBDagBag
    from airflow.models.taskinstance import TaskInstance, clear_task_instances
    from airflow.utils.session import create_session

    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))
    identities = []
    read = TaskIdentity.of
    monkeypatch.setattr(TaskIdentity, "of", lambda *of: identities.append(read(*of)) or identities[-1])
    dag_run = dags_in(DAGS)["one_task_waiting"].test()
    monkeypatch.setattr(TaskIdentity, "of", read)
    assert [(who.epoch, who.clear_number, who.retries) for who in identities] == [(3, 0, 3)]
    assert identities[0].try_number is not None
    with create_session() as session:
        ti = session.scalars(select(TaskInstance).filter_by(dag_id="one_task_waiting", run_id=dag_run.run_id)).one()
        ti.try_number = 1
        record = make_next_record(None, order_of(seen_by_the_next_try(ti, ti.max_tries)), "me")
        ti.try_number = 2  # the record is that of try 2, which has ended
        retries = 3 - lowered_by
        dag = DBDagBag().get_latest_version_of_dag("one_task_waiting", session=session)
        dag.get_task("create").retries = retries
        monkeypatch.setattr(DBDagBag, "get_dag_for_run", lambda self, dag_run, session: dag)
        assert not was_cleared(record, order_of(seen_by_the_next_try(ti, ti.max_tries)))
        clear_task_instances([ti], session)
        assert (ti.max_tries, ti.dag_run.clear_number) == (2 + retries, 1)
        assert was_cleared(record, order_of(seen_by_the_next_try(ti, retries)))
