"""The lab names task instances as people do: by their task, map index and pass."""

from __future__ import annotations

import pytest

from dev.airflow_lab import _name, read_pass_index

PLAIN = {"task_id": "create", "map_index": -1}
IN_PASS_2 = {"in_loop": True, "loop_iteration": {"loop_id": "takes", "iteration": 2}}


@pytest.mark.parametrize(
    ("instance", "name"),
    [
        (PLAIN, "create"),
        (PLAIN | {"map_index": 3}, "create[3]"),
        (PLAIN | IN_PASS_2, "create pass 2"),
        (PLAIN | {"map_index": 3} | IN_PASS_2, "create[3] pass 2"),
        (PLAIN | {"in_loop": False, "loop_iteration": None}, "create"),
    ],
)
def test_the_name_of_a_task_instance_has_its_map_index_and_its_pass(instance, name):
    assert _name(instance) == name
    assert read_pass_index(instance) == (2 if "pass 2" in name else None)
