"""The identity of a task instance, also in task loops and expansions."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

from airflow_provider_veo.orders.identity import TaskIdentity

LOOP, FORK, EXPANSION = (UUID(int=number) for number in (1, 2, 3))


def identify(map_index=-1, loop=None, **place):
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="g.t", map_index=map_index, max_tries=1, **place)
    return TaskIdentity.of(ti, loop=loop)


def test_the_key_of_a_task_without_a_place_stays_as_in_earlier_versions():
    assert identify().key == "d\0r\0g.t\0-1"
    assert identify(3).key == "d\0r\0g.t\x003"
    assert identify(region_id=UUID(int=0), region_index=-1).key == identify().key


def test_no_two_passes_and_no_two_mapped_tasks_have_the_same_key():
    passes = [identify(region_id=region, region_index=index) for region in (LOOP, FORK) for index in range(3)]
    mapped = [identify(index, region_id=EXPANSION, region_index=index) for index in range(3)]
    keys = {task.key for task in (*passes, *mapped)}
    assert len(keys) == 9


def test_the_text_names_the_pass_and_the_map_index():
    plain = identify(loop=SimpleNamespace(index=2), region_id=LOOP, region_index=2)
    assert str(plain) == "Dag d, run r, task g.t, pass 2"
    mapped = identify(1, loop=SimpleNamespace(index=2), region_id=EXPANSION, region_index=1)
    assert str(mapped) == "Dag d, run r, task g.t[1], pass 2"
    assert str(identify(1)) == "Dag d, run r, task g.t[1]"
