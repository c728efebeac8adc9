"""The version of Airflow that this process runs, as flags."""

from __future__ import annotations

from airflow import __version__
from packaging.version import Version

_RELEASE = Version(__version__).release

AIRFLOW_V_3_1_PLUS = _RELEASE >= (3, 1)
"""Airflow's UI shows pages of plugins."""

AIRFLOW_V_3_3_PLUS = _RELEASE >= (3, 3)
"""Tasks have a state store and retry policies. Triggers have `on_kill`, and can write XComs."""

AIRFLOW_V_3_4_PLUS = _RELEASE >= (3, 4)
"""Airflow has task loops. A clear deletes the state of a task unless its user ticks a box.

Triggers write XComs by a public method, and `on_kill` of a trigger reports an action of a user only. Tabs of plugins
can be limited to operators.
"""
