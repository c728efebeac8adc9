"""A distributed Airflow, started once for all tests, with a hostile server beside its gateway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.airflow_cluster import DAGS, video_cluster
from tests.cluster.services import PostgreSQL, Redis
from tests.support.hostile_gateway import POISONED_BRIEFLY, Case, Cases, HostileGateway
from tests.support.hostile_runs import INNOCENT

CASES = Cases({"hostile_words": POISONED_BRIEFLY, INNOCENT: {"create": Case(end="success")}})
HOSTILE_DAGS = Path(__file__).parents[1] / "system" / "hostile_dags"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    for service in (PostgreSQL, Redis):
        if service.program() is None:
            pytest.skip(f"{service.__name__} is missing. On Debian: apt install {service.name}")
    with HostileGateway(CASES) as hostile:
        connections = {**hostile.connections(), "files": {"conn_type": "fs"}}
        settings = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": _bundles(DAGS, HOSTILE_DAGS)}
        storage = tmp_path_factory.mktemp("videos")
        with video_cluster(storage, connections, settings | CASES.environment()) as cluster:
            cluster.hostile = hostile
            yield cluster


def _bundles(*folders):
    """Return the setting that makes Airflow read the Dags of some folders."""
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return json.dumps(
        [{"name": folder.name, "classpath": local, "kwargs": {"path": str(folder)}} for folder in folders]
    )
