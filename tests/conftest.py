"""A home for Airflow that nobody else uses, set before anything imports Airflow."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_home = tempfile.TemporaryDirectory(prefix="veo-tests-")
os.environ["AIRFLOW_HOME"] = _home.name
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parent / "dags")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
for _name in [name for name in os.environ if name.startswith(("AIRFLOW_CONN_", "AIRFLOW__VEO__"))]:
    del os.environ[_name]
