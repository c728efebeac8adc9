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

from airflow_provider_veo.api.content.download import Downloaded
from airflow_provider_veo.api.errors import InvalidInputError, TransportError
from airflow_provider_veo.storage import files
from airflow_provider_veo.storage.checksums import sha256_of
from airflow_provider_veo.storage.objects import ObjectPlace
from airflow_provider_veo.storage.places import resolve
from airflow_provider_veo.storage.publishing import exists
from tests.support.mp4_boxes import film

FILM = film()
SHA256 = hashlib.sha256(FILM).hexdigest()


def fetch(file, free_space):
    assert free_space() > len(FILM)
    file.write(FILM)
    return Downloaded(len(FILM), SHA256)


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert names_in(folder) == []


@pytest.fixture(params=["local", "object"])
def target(request, tmp_path, memory):
    return tmp_path / "new/folder/a.mp4" if request.param == "local" else resolve(f"{memory}/a.mp4")


def seen(target):
    """Return a place as other people's code sees it."""
    return target if isinstance(target, Path) else ObjectStoragePath(str(target))


def names_in(folder):
    if isinstance(folder, ObjectStoragePath):
        return [name.rpartition("/")[2] for name in folder.fs.find(folder.path)]
    return [path.name for path in folder.iterdir()]


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_video_is_stored(target):
    stored = files.store(target, fetch, replace=False)
    assert seen(target).read_bytes() == FILM
    assert (stored.path, stored.bytes, stored.sha256) == (str(target), len(FILM), SHA256)
    assert stored.uri.startswith(("file:///", "memory://"))
    assert names_in(seen(target).parent) == ["a.mp4"]


def test_the_longest_name(tmp_path):
    name = "猫" * 83 + ".mp4"  # 253 bytes of the 255 that file systems take
    files.store(tmp_path / name, fetch, replace=False)
    assert names_in(tmp_path) == [name]


def test_a_local_file_has_the_rights_of_any_other(tmp_path):
    files.store(tmp_path / "a.mp4", fetch, replace=False)
    assert stat.S_IMODE((tmp_path / "a.mp4").stat().st_mode) == 0o666 & ~current_umask()


def test_readers_never_see_half_a_file(target):
    def watched(file, free_space):
        fetched = fetch(file, free_space)
        file.flush()
        assert not seen(target).exists()
        return fetched

    files.store(target, watched, replace=True)
    assert seen(target).exists()


def broken(file, _free_space):
    file.write(FILM[:100])
    raise TransportError("connection reset")


def test_a_failure_leaves_nothing(target):
    with pytest.raises(TransportError):
        files.store(target, broken, replace=True)
    assert not seen(target).exists()
    assert isinstance(target, ObjectPlace) or names_in(seen(target).parent) == []


def test_a_failure_leaves_the_old_file(target):
    with files.staged(target) as part:
        part.write_bytes(b"old")
    with pytest.raises(TransportError):
        files.store(target, broken, replace=True)
    assert seen(target).read_bytes() == b"old"
    assert names_in(seen(target).parent) == ["a.mp4"]


def test_a_file_is_replaced_only_if_that_is_wanted(target):
    with files.staged(target) as part:
        part.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        files.store(target, fetch, replace=False)
    assert seen(target).read_bytes() == b"old"
    files.store(target, fetch, replace=True)
    assert seen(target).read_bytes() == FILM
    assert names_in(seen(target).parent) == ["a.mp4"]


def test_somebody_else_was_faster(target):
    def overtaken(file, free_space):
        with files.staged(target) as part:
            part.write_bytes(b"theirs")
        return fetch(file, free_space)

    with pytest.raises(FileExistsError):
        files.store(target, overtaken, replace=False)
    assert seen(target).read_bytes() == b"theirs"


def test_file_systems_without_links(tmp_path, monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    target = tmp_path / "a.mp4"
    files.store(target, fetch, replace=False)
    with pytest.raises(FileExistsError):
        files.store(target, fetch, replace=False)
    assert names_in(tmp_path) == ["a.mp4"]


def test_two_tasks_that_write_the_same_file_do_not_mix(target):
    parts = []

    def slow(file, free_space):
        parts.append(Path(file.name))
        file.write(b"the slow one")
        file.flush()
        files.store(target, fetch, replace=True)  # meanwhile, another task
        assert seen(target).read_bytes() == FILM
        file.seek(0)
        return fetch(file, free_space)

    files.store(target, slow, replace=True)
    assert seen(target).read_bytes() == FILM
    assert not parts[0].exists()


_DIES = """
import os, sys, tempfile
import fsspec
try:
    from airflow.sdk.io import attach
except ImportError:  # Airflow 2
    from airflow.io.store import attach
from airflow_provider_veo.storage import files
from airflow_provider_veo.storage.checksums import sha256_of
from airflow_provider_veo.storage.objects import ObjectPlace
from airflow_provider_veo.storage.places import resolve
attach("memory", fs=fsspec.filesystem("memory"))
tempfile.tempdir = sys.argv[2]
with files.staged(resolve(sys.argv[1])) as part:
    part.write_bytes(b"half")
    print(part, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("place", ["local", "object"])
def test_what_a_killed_task_leaves_goes_with_the_next_run(tmp_path, temporary_folder, memory, place):
    folder, parts = (tmp_path, tmp_path) if place == "local" else (memory, temporary_folder)
    script = [sys.executable, "-c", _DIES, f"{folder}/a.mp4", str(parts)]
    left = Path(subprocess.run(script, capture_output=True, text=True, check=False).stdout.strip())
    assert names_in(parts) == [left.name]
    assert left.name.startswith(".a.mp4.")
    files.store(resolve(f"{folder}/b.mp4"), fetch, replace=True)
    assert names_in(parts) == (["b.mp4"] if place == "local" else [])


def test_what_a_living_task_writes_stays(tmp_path):
    with files.staged(tmp_path / "a.mp4") as part:
        part.write_bytes(FILM)
        files.store(tmp_path / "b.mp4", fetch, replace=True)
        assert part.exists()
    assert sorted(names_in(tmp_path)) == ["a.mp4", "b.mp4"]


def test_other_files_stay(tmp_path):
    (tmp_path / "x.part").touch()
    (tmp_path / ".hidden").touch()
    files.store(tmp_path / "a.mp4", fetch, replace=True)
    assert sorted(names_in(tmp_path)) == [".hidden", "a.mp4", "x.part"]


def test_what_is_there_already(target):
    assert files.existing(target) is None
    with files.staged(target) as part:
        part.write_bytes(FILM)
    assert exists(target)
    found = files.existing(target)
    assert (found.path, found.bytes, found.sha256) == (str(target), len(FILM), SHA256)


def test_half_a_video_is_not_kept(target):
    with files.staged(target) as part:
        part.write_bytes(FILM[:-1])
    with pytest.raises(InvalidInputError, match=r"is no whole video: its 'moov' box is cut.*if_exists='overwrite'"):
        files.existing(target)


def test_a_folder_is_no_destination(tmp_path):
    with pytest.raises(InvalidInputError, match="is a folder"):
        exists(tmp_path)


def test_a_local_copy_of_an_object_is_there_for_a_while(memory):
    source = resolve(f"{memory}/a.mp4")
    seen(source).write_bytes(FILM)
    with files.local_copy(source) as copy:
        assert copy.read_bytes() == FILM
        assert sha256_of(copy) == SHA256
    assert not copy.exists()


def test_a_local_file_is_not_copied(tmp_path):
    source = tmp_path / "a.mp4"
    source.write_bytes(FILM)
    with files.local_copy(source) as copy:
        assert copy == source
    assert source.exists()
