from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo import storage
from airflow_provider_veo.api.client import ContentStream
from airflow_provider_veo.api.errors import ContentError, InvalidInputError, TransportError

BODY = b"\0\0\0\x20ftypisom" + bytes(range(256)) * 100


def stream(body=BODY, length=None, size=1000):
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    return ContentStream(len(body) if length is None else length, chunks)


@pytest.fixture
def memory():
    try:
        from airflow.sdk.io import attach
    except ImportError:  # Airflow 2
        from airflow.io.store import attach
    for conn_id in (None, "c"):
        attach("memory", conn_id, fs=fsspec.filesystem("memory"))
    yield "memory://bucket/videos"
    fsspec.filesystem("memory").store.clear()


def test_absolute_paths(tmp_path):
    assert storage.resolve(str(tmp_path / "a.mp4"), name="v") == tmp_path / "a.mp4"
    assert storage.resolve(tmp_path / "a.mp4", name="v") == tmp_path / "a.mp4"
    assert storage.resolve(f"file://{tmp_path}/a%20b.mp4", name="v") == tmp_path / "a b.mp4"
    assert storage.resolve(ObjectStoragePath(f"file://{tmp_path}/a.mp4"), name="v") == tmp_path / "a.mp4"
    assert storage.resolve("~/a.mp4", name="v") == Path.home() / "a.mp4"


def test_the_connection_of_an_object_is_kept(memory, tmp_path):
    for destination in (ObjectStoragePath("memory://bucket/a.mp4", conn_id="c"), "memory://c@bucket/a.mp4"):
        target = storage.resolve(destination)
        assert str(target) == str(ObjectStoragePath("memory://bucket/a.mp4", conn_id="c"))
        assert str(target).startswith("memory://c@")


def test_the_id_fills_the_destination(tmp_path):
    assert storage.resolve(f"{tmp_path}/x-{{video_id}}.mp4", name="video_1") == tmp_path / "x-video_1.mp4"
    assert storage.resolve(f"{tmp_path}/", name="video_1") == tmp_path / "video_1.mp4"
    assert storage.resolve(f"{tmp_path}/{{video_id}}.mp4", name="../../etc/x") == tmp_path / ".._.._etc_x.mp4"


def test_relative_destinations_stand_on_the_configured_base(tmp_path, monkeypatch, memory):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", f"{tmp_path}/")
    assert storage.resolve("a/b.mp4", name="v") == tmp_path / "a/b.mp4"
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", memory)
    assert storage.resolve("a/b.mp4", name="v").path == ObjectStoragePath(f"{memory}/a/b.mp4").path


@pytest.mark.parametrize(
    ("destination", "base", "complaint"),
    [
        ("", None, "destination is empty"),
        (None, None, "destination is empty"),
        ("  ", None, "destination is empty"),
        ("a.mp4", None, r"set \[veo\] storage"),
        ("a.mp4", "videos", r"\[veo\] storage is 'videos'"),
        ("nosuch://bucket/a.mp4", None, "cannot be used: .*nosuch"),
        ("a.mp4", "s3://bucket", r"Install apache-airflow-providers-amazon\[s3fs\]"),
    ],
)
def test_what_cannot_be_a_destination(destination, base, complaint, monkeypatch):
    if base:
        monkeypatch.setenv("AIRFLOW__VEO__STORAGE", base)
    with pytest.raises(InvalidInputError, match=complaint):
        storage.resolve(destination)


