"""A real Airflow with example runs and two users, and a real browser."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from dev.airflow_lab import AirflowLab
from dev.waiting import wait_until
from tests.page.constants import (
    FAILING,
    KEY,
    LONG_ERROR,
    MORE_RUNS,
    RUNS,
    SHOWS_PROGRESS,
    TIMEOUT,
    UNCOLLECTED_ERROR,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCREENSHOTS = ROOT / "screenshots"


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Start Airflow without any video."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "passwords.json").write_text(json.dumps({"admin": "admin", "vera": "vera"}))
    settings = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,vera:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__VEO__STORAGE": str(folder / "videos"),
        "AIRFLOW__VEO__TASK_TAB": "True",
        "PYTHONPATH": str(ROOT),
    }
    quick, slow = Settings(api_key=KEY, generation_seconds=4), Settings(api_key=KEY, generation_seconds=900)
    with EmulatorServer(quick) as emulator, EmulatorServer(slow) as slow_emulator:
        extra = {"profile": "veo-gateway"}
        connections = {
            "veo_default": {"conn_type": "veo", "host": emulator.url, "password": KEY, "extra": extra},
            "veo_slow": {"conn_type": "veo", "host": slow_emulator.url, "password": KEY, "extra": extra},
            "veo_broke": {"conn_type": "veo", "host": emulator.url, "password": "another key"},
        }
        with AirflowLab(HERE / "dags", connections, settings, ("admin", "admin")) as lab:
            yield lab


@pytest.fixture(scope="session")
def guarded(lab):
    """Return the address of a second API server of the same Airflow, where viewers may not see all Dags.

    `airflow standalone` itself knows its simple auth manager only. The address has a path, as behind many proxies.
    """
    return lab.start_api_server({"AIRFLOW__CORE__AUTH_MANAGER": "tests.page.rights.RightsByDag"}, "/airflow")


@pytest.fixture(scope="session")
def history(lab):
    """Add a hundred older jobs, a very long error and an uncollected video to the database.

    They come before the runs of the Dags: the page shows the newest Dag runs first.
    """
    code = f"""
from tests.support import page_entries
from airflow.utils.session import create_session
from airflow_provider_veo.api.backends.profiles import GENERIC
from airflow_provider_veo.observability.keys import ORDER_KEY, OUTCOME_KEY
from airflow_provider_veo.observability.page import describe_order
with create_session() as session:
    page_entries.add_tasks(session, 100, dag_id="history", per_run=25)
    notes = {{ORDER_KEY: describe_order("A long story", "m", GENERIC), OUTCOME_KEY: {{"error": {LONG_ERROR!r}}}}}
    page_entries.add_run(session, "long_error", "r", [("create", -1, "failed", notes)])
    notes[OUTCOME_KEY] = {{"error": {UNCOLLECTED_ERROR!r}, "uncollected": "video_7"}}
    page_entries.add_run(session, "uncollected", "r", [("create", -1, "failed", notes)])
