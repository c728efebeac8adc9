"""Many requests at once to the Veo page, in Airflow's own API server on SQLite. For PostgreSQL see tests/cluster."""

from __future__ import annotations

import pytest

from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS

if not AIRFLOW_V_3_1_PLUS:
    pytest.skip("Airflow shows pages of plugins since 3.1", allow_module_level=True)

from tests.support.page_server import LONGEST, ROUTES, PageServer, health_beside


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with PageServer(tmp_path_factory.mktemp("page")) as server:
        yield server


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_airflow_stays_responsive_during_a_burst_of_requests(server, route):
    assert health_beside(server, 100, *route) < LONGEST
