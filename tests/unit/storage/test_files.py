"""Files are stored as a whole or not at all, on disks and in object storages."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError, StorageError, TransportError
from airflow_provider_veo.storage import files
from airflow_provider_veo.storage.checksums import hash_file
from airflow_provider_veo.storage.destinations import resolve
from airflow_provider_veo.storage.local import LocalTarget
from tests.support.mp4_boxes import make_video

VIDEO = make_video()
SHA256 = hashlib.sha256(VIDEO).hexdigest()


def store(target, content=VIDEO, *, replace=True):
    with target.staged(replace=replace) as part:
        part.write_bytes(content)


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert names_in(folder) == []


@pytest.fixture(params=["local", "object"])
def target(request, tmp_path, memory):
    return LocalTarget(tmp_path / "new/folder/a.mp4") if request.param == "local" else resolve(f"{memory}/a.mp4")


def seen(target):
    """Return the path of a target, as other code opens it."""
    return target.path if isinstance(target, LocalTarget) else ObjectStoragePath(str(target))


def names_in(folder):
    if isinstance(folder, ObjectStoragePath):
        return [name.rpartition("/")[2] for name in folder.fs.find(folder.path)]
    return [path.name for path in folder.iterdir()]


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_video_is_stored_and_found(target):
    assert files.find_stored(target) is None
    store(target, replace=False)
    assert seen(target).read_bytes() == VIDEO
    assert target.exists()
    stored = files.find_stored(target)
    assert (stored.path, stored.bytes, stored.sha256) == (str(target), len(VIDEO), SHA256)
    assert stored.uri.startswith(("file:///", "memory://"))
    assert names_in(seen(target).parent) == ["a.mp4"]


def test_the_longest_name_is_stored(tmp_path):
    name = "猫" * 83 + ".mp4"  # 253 bytes of the 255 that file systems take
    store(LocalTarget(tmp_path / name))
    assert names_in(tmp_path) == [name]


def test_a_local_file_has_the_access_rights_of_any_other(tmp_path):
    store(LocalTarget(tmp_path / "a.mp4"))
    assert stat.S_IMODE((tmp_path / "a.mp4").stat().st_mode) == 0o666 & ~current_umask()


def test_readers_never_see_half_a_file(target):
    with target.staged() as part:
        part.write_bytes(VIDEO)
        assert not seen(target).exists()
    assert seen(target).exists()


def fail_halfway(target):
    def fill(part):
        part.write_bytes(VIDEO[:100])
        raise TransportError("connection reset")

    with pytest.raises(TransportError), target.staged() as part:
        fill(part)


def test_a_failed_write_leaves_no_file(target):
    fail_halfway(target)
    assert not seen(target).exists()
    assert not isinstance(target, LocalTarget) or names_in(seen(target).parent) == []


def test_a_failed_write_keeps_the_old_file(target):
    store(target, b"old")
    fail_halfway(target)
    assert seen(target).read_bytes() == b"old"
    assert names_in(seen(target).parent) == ["a.mp4"]


def test_a_file_is_replaced_only_on_demand(target):
    store(target, b"old")
    with pytest.raises(FileExistsError):
        store(target, replace=False)
    assert seen(target).read_bytes() == b"old"
    store(target)
    assert seen(target).read_bytes() == VIDEO
    assert names_in(seen(target).parent) == ["a.mp4"]


def test_a_file_that_another_task_has_published_meanwhile_stays(target):
    with pytest.raises(FileExistsError), target.staged(replace=False):
        store(target, b"theirs")
    assert seen(target).read_bytes() == b"theirs"


def test_a_folder_that_has_appeared_at_the_target_is_an_error_of_the_storage(tmp_path):
    target = LocalTarget(tmp_path / "a.mp4")
    with pytest.raises(StorageError, match="cannot be written"), target.staged():
        (tmp_path / "a.mp4").mkdir()
    assert names_in(tmp_path) == ["a.mp4"]


def test_files_are_stored_on_file_systems_without_links(tmp_path, monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    target = LocalTarget(tmp_path / "a.mp4")
    store(target, replace=False)
    with pytest.raises(FileExistsError):
        store(target, replace=False)
    assert names_in(tmp_path) == ["a.mp4"]


def test_two_tasks_that_write_the_same_file_do_not_mix(target):
    with target.staged() as part:
        part.write_bytes(b"the slow one")
        store(target)  # meanwhile, by another task
        assert seen(target).read_bytes() == VIDEO
        part.write_bytes(VIDEO)
    assert seen(target).read_bytes() == VIDEO
    assert not part.exists()


_DIES = """
import os, sys, tempfile
import fsspec
try:
    from airflow.sdk.io import attach
