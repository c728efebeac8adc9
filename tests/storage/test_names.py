"""A table: each title and each id, in each store. The file is where the result says, or it was refused at once."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from airflow.sdk import Asset, ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.storage import destinations
from tests.storage.films import Film, FilmServer
from tests.support.odd_names import IDS, TITLES
from tests.support.scripted_server import connect

_MOST_REFUSED = 30


class Films(dict):
    """A film of its own for each id; no two have the same size."""

    def __init__(self, clip):
        self._clip = clip

    def __missing__(self, video_id):
        self[video_id] = Film(self._clip, len(self._clip) + 100 + len(self))
        return self[video_id]


@pytest.fixture
def any_film(films, monkeypatch):
    """Start a server that has a video of each id, and make it the default connection."""
    with FilmServer(Films(films["small"].clip)) as server:
        connect(monkeypatch, server.url)
        yield server


def key_of(path, store):
    """Return the name of an object in its store, from what a result says."""
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


def test_titles(store, any_film, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", store.uri)
    seen, refused = set(), []
    for n, title in enumerate(TITLES):
        if store.name == "gcs" and ";" in title:
            continue  # the stand-in takes what follows it for a parameter of the request
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


def test_ids(store, any_film, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", store.uri)
    destinations.resolve("by_id/")
    ids = [video_id for video_id in IDS if video_id.strip(". ")]  # no server can be asked for the others
    keys = {
        check(VeoHook().download_video("by_id/", video_id=video_id, if_exists="fail"), store)
        for video_id in ids
        if video_id.isprintable()
    }
    assert set(store.sizes()) == keys
    assert len(keys) == sum(video_id.isprintable() for video_id in ids)
