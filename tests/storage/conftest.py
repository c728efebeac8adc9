"""Storages, and a server with videos to store in them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.emulator.render import Scene, render
from airflow_provider_veo.hooks.veo import VeoHook
from tests.storage.stores import (
    AzureServer,
    GCSServer,
    LocalStore,
    MemoryStore,
    S3Server,
    Store,
    StoreServer,
    variable_of,
)
from tests.storage.videos import Video, VideoServer
from tests.support.scripted_server import connect

STORES = ("local", "memory", "s3", "azure", "gcs")
# Azure's client sends up to 64 MiB in one request
SMALL, MIDDLE, LARGE, HUGE = 3 * 2**20, 60 * 2**20, 72 * 2**20, 500 * 2**20


def _started(kind: type[StoreServer]) -> Iterator[StoreServer]:
    # pytest would keep its own temporary folders, with half a gigabyte in each
    with (
        tempfile.TemporaryDirectory(prefix="veo-store-") as folder,
        kind(Path(folder)) as server,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv(*variable_of(server))
        # gcsfs asks by gRPC for the kind of a bucket; the stand-in does not speak gRPC, and each of these calls takes a
        # minute
        environment.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[StoreServer]:
    yield from _started(S3Server)


@pytest.fixture(scope="session")
def azure() -> Iterator[StoreServer]:
    yield from _started(AzureServer)


@pytest.fixture(scope="session")
def gcs() -> Iterator[StoreServer]:
    yield from _started(GCSServer)


@pytest.fixture(scope="session")
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(scope="session")
def local() -> Iterator[LocalStore]:
    with tempfile.TemporaryDirectory(prefix="veo-store-") as folder:
        yield LocalStore(Path(folder))


@pytest.fixture(params=STORES)
def store(request) -> Iterator[Store]:
    """Return each store in turn, empty."""
    store = request.getfixturevalue(request.param)
    yield store
    store.clear()


@pytest.fixture(scope="session")
def videos() -> dict[str, Video]:
    """Return videos by their ids: some are sent to a storage in one request, the larger ones in blocks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        render(Scene("A test", "storing", 320, 180, 1), path)
        clip = path.read_bytes()
    return {
        "small": Video(clip, SMALL),
        "middle": Video(clip, MIDDLE),
        "large": Video(clip, LARGE + 12_345),
        "another": Video(clip, LARGE + 12_345, seed=1),
        "huge": Video(clip, HUGE + 12_345),
    }


@pytest.fixture
def server(videos, monkeypatch) -> Iterator[VideoServer]:
    """Start the server of the videos, and make it the default connection."""
    monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(retry_pause=0.01))
    with VideoServer(videos) as server:
        connect(monkeypatch, server.url)
        yield server
