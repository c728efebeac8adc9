"""Fixtures of the integration tests: the emulator, and servers on loopback that give the answers of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.emulator.dialects import OPENAI_DIALECTS
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS
from tests.support.airflow_version import AIRFLOW_3
from tests.support.dialect_server import LONG, DialectServer
from tests.support.scripted_server import KEY, Reply, ScriptedServer, SeenRequest, connect
from tests.support.task_driver import TaskDriver


@pytest.fixture(scope="session")
def database() -> None:
    """Create Airflow's database, with the assets of the test Dags."""
    from airflow.utils.db import initdb

    initdb()
    if AIRFLOW_3 and not AIRFLOW_V_3_1_PLUS:
        _activate("veo_video", "veo_daily_video")


def _activate(*names: str) -> None:
    """Activate assets, as a scheduler does: `dag.test()` of Airflow 3.0 runs no task whose assets are inactive."""
    from airflow.models.asset import AssetActive, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        assets = [AssetModel(name=name, uri=name) for name in names]
        session.add_all(assets)
        session.flush()
        session.add_all(AssetActive.for_asset(asset) for asset in assets)


@pytest.fixture
def emulator(request: pytest.FixtureRequest) -> Iterator[EmulatorServer]:
    """Start the emulator: in the dialect `veo-gateway`, or in that of an indirect parameter, as by `every_dialect`."""
    dialect = getattr(request, "param", "veo-gateway")
    with EmulatorServer(Settings(dialect=dialect, api_key=KEY, generation_seconds=0.5, model="veo-3.1")) as server:
        yield server


@pytest.fixture
def veo_default(emulator, monkeypatch) -> EmulatorServer:
    """Make the emulator the default connection, with a short poll interval."""
    connect(monkeypatch, emulator.url)
    return emulator


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Return a function that starts a scripted server, with its answers in order or with a function that answers."""
    servers: list[ScriptedServer] = []

    def start(*script: Reply | Callable[[SeenRequest], Reply]) -> ScriptedServer:
        if len(script) == 1 and callable(script[0]):
            server = ScriptedServer(script[0])
        else:
            answers = iter(script)
            server = ScriptedServer(lambda _request: next(answers))
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def dialect_servers() -> Iterator[dict[str, DialectServer]]:
    """Start one server for each dialect, for all tests of a module."""
    with ExitStack() as stack:
        yield {dialect: stack.enter_context(DialectServer(dialect)) for dialect in OPENAI_DIALECTS}


@pytest.fixture
def dialect_server(dialect_servers, dialect) -> DialectServer:
    """Return the server of the test's dialect."""
    dialect_servers[dialect].now += 10 * LONG
    return dialect_servers[dialect]


@pytest.fixture(params=[True, False], ids=["deferred", "waiting"])
def task(request, serve, monkeypatch, tmp_path):
    """Return a function that starts a gateway and returns a task that orders from it."""
    monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(content_poll_interval=0.01, retry_pause=0.001))

    def make(gateway, retries=0, **arguments):
        connect(monkeypatch, serve(gateway).url)
        defaults = {
            "prompt": "p",
            "deferrable": request.param,
            "poll_interval": 0.01,
            "destination": f"{tmp_path}/{{video_id}}.mp4",
        }
        return TaskDriver(defaults | arguments, retries)

    return make


@pytest.fixture(params=[True, False], ids=["deferred", "waiting"])
def emulated_task(request, veo_default):
    """Return a function that returns a task that orders from the emulator, which is its attribute `emulator`."""

    def make(retries=0, **arguments):
        defaults = {"prompt": "p", "model": "veo-3.1", "deferrable": request.param, "poll_interval": 0.1}
        return TaskDriver(defaults | arguments, retries)

    make.emulator = veo_default
    return make
