"""Destinations, as they are written in Dags, and the targets that they mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.storage import destinations
from airflow_provider_veo.storage.local import LocalTarget
from airflow_provider_veo.storage.objects import ObjectTarget


def test_absolute_paths_are_local_targets(tmp_path):
    assert destinations.resolve(str(tmp_path / "a.mp4"), name="v") == LocalTarget(tmp_path / "a.mp4")
    assert destinations.resolve(tmp_path / "a.mp4", name="v") == LocalTarget(tmp_path / "a.mp4")
    assert destinations.resolve(f"file://{tmp_path}/a%20b.mp4", name="v") == LocalTarget(tmp_path / "a b.mp4")
    assert destinations.resolve(ObjectStoragePath(f"file://{tmp_path}/a.mp4"), name="v") == LocalTarget(
        tmp_path / "a.mp4"
    )
    assert destinations.resolve("~/a.mp4", name="v") == LocalTarget(Path.home() / "a.mp4")


def test_the_connection_of_an_object_is_kept(memory, tmp_path):
    for destination in (ObjectStoragePath("memory://bucket/a.mp4", conn_id="c"), "memory://c@bucket/a.mp4"):
        target = destinations.resolve(destination)
        assert str(target) == str(destination)
        assert target.conn_id == "c"
        assert target.fs_path == "/bucket/a.mp4"


def test_the_id_is_inserted_into_the_destination(tmp_path):
    assert destinations.resolve(f"{tmp_path}/x-{{video_id}}.mp4", name="video_1") == LocalTarget(
        tmp_path / "x-video_1.mp4"
    )
    assert destinations.resolve(f"{tmp_path}/", name="video_1") == LocalTarget(tmp_path / "video_1.mp4")
    assert destinations.resolve(f"{tmp_path}/{{video_id}}.mp4", name="../../etc/x") == LocalTarget(
        tmp_path / ".._.._etc_x~56da1a2ef2dfa53b.mp4"
    )


@pytest.mark.parametrize(
    "name", [".", "..", "...", "....", "", " ", "/", "../..", "..\0", "\u3002\u3002", "\uff0e\uff0e", "%2e%2e", "~"]
)
@pytest.mark.parametrize(
    "template",
    ["/a/b/{video_id}/{video_id}/f.mp4", "/a/{video_id}", "/a/.{video_id}/f", "/a/{video_id}.", "/a/{video_id}/"],
)
def test_no_name_adds_or_removes_a_folder(template, name):
    for destination in (template, f"file://{template}"):
        found = str(destinations.resolve(destination, name=name))
        assert os.path.normpath(found) == found.rstrip("/")
        assert found.count("/") == template.count("/")
        assert found.startswith("/a/")


def test_relative_destinations_are_below_the_configured_base(tmp_path, monkeypatch, memory):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", f"{tmp_path}/")
    assert destinations.resolve("a/b.mp4", name="v") == LocalTarget(tmp_path / "a/b.mp4")
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", f"{tmp_path}/X")
    assert destinations.resolve("a/b.mp4", name="v") == LocalTarget(tmp_path / "X/a/b.mp4")
    assert destinations.resolve("a/../..b.mp4", name="v") == LocalTarget(tmp_path / "X/..b.mp4")
    for base in (memory, f"{memory}/"):
        monkeypatch.setenv("AIRFLOW__VEO__STORAGE", base)
        assert destinations.resolve("a/b.mp4", name="v").fs_path == ObjectStoragePath(f"{memory}/a/b.mp4").path


@pytest.mark.parametrize(
    ("destination", "base", "complaint"),
    [
        ("", None, "destination is empty"),
        (None, None, "destination is empty"),
        ("  ", None, "destination is empty"),
        ("a.mp4", None, r"^destination 'a.mp4' is relative.*set \[veo\] storage \(AIRFLOW__VEO__STORAGE\)"),
        ("a.mp4", "videos", r"\[veo\] storage is 'videos'"),
        ("../a.mp4", "/videos", r"'../a.mp4' leads out of \[veo\] storage"),
        ("a/../../b/", "s3://bucket", "leads out of"),
        ("/x/{{ ds }}.mp4", None, "still has '{{' in it"),
        ("/x/{vid}-{video_id}.mp4", None, "still has '{vid}' in it, which nothing fills in: only {video_id} is"),
        (
            "nosuch://bucket/a.mp4",
            None,
            r"cannot be used: ValueError: .*nosuch.*with the Airflow provider of that storage",
        ),
        (
            "a.mp4",
            "s3://bucket",
            r"^\[veo\] storage 's3://bucket' cannot be used: .*pip install 'airflow-provider-veo\[s3\]'",
        ),
    ],
)
def test_a_bad_destination_is_refused_with_the_reason(destination, base, complaint, monkeypatch):
    if base:
        monkeypatch.setenv("AIRFLOW__VEO__STORAGE", base)
    with pytest.raises(InvalidInputError, match=complaint):
        destinations.resolve(destination)


@pytest.mark.parametrize("scheme", ["s3", "gs", "abfs"])
def test_a_missing_driver_is_refused_with_the_extra_to_install(scheme):
    extra = {"s3": "s3", "gs": "gcs", "abfs": "azure"}[scheme]
    with pytest.raises(InvalidInputError, match=rf"pip install 'airflow-provider-veo\[{extra}\]'"):
        destinations.resolve(f"{scheme}://bucket/a.mp4")


def test_a_folder_without_write_access_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="file is a file"):
        LocalTarget(tmp_path / "file/a.mp4").check_writable()
    LocalTarget(tmp_path / "new/folder/a.mp4").check_writable()
    for missing in (os.W_OK, os.X_OK):
        monkeypatch.setattr("os.access", lambda path, mode, missing=missing: path != tmp_path or not mode & missing)
        with pytest.raises(InvalidInputError, match=f"may not write to {tmp_path}"):
            LocalTarget(tmp_path / "new/folder/a.mp4").check_writable()


def test_uris_for_assets_are_ascii_and_name_no_connection():
    for place, uri in {
        "/data/ds=2026-11-26/a b.mp4": "file:///data/ds=2026-11-26/a%20b.mp4",
        "/data/猫.mp4": "file:///data/%E7%8C%AB.mp4",
        "s3://c@bucket/x/猫.mp4": "s3://bucket/x/%E7%8C%AB.mp4",
        "s3://c@bucket/猫/a@b://c.mp4": "s3://bucket/%E7%8C%AB/a@b://c.mp4",
        "gs://bucket/a+b&c?.mp4": "gs://bucket/a+b&c%3F.mp4",
    }.items():
        assert destinations.find_target(place, "place").uri == uri


def test_a_sibling_is_in_the_same_folder(tmp_path):
    assert LocalTarget(tmp_path / "a.mp4").sibling("a.mp4.json") == LocalTarget(tmp_path / "a.mp4.json")
    assert str(ObjectTarget.of("s3://c@bucket/x/a.mp4").sibling("b.json")) == "s3://c@bucket/x/b.json"


def test_files_are_found_by_path_and_by_result(tmp_path, memory, monkeypatch):
    local, remote = tmp_path / "a.mp4", destinations.resolve(f"{memory}/a.mp4")
    for target in (local, remote):
        (target if target is local else ObjectStoragePath(str(target))).write_bytes(b"x")
        for source in (target, str(target), {"id": "video_1", "path": str(target)}):
            assert str(destinations.find_source(source, "source")) == str(target)
    assert destinations.find_source(f"file://{local}", "source") == LocalTarget(local)
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))
    assert destinations.find_source("a.mp4", "source") == LocalTarget(local)


def test_two_braces_belong_to_airflow_and_one_to_the_provider():
    with pytest.raises(InvalidInputError) as caught:
        destinations.resolve("/videos/{{video_id}}.mp4")
    assert str(caught.value) == (
        "destination '/videos/{{video_id}}.mp4' still has '{}' in it, which nothing fills in: only {video_id} is "
        "filled in. Airflow renders templates in arguments of an operator, but not in returned values."
    )


@pytest.mark.parametrize(
    ("template", "same"),
    [
        ("video.mp4", True),
        ("s3://task@bucket/ti/{{ ds }}/{{ run_id }}.mp4", True),
        ("{{ params.name }}/{{ times }}.mp4", True),
        ("{video_id}.mp4", False),
        ("{{ ds }}/{video_id}.mp4", False),
        ("folder/", False),
        ("{{ ti.map_index }}.mp4", False),
        ("{{ ds }}/{{\n task.prompt }}.mp4", False),
        ("{{ task_instance.map_index }}.mp4", False),
        ("{{ macros.uuid.uuid4() }}.mp4", False),
        ("{{ task.task_id }}/{{ ti.run_id }}/{{ task_instance_key_str }}.mp4", True),
        ("{{ ti.task_id }}-{{ ti.map_index }}.mp4", False),
        ("{{ ti.task_id ~ ti.xcom_pull('x') }}.mp4", False),
        ("{{ task.task_id_of }}.mp4", False),
        ("{% if ti.map_index %}a{% endif %}.mp4", False),
    ],
)
def test_a_template_that_renders_the_same_for_all_mapped_tasks_is_recognized(template, same):
    assert destinations.is_same_for_all(template) is same


@pytest.mark.parametrize(
    ("template", "same"),
    [
        ("video.mp4", True),
        ("{{ ds }}/{{ ti.map_index }}.mp4", True),
        ("{{ task_instance.map_index }}-{{ ti.task_id }}.mp4", True),
        ("{{ loop.index }}.mp4", False),
        ("{{ ti.map_index }}-{{ loop.index }}.mp4", False),
        ("{video_id}.mp4", False),
        ("folder/", False),
        ("{{ ti.id }}.mp4", False),
        ("{% if loop.index %}a{% endif %}.mp4", False),
        ("{{ ti.xcom_pull('x') }}.mp4", False),
    ],
)
def test_a_template_that_renders_the_same_in_all_passes_of_a_loop_is_recognized(template, same):
    assert destinations.is_same_in_all_passes(template) is same


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (None, "source names no file"),
        ("", "source names no file"),
        ({"id": "video_1"}, "A create task stores its video when it has a destination"),
        ({"id": "video_1", "path": None}, "source names no file"),
        ("/nosuch/a.mp4", "source '/nosuch/a.mp4' does not exist"),
        ("/", "source '/' is a folder"),
        ("a.mp4", r"source 'a.mp4' is relative.*set \[veo\] storage"),
        ("memory://bucket/nosuch.mp4", "does not exist"),
        ("nosuch://bucket/a.mp4", "source .* cannot be used: .*nosuch"),
        ("s3://bucket/a.mp4", r"pip install 'airflow-provider-veo\[s3\]'"),
    ],
)
def test_a_source_that_is_not_a_file_is_refused(memory, source, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        destinations.find_source(source, "source")
