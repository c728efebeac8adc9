"""Many requests at once to the Veo page, on both databases: Airflow's own routes still answer.

The page is compared with Airflow's list of Dags. On SQLite, a hundred requests at once for that list stop Airflow 3.3.2
for half a minute, and some of them fail: each holds a connection, and the check of a token waits for one on the event
loop.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.cluster.services import PostgreSQL
from tests.support.page_server import BURSTS, PageServer, beside_airflows_own, beside_the_page

NO_HARM = 1.0  # seconds; shorter times depend on other work of the machine


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def server(request, tmp_path_factory):
    with ExitStack() as stack:
        database = None
        if request.param == "PostgreSQL":
            if PostgreSQL.program() is None:
                pytest.skip(f"PostgreSQL is missing. On Debian: apt install {PostgreSQL.name}")
            database = stack.enter_context(PostgreSQL()).url
        yield stack.enter_context(PageServer(tmp_path_factory.mktemp("page"), database))


@pytest.mark.parametrize("count", BURSTS)
def test_a_burst_to_the_page_slows_airflow_no_more_than_a_burst_to_airflows_routes(server, count, capsys):
    page, airflow = beside_the_page(server, count), beside_airflows_own(server, count)
    with capsys.disabled():
        figures = {name: round(seconds, 2) for name, seconds in page.items()}
        print(f"\n{count} at once, health in s: Airflow's Dags {airflow:.2f}, the page {figures}")  # noqa: T201
    assert max(page.values()) <= max(3 * airflow, NO_HARM)
