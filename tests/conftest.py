"""An AIRFLOW_HOME for the tests alone, set before anything imports Airflow."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

_home = tempfile.TemporaryDirectory(prefix="veo-tests-")
os.environ["AIRFLOW_HOME"] = _home.name
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parent / "dags")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
for _name in [name for name in os.environ if name.startswith(("AIRFLOW_CONN_", "AIRFLOW__VEO__"))]:
    del os.environ[_name]


@pytest.fixture
def memory():
    """Return a folder of an object storage that is in the memory of this process."""
    import fsspec

    try:
        from airflow.sdk.io import attach
    except ImportError:  # Airflow 2
        from airflow.io.store import attach
    for conn_id in (None, "c"):
        attach("memory", conn_id, fs=fsspec.filesystem("memory"))
    yield "memory://bucket/videos"
    fsspec.filesystem("memory").store.clear()
    fsspec.filesystem("memory").pseudo_dirs[:] = [""]
