"""The Airflow version of the test run, for tests whose expectations differ where the package itself does not."""

from __future__ import annotations

import importlib.util

from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS

AIRFLOW_3 = importlib.util.find_spec("airflow.sdk") is not None

# Airflow 3.4 keeps a row for each try, names the map index differently, and stores XComs by try
TASK_INSTANCES = "task_instance"
"""Text after FROM in SQL: the latest tries of all task instances, with their `map_index`."""

XCOMS = "xcom"
"""Text after FROM in SQL: the XComs of the latest tries, with the columns `run_id`, `key` and `value`."""

if AIRFLOW_V_3_4_PLUS:
    TASK_INSTANCES = (
        "(select *, region_index as map_index from task_instance where working_set is true) as task_instance"
    )
    XCOMS = (
        "(select xcom_v2.*, dag_id, run_id, task_id from xcom_v2 join task_instance "
        "on task_instance.id = task_instance_id where working_set is true) as xcom"
    )