"""
    command = [sys.executable, "-c", code]
    for _ in range(5):  # SQLite is locked now and then
        done = subprocess.run(command, env=lab.environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(2)
    raise AssertionError(done.stderr)


@pytest.fixture(scope="session")
def runs(lab, history):
    """Run all Dags, and return their run ids. The job of the Dag `slow` takes a quarter of an hour."""
    started = {dag_id: lab.trigger(dag_id, {"prompt": "A cat <b>wants</b> in"}) for dag_id in RUNS}
    ends = {dag_id: "failed" if dag_id in FAILING else "success" for dag_id in RUNS if dag_id != "slow"}
    for dag_id, end in ends.items():
        wait_until(f"{dag_id} to end", lambda d=dag_id: lab.run_state(d, started[d]) in ("success", "failed"), TIMEOUT)
        assert lab.run_state(dag_id, started[dag_id]) == end, lab.task_states(dag_id, started[dag_id])
    wait_until("the wait", lambda: lab.task_states("slow", started["slow"]) == {"create": "deferred"}, TIMEOUT)
    if SHOWS_PROGRESS:
        wait_until("progress", lambda: "%" in str(xcom(lab, "slow", started["slow"], "create", "progress")), TIMEOUT)
    return started


@pytest.fixture(scope="session")
def more_runs(lab, runs):
    """Run the Dags of `more.py`, and return their run ids. The task of the Dag `tries` has two tries, by a clear."""
    started = {dag_id: lab.trigger(dag_id) for dag_id in MORE_RUNS}

    def succeed(dag_id):
        wait_until(f"{dag_id} to end", lambda: lab.run_state(dag_id, started[dag_id]) in ("success", "failed"), TIMEOUT)
        assert lab.run_state(dag_id, started[dag_id]) == "success", lab.task_states(dag_id, started[dag_id])

    succeed("tries")
    body = {"dry_run": False, "dag_run_id": started["tries"], "task_ids": ["create"], "only_failed": False}
    lab.request("POST", "/dags/tries/clearTaskInstances", body)
    for dag_id in MORE_RUNS:
        succeed(dag_id)
    return started


def xcom(lab, *names):
    try:
        return lab.xcom(*names)
    except httpx.HTTPStatusError as error:
        if error.response.status_code != 404:
            raise
        return None  # it does not exist yet


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "The tests of the page need Chromium. On Debian: apt install chromium"
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        # no GPU and no sandbox: containers offer neither
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit(lab, chromium):
    """Return a function that opens Airflow in the browser as one of the users.

    At the end, the fixture checks that no page has sent a request to another host or written an error to the console.
    With `refusals`, the console is not checked, since a browser writes each answer of 4xx to it.
    """
    contexts, servers, errors, foreign = [], [], [], []

    def watch(page: Page):
        page.on("console", lambda line: line.type == "error" and is_ours(line) and errors.append(line.text))
        page.on("pageerror", lambda error: errors.append(str(error)))

    def is_ours(line):
        """Airflow 3.4 itself asks for details that a task in a loop does not have."""
        return "/api/v2/" not in line.location.get("url", "")

    def request(asked):
        if not asked.url.startswith((*servers, "data:", "blob:")):
            foreign.append(asked.url)

    def open_(user="admin", *, server=lab.url, theme="light", width=1400, height=900, refusals=False):
        servers.append(server)
        size = {"width": width, "height": height}
        context = chromium.new_context(base_url=f"{server}/", viewport=size, color_scheme=theme)
        contexts.append(context)
        context.set_default_timeout(60_000)
        context.add_cookies([{"name": "_token", "value": lab.token((user, user)), "url": server}])
        if not refusals:
            context.on("page", watch)
        context.on("request", request)
        return context.new_page()

    yield open_
    for context in contexts:
        context.close()
    assert errors == []
    assert foreign == []


@pytest.fixture(scope="session")
def shoot():
    """Return a function that takes a screenshot of a page."""
    SCREENSHOTS.mkdir(exist_ok=True)

    def keep(page, name, **more):
        page.wait_for_timeout(300)  # transitions
        page.screenshot(path=SCREENSHOTS / f"{name}.png", **more)

    return keep


@pytest.fixture(scope="session")
def axe():
    """Return a function that lists the serious accessibility violations of a page."""
    environment = Path(sys.prefix)
    if environment.name == "next":  # the environment of Airflow's pre-release is within the other one
        environment = environment.parent
    path = environment / "axe" / "node_modules" / "axe-core" / "axe.min.js"
    assert path.exists(), "axe-core is missing: `make test-page` installs it"
    source = path.read_text()

    def check(frame):
        frame.evaluate(source)
        found = frame.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert found["passes"], "axe has checked nothing"
        return [
            f"{one['impact']}: {one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]

    return check


@pytest.fixture
def address(runs):
    """Return a function that makes the address of a task's page."""

    def make(dag_id, task_id="create", map_index=-1, **more):
        query = {"dag_id": dag_id, "run_id": runs.get(dag_id), "task_id": task_id, "map_index": map_index} | more
        return f"veo/task?{urlencode(query)}"

    return make
