"""Odd titles and ids in each storage: a video is stored where its result says, or refused before a request."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from airflow.sdk import Asset, ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.storage import destinations
from tests.storage.videos import Video, VideoServer
from tests.support.odd_names import IDS, TITLES
from tests.support.scripted_server import connect

_MOST_REFUSED = 30  # titles; a storage that refuses more has a rule too many, or needs this number raised


class Videos(dict):
    """A video for each id; no two have the same size."""

    def __init__(self, clip):
        self._clip = clip

    def __missing__(self, video_id):
        self[video_id] = Video(self._clip, len(self._clip) + 100 + len(self))
        return self[video_id]


@pytest.fixture
def any_video(videos, monkeypatch):
    """Start a server that has a video for each id, and make it the default connection."""
    with VideoServer(Videos(videos["small"].clip)) as server:
        connect(monkeypatch, server.url)
        yield server


def key_of(path, store):
    """Return the name of an object in its storage, from the path in a result."""
    assert path.startswith(f"{store.uri}/")
    return path.removeprefix(f"{store.uri}/")


def check(stored, store):
    key = key_of(stored.path, store)
    assert store.sizes()[key] == stored.bytes
    assert store.sha256(key) == stored.sha256
    assert Asset(uri=stored.uri).uri == stored.uri
    assert unquote(urlsplit(stored.uri).path).endswith(f"/{key}")
    if "://" in stored.path:
        assert ObjectStoragePath(stored.path).stat()["size"] == stored.bytes
    return key


def test_a_video_with_any_title_is_stored_or_refused(store, any_video, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", store.uri)
    seen, refused = set(), []
    for n, title in enumerate(TITLES):
        if store.name == "gcs" and ";" in title:
            continue  # the stand-in reads the text after a semicolon as a parameter of the request
        destination = f"shows/{title}.mp4"
        try:
            destinations.resolve(destination)
        except InvalidInputError:
            refused.append(title)
            continue
        stored = VeoHook().download_video(destination, video_id=f"video_{n}", if_exists="overwrite")
        seen.add(check(stored, store))
    assert len(refused) < _MOST_REFUSED, refused
    assert set(store.sizes()) == seen, "something is left beside the videos"


def test_a_video_with_any_id_is_stored(store, any_video, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", store.uri)
    destinations.resolve("by_id/")
    ids = [video_id for video_id in IDS if video_id.strip(". ")]  # the client cannot request the others
    keys = {
        check(VeoHook().download_video("by_id/", video_id=video_id, if_exists="fail"), store)
        for video_id in ids
        if video_id.isprintable()
    }
    assert set(store.sizes()) == keys
    assert len(keys) == sum(video_id.isprintable() for video_id in ids)
