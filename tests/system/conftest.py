"""One real Airflow for all system tests: scheduler, triggerer, workers, database; and one emulator for each gateway."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airflow_provider_veo.emulator.server import EmulatorServer
from dev.airflow_lab import AirflowLab
from tests.support.dag_runs import DAGS
from tests.system.system_lab import FAULTS, GATEWAYS, HEALTH_THRESHOLD, KEY, System, find_extra


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    gateways = {name: EmulatorServer(settings, faults=FAULTS.get(name)) for name, settings in GATEWAYS.items()}
    for gateway in gateways.values():
        gateway.__enter__()
    connections = {
        name: {"conn_type": "veo", "host": gateway.url, "password": KEY, "extra": find_extra(gateway)}
        for name, gateway in gateways.items()
    }
    settings = {
        "VEO_RETRIES": "6",  # as in the other Dags
        "VEO_CRASH_MARKERS": str(tmp_path_factory.mktemp("markers")),
        "AIRFLOW__VEO__STORAGE": str(tmp_path_factory.mktemp("videos")),
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(HEALTH_THRESHOLD),
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        # so that the arguments of triggers can be read in the database
        "AIRFLOW__CORE__FERNET_KEY": "",
        # the tests read the log files as they are
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }
    dags = tmp_path_factory.mktemp("dags")
    for file in [*Path(__file__).with_name("dags").glob("*.py"), DAGS / "failing_afterwards.py"]:
        shutil.copy(file, dags)
    with AirflowLab(dags, connections, settings) as lab:
        yield System(lab, gateways)
    for gateway in gateways.values():
        gateway.__exit__(None, None, None)
