"""Each backend on a real Airflow: a task that is killed pays once, a video is stored, and no secret is left behind."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from airflow_provider_veo.emulator.google_cloud import make_key
from tests.support.hostile_runs import tables
from tests.support.key_spellings import files_with, rows_with
from tests.system.system_lab import KEY

BACKENDS = ("veo_openrouter", "veo_gemini", "veo_vertex")
ENDS = {"after post": "failed", "after record": "success", "download": "success"}


@pytest.fixture(scope="module")
def runs(system):
    """Run all tasks at the same time, and read the database while they wait."""
    runs = {
        (conn_id, point): system.start("crashing", conn_id, point=point, on_unknown="fail")
        for conn_id in BACKENDS
        for point in ENDS
    }
    for conn_id in BACKENDS:
        with system.held(conn_id):
            run_id = runs[conn_id, "held"] = system.start("crashing", conn_id, point="none", on_unknown="fail")
            system.until_deferred("crashing", run_id)
            runs[conn_id, "rows"] = all_tables(system)
    return runs


def all_tables(system):
    return tables(system.sql, "select name from sqlite_master where type = 'table'")


def creates(system, conn_id):
    """Return the number of creates on the wire."""
    ends = ("/interactions", ":predictLongRunning", "/videos")
    return [
        line.split()[:2]
        for line in system.gateways[conn_id].jobs.requests
        if line.partition(" ")[0] == "POST" and line.split()[1].partition("?")[0].endswith(ends)
    ]


@pytest.mark.parametrize("point", ENDS)
@pytest.mark.parametrize("conn_id", BACKENDS)
def test_a_killed_task_pays_once(system, runs, conn_id, point):
    run_id = runs[conn_id, point]
    assert system.until_over("crashing", run_id) == ENDS[point], system.all_logs("crashing", run_id)
    assert len(system.jobs(conn_id, run_id)) == system.charged(conn_id, run_id) == 1
    if ENDS[point] == "failed":
        assert "It is unknown whether a video was ordered" in system.log("crashing", run_id)


@pytest.mark.parametrize("conn_id", BACKENDS)
def test_a_task_stores_its_video(system, runs, conn_id):
    run_id = runs[conn_id, "held"]
    assert system.until_over("crashing", run_id) == "success", system.all_logs("crashing", run_id)
    result = system.lab.result("crashing", run_id, "create")
    content = Path(result["path"]).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (result["bytes"], result["sha256"])
    assert len(system.jobs(conn_id, run_id)) == 1


@pytest.mark.parametrize("conn_id", BACKENDS)
def test_each_task_sends_one_create(system, runs, conn_id):
    for point in (*ENDS, "held"):
        system.until_over("crashing", runs[conn_id, point])
    assert len(creates(system, conn_id)) == len(ENDS) + 1


def test_no_key_and_no_token_is_left_in_files_and_tables(system, runs):
    for conn_id in BACKENDS:
        for point in (*ENDS, "held"):
            system.until_over("crashing", runs[conn_id, point])
    vertex = system.gateways["veo_vertex"]
    tokens = list(vertex.tokens._ends)
    assert tokens
    private = make_key(vertex.url)["private_key"].splitlines()[5]
    found = [all_tables(system), *(runs[conn_id, "rows"] for conn_id in BACKENDS)]
    assert any(rows["trigger"] for rows in found)
    for secret in (KEY, private, *tokens):
        assert files_with(secret, system.lab.home) == []
        assert files_with(secret, Path(system.lab.environment["AIRFLOW__VEO__STORAGE"])) == []
        for rows in found:
            assert rows_with(secret, rows) == []
