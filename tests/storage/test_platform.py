"""Stored videos in the rest of a real Airflow: Dags that wait for them, and OpenLineage."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from dev.airflow_lab import AirflowLab
from dev.waiting import wait_until
from tests.storage.stores import BUCKET
from tests.support.scripted_server import KEY

TIMEOUT = 300.0  # seconds


@pytest.fixture(scope="module")
def platform(tmp_path_factory, s3):
    """Run the Dag that stores a video, and wait for the Dags that its assets start."""
    storage, events = tmp_path_factory.mktemp("videos"), tmp_path_factory.mktemp("lineage") / "events.jsonl"
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    settings = {
        "AIRFLOW__VEO__STORAGE": str(storage),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "lab",
    }
    with EmulatorServer(Settings(api_key=KEY, generation_seconds=1)) as emulator:
        veo = {"conn_type": "veo", "host": emulator.url, "password": KEY, "extra": {"profile": "veo-gateway"}}
        connections = {"veo_default": veo, s3.conn_id: s3.connection}
        with AirflowLab(Path(__file__).parent / "dags", connections, settings) as lab:
            for dag_id in ("on_asset", "on_alias"):
                lab.unpause(dag_id)
            runs = {"makes": lab.trigger("makes", {"bucket": s3.uri})}
            wait_until("the Dags that wait", lambda: all_are_over(lab, runs), TIMEOUT)
            made = {task_id: lab.result("makes", runs["makes"], task_id) for task_id in ("create", "copy")}
            read_by_dags = {dag_id: lab.result(dag_id, runs[dag_id], "read") for dag_id in ("on_asset", "on_alias")}
            lines = wait_until("OpenLineage", lambda: completed(events), TIMEOUT)
    yield SimpleNamespace(
        made=made, read_by_dags=read_by_dags, lineage=lines, storage=storage, s3=s3, gateway=emulator.url
    )
    s3.clear()


def all_are_over(lab, runs):
    for dag_id in ("on_asset", "on_alias"):
        runs |= {dag_id: lab.run_ids(dag_id)[0]} if lab.run_ids(dag_id) else {}
    states = {dag_id: lab.run_state(dag_id, run_id) for dag_id, run_id in runs.items()}
    failed = {dag_id: lab.task_states(dag_id, runs[dag_id]) for dag_id, state in states.items() if state == "failed"}
    assert not failed, lab.log_tail(40)
    return list(states.values()) == ["success"] * 3


def completed(file):
    """Return the final event of each task by the name of its job, or {} while one is missing."""
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    ends = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    return ends if {"makes.create", "makes.copy"} <= set(ends) else {}


def test_dags_that_wait_for_the_video_read_its_facts(platform):
    created, copied = platform.made["create"], platform.made["copy"]
    # Airflow shows an event of an alias twice: under the alias, and under the asset
    [asset], [alias, again] = platform.read_by_dags["on_asset"], platform.read_by_dags["on_alias"]
    assert alias == again
    file = platform.storage / "makes" / f"{created['id']}.mp4"
    assert asset == {
        "video_id": created["id"],
        "uri": f"file://{file}",
        "bytes": file.stat().st_size,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "model": "veo-3.1-landscape-fast",
        "prompt_sha256": hashlib.sha256("画小猫".encode()).hexdigest(),
        "size": "1280x720",
        "seconds": 8.0,
        "created_at": created["created_at"],
        "completed_at": created["completed_at"],
        "estimated_cost_usd": 0.15,
        "cost_usd": None,
        "pass_index": None,
    }
    assert copied["path"] == f"{platform.s3.uri}/{created['id']}.mp4"
    # the URI of an asset names no connection
    assert alias == asset | {"uri": f"s3://{BUCKET}/{created['id']}.mp4"}
    assert platform.s3.sha256(f"{created['id']}.mp4") == asset["sha256"]


@pytest.mark.parametrize("task_id", ["create", "copy"])
def test_lineage_names_the_file_and_the_job(platform, task_id):
    event = platform.lineage[f"makes.{task_id}"]
    video_id, result = platform.made["create"]["id"], platform.made[task_id]
    [video] = event["outputs"]
    where = {
        "create": ("file", str(platform.storage / "makes" / f"{video_id}.mp4")),
        "copy": (f"s3://{BUCKET}", f"{video_id}.mp4"),
    }
    assert (video["namespace"], video["name"]) == where[task_id]
    assert video["facets"]["version"]["datasetVersion"] == result["sha256"]
    statistics = video["outputFacets"]["outputStatistics"]
    assert (statistics["size"], statistics["fileCount"]) == (result["bytes"], 1)
    query = event["run"]["facets"]["externalQuery"]
    assert (query["externalQueryId"], query["source"]) == (video_id, platform.gateway)


def test_events_and_lineage_show_no_secret(platform):
    text = json.dumps([platform.read_by_dags, platform.lineage])
    assert KEY not in text
    assert "画小猫" not in json.dumps(platform.read_by_dags, ensure_ascii=False)
    assert platform.s3.connection["password"] not in text