def test_a_local_file(tmp_path):
    target = tmp_path / "new/folder/a.mp4"
    stored = storage.store(stream(), target)
    assert target.read_bytes() == BODY
    assert stored == storage.StoredVideo(str(target), len(BODY), hashlib.sha256(BODY).hexdigest())
    assert names_in(target.parent) == ["a.mp4"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~current_umask()


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_object(memory):
    target = storage.resolve(f"{memory}/a.mp4", name="v")
    stored = storage.store(stream(), target)
    assert target.read_bytes() == BODY
    assert ObjectStoragePath(stored.path).read_bytes() == BODY
    assert stored.bytes == len(BODY)


@pytest.mark.parametrize("length", [len(BODY) + 1, len(BODY) - 1])
def test_a_wrong_length_leaves_nothing(tmp_path, memory, length):
    for target in (tmp_path / "a.mp4", storage.resolve(f"{memory}/a.mp4", name="v")):
        with pytest.raises(ContentError, match=f"{len(BODY)} of {length} bytes"):
            storage.store(stream(length=length), target)
        assert not target.exists()
    assert names_in(tmp_path) == []


def test_a_broken_transfer_leaves_the_old_file(tmp_path):
    def broken():
        yield BODY[:5000]
        raise TransportError("connection reset")

    target = tmp_path / "a.mp4"
    target.write_bytes(b"old")
    with pytest.raises(TransportError):
        storage.store(ContentStream(None, broken()), target)
    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.mp4"]


def test_readers_never_see_half_a_file(tmp_path):
    target = tmp_path / "a.mp4"
    seen = []

    def watched():
        for start in range(0, len(BODY), 1000):
            seen.append(target.exists())
            yield BODY[start : start + 1000]

    storage.store(ContentStream(len(BODY), watched()), target)
    assert not any(seen)
    assert target.exists()


def test_what_is_there_already(tmp_path):
    target = tmp_path / "a.mp4"
    assert storage.existing(target) is None
    target.write_bytes(BODY)
    assert storage.existing(target) == storage.StoredVideo(str(target), len(BODY), None)
    with pytest.raises(InvalidInputError, match="is a folder"):
        storage.existing(tmp_path)


def test_what_is_staged_is_published_in_one_step(tmp_path, memory):
    for target in (tmp_path / "new/a.mp4", storage.resolve(f"{memory}/a.mp4")):
        with storage.staged(target) as part:
            part.write_bytes(BODY)
            assert not target.exists()
        assert target.read_bytes() == BODY
        assert not part.exists()


def test_what_is_staged_in_vain_leaves_nothing(tmp_path, memory):
    for target in (tmp_path / "a.mp4", storage.resolve(f"{memory}/a.mp4")):
        parts = []

        def give_up(target=target, parts=parts):
            with storage.staged(target) as part:
                parts.append(part)
                part.write_bytes(BODY)
                raise TransportError("connection reset")

        with pytest.raises(TransportError):
            give_up()
        assert not target.exists()
        assert not parts[0].exists()
    assert names_in(tmp_path) == []


def test_a_local_copy_of_an_object_is_there_for_a_while(memory):
    source = storage.resolve(f"{memory}/a.mp4")
    source.write_bytes(BODY)
    with storage.local_copy(source) as copy:
        assert copy.read_bytes() == BODY
        assert storage.sha256_of(copy) == hashlib.sha256(BODY).hexdigest()
    assert not copy.exists()


def test_a_local_file_is_not_copied(tmp_path):
    source = tmp_path / "a.mp4"
    source.write_bytes(BODY)
    with storage.local_copy(source) as copy:
        assert copy == source
    assert source.exists()


def test_files_are_found_by_path_and_by_result(tmp_path, memory, monkeypatch):
    local, remote = tmp_path / "a.mp4", storage.resolve(f"{memory}/a.mp4")
    for target in (local, remote):
        target.write_bytes(BODY)
        for source in (target, str(target), {"id": "video_1", "path": str(target)}):
            assert str(storage.find(source, "source")) == str(target)
    assert storage.find(f"file://{local}", "source") == local
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path))
    assert storage.find("a.mp4", "source") == local


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
        ("s3://bucket/a.mp4", r"Install apache-airflow-providers-amazon\[s3fs\]"),
    ],
)
def test_what_cannot_be_found(memory, source, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        storage.find(source, "source")
