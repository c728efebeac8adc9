"""A paid video that its destination does not take is kept in the salvage folder for the next try."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
from pathlib import Path

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.api.errors import InvalidInputError, Reason, StorageError, StorageFullError
from airflow_provider_veo.emulator.faults import Fault, Trouble
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.storage import destinations
from airflow_provider_veo.storage.local import LocalTarget
from airflow_provider_veo.ui import roots
from tests.support.file_answers import FileAnswers
from tests.support.mp4_boxes import make_video
from tests.support.scripted_server import connect
from tests.support.task_driver import TaskDriver

VIDEO = make_video(random.Random(7).randbytes(50_000))
VIDEO_ID = "gen/1"


class Refusing(fsspec.filesystem("memory").__class__):
    """A storage that fails in the way that `trouble` names."""

    protocol = "refusing"
    trouble = None

    def put_file(self, lpath, rpath, **options):
        if self.trouble == "quota":
            raise OSError(errno.EDQUOT, "Quota exceeded")
        if self.trouble == "driver":
            raise KeyError("token")
        super().put_file(lpath, rpath, **options)

    def info(self, path, **options):
        found = super().info(path, **options)
        if self.trouble == "cut" and found["type"] == "file":
            found["size"] -= 1
        return found

    def cp_file(self, path1, path2, **options):
        if self.trouble != "lost":
            super().cp_file(path1, path2, **options)


@pytest.fixture
def refusing(monkeypatch):
    """Register a storage that can fail, and return a function that sets the way in which it fails."""
    try:
        from airflow.sdk.io import attach
    except ImportError:  # Airflow 2
        from airflow.io.store import attach
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    attach("refusing", fs=Refusing())

    def set_trouble(trouble):
        monkeypatch.setattr(Refusing, "trouble", trouble)

    yield set_trouble
    fsspec.filesystem("memory").store.clear()
    fsspec.filesystem("memory").pseudo_dirs[:] = [""]


@pytest.fixture
def storage(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path / "base"))
    return tmp_path / "base"


@pytest.fixture
def gateway(serve, monkeypatch):
    monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(retry_pause=0.01))
    server = serve(FileAnswers(VIDEO))
    connect(monkeypatch, server.url)
    return server


@pytest.fixture(params=["quota", "driver", "cut", "lost", "folder", "file", "full", "rights"])
def trouble(request, refusing, tmp_path, monkeypatch):
    """Return a destination that cannot be written, and a function that repairs it."""
    target, mend = tmp_path / "shows/a.mp4", None
    if request.param in ("quota", "driver", "cut", "lost"):
        refusing(request.param)
        return "refusing://bucket/shows/a.mp4", lambda: refusing(None)
    if request.param == "folder":
        target.mkdir(parents=True)
        mend = target.rmdir
    elif request.param == "file":
        target.parent.write_text("in the way")
        mend = target.parent.unlink
    elif request.param == "full":
        free = shutil.disk_usage

        def full(folder):
            return free(folder)._replace(free=0) if Path(folder).name == "shows" else free(folder)

        monkeypatch.setattr(shutil, "disk_usage", full)
        return str(target), lambda: monkeypatch.setattr(shutil, "disk_usage", free)
    else:  # root may write to any folder, so `os.open` is replaced
        make = os.open

        def denied(path, *more, **options):
            if Path(str(path)).parent.name == "shows":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return make(path, *more, **options)

        monkeypatch.setattr(os, "open", denied)
        return str(target), lambda: monkeypatch.setattr(os, "open", make)
    return str(target), mend


def download(destination, video_id=VIDEO_ID, **options):
    return VeoHook().download_video(destination, **({"video_id": video_id, "if_exists": "overwrite"} | options))


def content(path):
    return (ObjectStoragePath(path) if "://" in path else Path(path)).read_bytes()


def test_a_video_is_kept_and_the_next_try_takes_it_from_salvage(trouble, storage, gateway):
    destination, mend = trouble
    with pytest.raises(StorageError, match=r"Video gen/1 could not be stored at .*shows/a\.mp4: ") as caught:
        download(destination)
    error = caught.value
    assert (error.reason, error.video_id, error.permanent) == (Reason.STORAGE, VIDEO_ID, False)
    assert error.kept.path in str(error)
    assert Path(error.kept.path).parent == storage / "_veo/salvage"
    assert content(error.kept.path) == VIDEO
    asked = len(gateway.requests)
    with pytest.raises(StorageError, match="It is safe at"):
        download(destination)  # the destination still fails
    mend()
    stored = download(destination)
    assert len(gateway.requests) == asked, "the server is asked again"
    assert content(stored.path) == VIDEO
    assert (stored.sha256, stored.proof) == (hashlib.sha256(VIDEO).hexdigest(), error.kept.proof)
    assert content(error.kept.path) == VIDEO, "nothing is removed from salvage"
    assert sorted(path.name for path in (storage / "_veo/salvage").iterdir()) == [Path(error.kept.path).name]


def test_a_full_disk_is_named(tmp_path, storage, gateway, mocker):
    usage = shutil.disk_usage(tmp_path)
    mocker.patch("airflow_provider_veo.storage.files.shutil.disk_usage", return_value=usage._replace(free=10))
    with pytest.raises(
        StorageFullError, match=r"(?s)disk is that of .*/shows.*Nor could it be kept in \[veo\] salvage"
    ):
        download(tmp_path / "shows/a.mp4")


def test_without_a_salvage_folder_the_error_says_how_to_set_one(tmp_path, gateway):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(StorageError, match=r"on its server only.*Set \[veo\] salvage, or \[veo\] storage") as caught:
        download(tmp_path / "a.mp4")
    assert caught.value.kept is None


def test_the_error_of_the_destination_comes_first_if_salvage_fails_too(tmp_path, storage, gateway):
    (tmp_path / "a.mp4").mkdir()
    storage.write_text("in the way")
    with pytest.raises(
        StorageError, match=r"(?s)a\.mp4.*IsADirectory.*Nor could it be kept .*_veo/salvage.*its server"
    ):
        download(tmp_path / "a.mp4")


def test_half_a_video_in_salvage_is_not_used(tmp_path, storage, gateway):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(StorageError) as caught:
        download(tmp_path / "a.mp4")
    Path(caught.value.kept.path).write_bytes(VIDEO[:-1])
    (tmp_path / "a.mp4").rmdir()
    assert content(download(tmp_path / "a.mp4").path) == VIDEO
    assert gateway.requests[-1].path.endswith("/content")


def test_each_video_has_its_own_file_in_salvage(tmp_path, storage, gateway, monkeypatch, serve):
    (tmp_path / "a.mp4").mkdir()
    kept = set()
    for server in (gateway, serve(FileAnswers(VIDEO))):
        connect(monkeypatch, server.url)
        for what in ({"video_id": "v"}, {"video_id": "V" * 400}, {"video_id": "gen_1"}, {"video_id": "gen/1"}):
            with pytest.raises(StorageError) as caught:
                download(tmp_path / "a.mp4", **what)
            kept.add(caught.value.kept.path)
        for n in (1, 2):
            with pytest.raises(StorageError) as caught:
                download(tmp_path / "a.mp4", video_id=None, url=f"{server.url}/v1/videos/x/content?n={n}")
            kept.add(caught.value.kept.path)
    assert len(kept) == 12
    assert all(len(Path(path).name.encode()) <= 250 for path in kept)


def test_the_option_names_the_salvage_folder(tmp_path, storage, gateway, monkeypatch, refusing):
    refusing(None)
    (tmp_path / "a.mp4").mkdir()
    monkeypatch.setenv("AIRFLOW__VEO__SALVAGE", "refusing://bucket/kept #1/")
    with pytest.raises(StorageError) as caught:
        download(tmp_path / "a.mp4")
    assert caught.value.kept.path.startswith("refusing://bucket/kept #1/gen_1~")
    assert content(caught.value.kept.path) == VIDEO


@pytest.fixture(params=[True, False], ids=["deferred", "waiting"])
def task(request, veo_default, tmp_path):
    def make(**arguments):
        defaults = {"prompt": "p", "model": "veo-3.1", "deferrable": request.param, "poll_interval": 0.1}
        return TaskDriver(defaults | {"destination": str(tmp_path / "shows/a.mp4")} | arguments)

    make.emulator = veo_default
    return make


@pytest.mark.parametrize("again", ["retry", "clear"])
def test_a_create_task_returns_a_salvaged_video_that_the_server_has_deleted(task, storage, tmp_path, again):
    (tmp_path / "shows/a.mp4").mkdir(parents=True)  # stands for a link that changes before the video is stored
    blocked = LocalTarget.check_writable
    LocalTarget.check_writable = lambda target: None
    try:
        driver = task()
        error = driver.run()
    finally:
        LocalTarget.check_writable = blocked
    assert isinstance(error, StorageError)
    assert "continues with video" in str(error) or "VeoDownloadOperator(video_id=" in str(error)
    (tmp_path / "shows/a.mp4").rmdir()
    task.emulator.faults.add("status", Fault(Trouble.GONE))
    task.emulator.faults.add("content", Fault(Trouble.GONE))
    result = (driver.clear() if again == "clear" else driver).run()
    assert result["path"] == str(tmp_path / "shows/a.mp4")
    assert hashlib.sha256(Path(result["path"]).read_bytes()).hexdigest() == result["sha256"]
    assert task.emulator.jobs.report()["orders"] == 1


def test_an_impossible_salvage_folder_is_refused_before_the_order(task, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__SALVAGE", "file://data/salvage")
    error = task().run()
    assert isinstance(error, VeoFailException)
    assert "[veo] salvage 'file://data/salvage' leads to the machine 'data'" in str(error)
    assert task.emulator.jobs.report()["orders"] == 0


@pytest.mark.parametrize("name", ["_veo/salvage/a.mp4", "_VEO/a.mp4", "x/_veo/a.mp4", "a/../_veo/b.mp4"])
def test_the_providers_own_folder_is_neither_a_destination_nor_served(storage, name):
    with pytest.raises(InvalidInputError, match=r"'_(veo|VEO)' is the folder of this provider's own files"):
        destinations.resolve(name)
    assert roots.explain_refusal(str(storage / name), roots.read_roots())
