"""Mapped tasks that begin on Airflow 3.3 and end on 3.4, where mapped tasks of new runs have a region."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from airflow_provider_veo.emulator.faults import Fault, Trouble
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from dev.airflow_lab import AirflowLab
from tests.system.system_lab import KEY, System

STABLE = os.environ.get("VEO_STABLE_PYTHON", "")


@pytest.fixture
def gateways():
    settings = {
        "veo_keys": Settings(api_key=KEY, generation_seconds=2, honours_idempotency_key=True),
        "veo_held": Settings(api_key=KEY, generation_seconds=2),
    }
    with ExitStack() as stack:
        yield {name: stack.enter_context(EmulatorServer(setting)) for name, setting in settings.items()}


@contextmanager
def airflow(gateways, home, **options):
    """Start an Airflow with the database of a folder."""
    connections = {
        name: {"conn_type": "veo", "host": gateway.url, "password": KEY, "extra": {"profile": "veo-gateway"}}
        for name, gateway in gateways.items()
    }
    dags = Path(__file__).with_name("upgrade_dags")
    with AirflowLab(dags, connections, {}, home=home, keep=True, **options) as lab:
        yield System(lab, gateways)


@pytest.mark.skipif(not STABLE, reason="VEO_STABLE_PYTHON names no Python with an Airflow that can be upgraded")
def test_mapped_tasks_of_an_upgraded_airflow_keep_their_job_and_their_idempotency_key(gateways, tmp_path):
    gateways["veo_keys"].faults.add("order", Fault(Trouble.DROPPED, accepted=True))
    gateways["veo_held"].jobs.hold()
    with airflow(gateways, tmp_path, python=STABLE) as old:
        run_id = old.lab.trigger("upgraded")
        old.wait_until("the unknown order", lambda: old.jobs("veo_keys", f"{run_id} unknown"))
        old.lab.pause("upgraded")
        waits = {"unknown[0]": "up_for_retry", "waiting[0]": "deferred"}
        old.wait_until("both tasks to wait", lambda: old.lab.task_states("upgraded", run_id) == waits)
        version = old.lab.get("/version")["version"]
    counters = gateways["veo_keys"].jobs.counters
    assert (counters.orders, counters.repeated_orders) == (1, 0), "the retry came before the Dag was paused"
    gateways["veo_held"].jobs.release()
    with airflow(gateways, tmp_path) as new:
        assert new.lab.get("/version")["version"] > version
        new.lab.unpause("upgraded")
        assert new.until_over("upgraded", run_id) == "success", new.lab.log_tail(60)
        assert new.charged("veo_keys", f"{run_id} unknown") == new.charged("veo_held", f"{run_id} waiting") == 1
    assert (counters.orders, counters.repeated_orders) == (1, 1)
    assert gateways["veo_held"].jobs.counters.orders == 1
    shutil.rmtree(tmp_path)
