"""The Airflow version of the test run, for tests whose expectations differ where the package itself does not."""

from __future__ import annotations

import importlib.util

AIRFLOW_3 = importlib.util.find_spec("airflow.sdk") is not None
