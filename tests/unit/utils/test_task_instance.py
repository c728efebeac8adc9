"""The place of a task instance in a task loop or an expansion."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import pytest

from airflow_provider_veo.utils.task_instance import Region, find_region

PLACE = UUID("0199a4b0-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    ("attributes", "region"),
    [
        ({}, None),  # before Airflow 3.4
        ({"region_id": None, "region_index": None}, None),  # a trigger outside of a loop
        ({"region_id": UUID(int=0), "region_index": -1}, None),  # a task outside of a loop
        ({"region_id": PLACE, "region_index": 0}, Region(str(PLACE), 0)),
        ({"region_id": str(PLACE), "region_index": 3}, Region(str(PLACE), 3)),
    ],
)
def test_the_place_is_read_from_each_kind_of_task_instance(attributes, region):
    assert find_region(SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, **attributes)) == region