except ImportError:  # Airflow 2
    from airflow.io.store import attach
from airflow_provider_veo.storage.destinations import resolve
attach("memory", fs=fsspec.filesystem("memory"))
tempfile.tempdir = sys.argv[2]
with resolve(sys.argv[1]).staged() as part:
    part.write_bytes(b"half")
    print(part, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("place", ["local", "object"])
def test_the_part_file_of_a_killed_task_is_removed_by_the_next_one(tmp_path, temporary_folder, memory, place):
    folder, parts = (tmp_path, tmp_path) if place == "local" else (memory, temporary_folder)
    script = [sys.executable, "-c", _DIES, f"{folder}/a.mp4", str(parts)]
    left = Path(subprocess.run(script, capture_output=True, text=True, check=False).stdout.strip())
    assert names_in(parts) == [left.name]
    assert left.name.startswith(".a.mp4.")
    store(resolve(f"{folder}/b.mp4"))
    assert names_in(parts) == (["b.mp4"] if place == "local" else [])


def test_the_part_file_of_a_living_task_stays(tmp_path):
    with LocalTarget(tmp_path / "a.mp4").staged() as part:
        part.write_bytes(VIDEO)
        store(LocalTarget(tmp_path / "b.mp4"))
        assert part.exists()
    assert sorted(names_in(tmp_path)) == ["a.mp4", "b.mp4"]


def test_other_files_in_the_folder_stay(tmp_path):
    (tmp_path / "x.part").touch()
    (tmp_path / ".hidden").touch()
    store(LocalTarget(tmp_path / "a.mp4"))
    assert sorted(names_in(tmp_path)) == [".hidden", "a.mp4", "x.part"]


def test_half_a_video_is_not_taken_for_a_video(target):
    store(target, VIDEO[:-1])
    with pytest.raises(InvalidInputError, match=r"is not a whole video: its 'moov' box is cut.*if_exists='overwrite'"):
        files.find_stored(target)


def test_a_folder_is_not_a_destination(tmp_path):
    with pytest.raises(InvalidInputError, match="is a folder"):
        LocalTarget(tmp_path).exists()


def test_a_copy_of_a_video_is_checked(target, tmp_path):
    store(target)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.touch()
    cut.touch()
    copied = files.copy_video(target, whole)
    assert (copied.bytes, copied.sha256, whole.read_bytes()) == (len(VIDEO), SHA256, VIDEO)
    store(target, VIDEO[:-1])
    with pytest.raises(StorageError, match="IncompleteError"):
        files.copy_video(target, cut)


def test_a_local_copy_of_an_object_exists_for_the_block(memory):
    source = resolve(f"{memory}/a.mp4")
    seen(source).write_bytes(VIDEO)
    with source.local_copy() as copy:
        assert copy.read_bytes() == VIDEO
        assert hash_file(copy) == SHA256
    assert not copy.exists()


def test_a_local_file_is_not_copied(tmp_path):
    source = LocalTarget(tmp_path / "a.mp4")
    source.path.write_bytes(VIDEO)
    with source.local_copy() as copy:
        assert copy == source.path
    assert source.exists()
