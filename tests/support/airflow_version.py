"""Which Airflow the tests run with, where the package itself need not know."""

from __future__ import annotations

import importlib.util

AIRFLOW_3 = importlib.util.find_spec("airflow.sdk") is not None
