"""An Airflow of many machines, which are all this one: PostgreSQL, Redis, two workers, two triggerers; and a gateway."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psycopg2
import pytest
from airflow_lab import AirflowLab
from machines import GATEWAY, KEY, SETTINGS, WORKERS, Cluster
from services import PostgreSQL, Redis

from airflow_provider_veo.emulator.server import EmulatorServer


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    for service in (PostgreSQL, Redis):
        if service.program() is None:
            pytest.skip(f"{service.__name__} is missing. On Debian: apt install {service.package}")
    storage = tmp_path_factory.mktemp("videos")
    with (
        PostgreSQL() as database,
        Redis() as broker,
        EmulatorServer(GATEWAY) as gateway,
    ):
        settings = SETTINGS | {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url,
            "AIRFLOW__CELERY__BROKER_URL": broker.url,
            "AIRFLOW__VEO__STORAGE": str(storage),
        }
        connections = {"veo_default": {"conn_type": "veo", "host": gateway.url, "password": KEY}}
        components = ("api-server", "scheduler", "dag-processor", "triggerer", *WORKERS)
        with (
            AirflowLab(Path(__file__).parent / "dags", connections, settings, components=components) as lab,
            contextlib.closing(psycopg2.connect(database.dsn)) as sql,
        ):
            sql.autocommit = True
            cluster = Cluster(lab, gateway, sql, storage)
            cluster.start_second_triggerer()
            yield cluster
