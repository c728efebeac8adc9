"""The facts about a stored video: asset events, the sidecar file, and OpenLineage."""

from __future__ import annotations

import json
from types import SimpleNamespace
from uuid import UUID

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_veo.observability.lineage import (
    announce,
    describe_stored,
    hash_prompt,
    name_dataset,
    name_task,
    write_sidecar,
)
from airflow_provider_veo.operators.base import StoringOperator
from airflow_provider_veo.storage.files import StoredVideo


def stored(path):
    return StoredVideo(str(path), 1000, "abc", f"file://{path}", "proof")


def test_facts_that_are_not_known_are_none():
    facts = describe_stored(stored("/videos/a.mp4"), "v", {"model": "veo-3.1", "url": "https://x.example/?signature=s"})
    assert facts == {
        "video_id": "v",
        "uri": "file:///videos/a.mp4",
        "bytes": 1000,
        "sha256": "abc",
        "model": "veo-3.1",
        "prompt_sha256": None,
        "size": None,
        "seconds": None,
        "created_at": None,
        "completed_at": None,
        "estimated_cost_usd": None,
        "cost_usd": None,
        "pass_index": None,
    }


def test_equal_prompts_have_equal_hashes():
    assert hash_prompt("画小猫") == hash_prompt("画小猫") != hash_prompt("画小狗")


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("file:///videos/a.mp4", ("file", "/videos/a.mp4")),
        ("s3://bucket/x/a.mp4", ("s3://bucket", "x/a.mp4")),
        ("gs://bucket/a.mp4", ("gs://bucket", "a.mp4")),
        ("abfs://container/a.mp4", ("abfs://container", "a.mp4")),
    ],
)
def test_a_file_has_a_namespace_and_a_name_for_openlineage(uri, name):
    assert name_dataset(uri) == name


class Event:
    def __init__(self):
        self.extra = {"mine": 1}
        self.added = []

    def add(self, asset, extra):
        self.added.append((asset.uri, extra))


def test_asset_events_hold_the_facts():
    outlets = [Asset("one"), Asset("two"), AssetAlias("files"), "something else"]
    events = {id(outlet): Event() for outlet in outlets}

    class Events:
        def __getitem__(self, outlet):
            return events[id(outlet)]

    facts = describe_stored(stored("/videos/a.mp4"), "v", {})
    announce(Events(), outlets, facts)
    one, two, alias, other = events.values()
    assert one.extra == two.extra == {"mine": 1} | facts
    assert alias.added == [("file:///videos/a.mp4", facts)]
    assert (other.added, other.extra) == ([], {"mine": 1})


def test_the_sidecar_file_is_beside_the_video(tmp_path):
    facts = describe_stored(stored(tmp_path / "a.mp4"), "v", {})
    path = write_sidecar(stored(tmp_path / "a.mp4"), facts, prompt="画小猫")
    assert path == str(tmp_path / "a.mp4.json")
    text = (tmp_path / "a.mp4.json").read_text(encoding="utf-8")
    assert "画小猫" in text
    assert json.loads(text)["prompt"] == "画小猫"


def test_the_sidecar_file_and_the_asset_event_name_the_pass_of_a_loop(tmp_path):
    region = UUID("0199a4b0-0000-7000-8000-000000000001")
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, region_id=region, region_index=2)
    assert name_task(ti, 2) == {
        "dag_id": "d",
        "run_id": "r",
        "task_id": "t",
        "map_index": -1,
        "pass_index": 2,
        "region_id": str(region),
        "region_index": 2,
    }
    assert describe_stored(stored(tmp_path / "a.mp4"), "v", {}, 2)["pass_index"] == 2


def test_a_task_without_a_stored_video_has_no_lineage():
    assert StoringOperator(task_id="t").get_openlineage_facets_on_complete(None) is None
