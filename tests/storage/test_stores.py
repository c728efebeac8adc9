"""Videos in S3, Azure Blob Storage, Google Cloud Storage, memory and folders: whole, or not at all."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError, VeoError
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.observability import page
from airflow_provider_veo.ui import content

NAME = "films/a.mp4"
MOST_GROWTH = 64 * 2**20
PATIENCE = 60.0
OLD = b"what was there before"


def download(store, video_id, if_exists="skip", name=NAME):
    return VeoHook().download_video(f"{store.uri}/{name}", video_id=video_id, if_exists=if_exists)


def download_apart(store, *video_ids, if_exists="skip", name=NAME):
    """Do as `download` for one video after the other, in a process of its own; return what it says of the last."""
    options = ["--if-exists", if_exists]
    command = [sys.executable, Path(__file__).with_name("storing.py"), f"{store.uri}/{name}", *video_ids, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("video_id", ["small", "large"])
def test_all_of_it_is_stored(store, server, films, video_id):
    stored = download(store, video_id)
    film = films[video_id]
    assert (stored.bytes, stored.sha256) == (film.size, film.sha256)
    assert stored.path == f"{store.uri}/{NAME}"
    assert store.sizes() == {NAME: film.size}
    assert store.sha256(NAME) == film.sha256


def test_the_page_plays_parts_of_it(store, server, films, monkeypatch):
    """As the API server does when somebody jumps to the end of a film."""
    film = films["middle"]
    stored = download(store, "middle")
    monkeypatch.setenv("AIRFLOW__VEO__PAGE_ROOTS", store.uri)
    outcome = page.describe_file({"path": stored.path, "bytes": stored.bytes, "sha256": stored.sha256}, stored.proof)
    whole = b"".join(film.pieces())
    for part in (range(100), range(film.size // 2, film.size // 2 + 3 * 2**20), range(film.size - 1000, film.size)):
        assert asyncio.run(played(outcome, part)) == whole[part.start : part.stop]
    with pytest.raises(content.NotServedError):
        asyncio.run(played(outcome | {"proof": "0" * 64}, range(1)))
    store.clear()
    with pytest.raises(content.NotServedError):
        asyncio.run(played(outcome, range(1)))


async def played(outcome, part):
    media = await content.open_file(outcome)
    return b"".join([block async for block in content.read_blocks(media, part)])


def test_a_huge_one_is_stored(store, server, films):
    """And costs little memory, as do those that a driver takes for small enough to be sent as one."""
    huge = films["huge"]
    if store.is_shared:
        stored = download_apart(store, "small", "middle", "huge", name="films/")
        assert stored["growth"] < MOST_GROWTH
        assert (stored["bytes"], stored["sha256"]) == (huge.size, huge.sha256)
    else:  # it is all in this process, whatever the code does
        download(store, "huge", name="films/")
    assert store.sizes()["films/huge.mp4"] == huge.size
    assert store.sha256("films/huge.mp4") == huge.sha256


@pytest.mark.parametrize("old", [None, OLD])
def test_half_of_it_is_never_seen(store, server, films, old):
    if old:
        store.put(NAME, old)
    halfway, gate = threading.Event(), threading.Event()

    def midway():
        halfway.set()
        return gate.wait(PATIENCE)

    server.midway = midway
    with ThreadPoolExecutor() as pool:
        storing = pool.submit(download, store, "large", "overwrite")
        assert halfway.wait(PATIENCE)
        seen = [store.sizes().get(NAME)]
        gate.set()
        while not storing.done():
            seen.append(store.sizes().get(NAME))
            time.sleep(0.001)
        assert storing.result().sha256 == films["large"].sha256
    before = len(old) if old else None
    assert seen.count(before) > 1, "it was not looked at while it was uploaded"
    assert set(seen) <= {before, films["large"].size}
    # nor is anything left beside it
    assert store.sizes() == {NAME: films["large"].size}


@pytest.mark.parametrize("old", [None, OLD])
def test_a_transfer_that_is_cut_leaves_nothing(store, server, old):
    if old:
        store.put(NAME, old)
    server.midway = lambda: False
    with pytest.raises(VeoError):
        download(store, "large", "overwrite")
    assert store.sizes() == ({NAME: len(old)} if old else {})
    if old:
        assert store.read(NAME) == old


class TestTwoAtTheSameTime:
    """Two processes (in memory, threads) that go on together when each has received half a video."""

    @pytest.fixture
    def both(self, store, server):
        meeting = threading.Barrier(2, timeout=PATIENCE)
        server.midway = lambda: meeting.wait() < 2

        def run(video_ids, if_exists):
            with ThreadPoolExecutor(2) as pool:
                runs = [pool.submit(one, video_id, if_exists) for video_id in video_ids]
                return [run.exception() or run.result() for run in runs]

        def one(video_id, if_exists):
            if store.is_shared:
                return download_apart(store, video_id, if_exists=if_exists)
            return {"sha256": download(store, video_id, if_exists).sha256}

        return run

    def test_the_same_video(self, store, films, both):
        results = both(["large", "large"], "skip")
        assert [result["sha256"] for result in results] == [films["large"].sha256] * 2
        assert store.sizes() == {NAME: films["large"].size}
        assert store.sha256(NAME) == films["large"].sha256

    def test_two_videos(self, store, films, both):
        """The last one wins; the other may see that it was replaced, and then does not say that its video is there."""
        names = ["large", "another"]
        results = dict(zip(names, both(names, "overwrite"), strict=True))
        winner = next(name for name in names if films[name].sha256 == store.sha256(NAME))
        assert results[winner]["sha256"] == films[winner].sha256
        [loser] = set(names) - {winner}
        if isinstance(results[loser], BaseException):
            assert "Does another task write to the same destination?" in str(results[loser])
        else:
            assert results[loser]["sha256"] == films[loser].sha256
        assert {name: size for name, size in store.sizes().items() if "_veo" not in name} == {NAME: films["large"].size}


class TestSomethingIsThere:
    def test_fail_refuses_before_anything_is_fetched(self, store, server):
        store.put(NAME, OLD)
        with pytest.raises(InvalidInputError, match="exists already"):
            download(store, "small", "fail")
        assert server.asked == []
        assert store.read(NAME) == OLD

    def test_fail_refuses_what_has_come_meanwhile(self, store, server):
        def midway():
            store.put(NAME, OLD)
            return True

        server.midway = midway
        with pytest.raises(InvalidInputError, match="exists already"):
            download(store, "large", "fail")
        assert store.sizes() == {NAME: len(OLD)}
        assert store.read(NAME) == OLD

    def test_a_listing_from_before_is_not_believed(self, store, server):
        """The drivers keep listings, and whoever has looked into the folder has one."""
        store.put("films/b.mp4", OLD)
        folder = f"{store.uri}/films"
        assert len(list((ObjectStoragePath(folder) if "://" in folder else Path(folder)).iterdir())) == 1
        store.put(NAME, OLD)
        with pytest.raises(InvalidInputError, match="exists already"):
            download(store, "small", "fail")

    def test_skip_keeps_the_same_video(self, store, server, films):
        store.put(NAME, b"".join(films["small"].pieces()))
        server.midway = lambda: pytest.fail("it is fetched again")
        stored = download(store, "small")
        assert (stored.bytes, stored.sha256) == (films["small"].size, films["small"].sha256)
