"""An Airflow of many machines, started once for all tests."""

from __future__ import annotations

import pytest
from machines import video_cluster
from services import PostgreSQL, Redis


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    for service in (PostgreSQL, Redis):
        if service.program() is None:
            pytest.skip(f"{service.__name__} is missing. On Debian: apt install {service.name}")
    with video_cluster(tmp_path_factory.mktemp("videos")) as cluster:
        yield cluster
