"""One real Airflow 3.4, or a later pre-release, for all tests of loops; and one emulator for each gateway."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.version_compat import AIRFLOW_V_3_4_PLUS
from dev.airflow_lab import AirflowLab
from tests.system.system_lab import KEY, System

if not AIRFLOW_V_3_4_PLUS:
    collect_ignore_glob = ["test_*.py"]  # older ones have no loops

GATEWAYS = {
    "veo_keys": Settings(api_key=KEY, generation_seconds=2, honours_idempotency_key=True),
    "veo_retry": Settings(api_key=KEY, generation_seconds=2),
    "veo_evicted": Settings(api_key=KEY, generation_seconds=2, can_cancel=True),
    "veo_running": Settings(api_key=KEY, generation_seconds=2, can_cancel=True),
}


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    settings = {
        "VEO_MARKERS": str(tmp_path_factory.mktemp("markers")),
        "AIRFLOW__VEO__STORAGE": str(tmp_path_factory.mktemp("videos")),
        # the new try after a clear of a running task comes this much later
        "AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME": "5",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    }
    with ExitStack() as stack:
        gateways = {name: stack.enter_context(EmulatorServer(gateway)) for name, gateway in GATEWAYS.items()}
        connections = {
            name: {"conn_type": "veo", "host": gateway.url, "password": KEY, "extra": {"profile": "veo-gateway"}}
            for name, gateway in gateways.items()
        }
        lab = stack.enter_context(AirflowLab(Path(__file__).with_name("dags"), connections, settings))
        yield System(lab, gateways)
