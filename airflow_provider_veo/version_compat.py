"""Which Airflow this is, where no feature of it tells."""

from __future__ import annotations

from airflow import __version__
from packaging.version import Version

_RELEASE = Version(__version__).release

AIRFLOW_V_3_1_PLUS = _RELEASE >= (3, 1)
AIRFLOW_V_3_4_PLUS = _RELEASE >= (3, 4)
