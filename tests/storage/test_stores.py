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

NAME = "videos/a.mp4"
MOST_GROWTH = 64 * 2**20
PATIENCE = 60.0
OLD = b"the previous content"


def download(store, video_id, if_exists="skip", name=NAME):
    return VeoHook().download_video(f"{store.uri}/{name}", video_id=video_id, if_exists=if_exists)


def download_apart(store, *video_ids, if_exists="skip", name=NAME):
    """Download videos one after the other in a separate process, and return its report about the last one."""
    options = ["--if-exists", if_exists]
    command = [sys.executable, Path(__file__).with_name("storing.py"), f"{store.uri}/{name}", *video_ids, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("video_id", ["small", "large"])
def test_a_video_is_stored_completely(store, server, videos, video_id):
    stored = download(store, video_id)
    video = videos[video_id]
    assert (stored.bytes, stored.sha256) == (video.size, video.sha256)
    assert stored.path == f"{store.uri}/{NAME}"
    assert store.sizes() == {NAME: video.size}
    assert store.sha256(NAME) == video.sha256


def test_the_page_reads_parts_of_a_video(store, server, videos, monkeypatch):
    """The API server does so when a user jumps to the end of a video."""
    video = videos["middle"]
    stored = download(store, "middle")
    monkeypatch.setenv("AIRFLOW__VEO__PAGE_ROOTS", store.uri)
    outcome = page.describe_file({"path": stored.path, "bytes": stored.bytes, "sha256": stored.sha256}, stored.proof)
    whole = b"".join(video.pieces())
    for part in (range(100), range(video.size // 2, video.size // 2 + 3 * 2**20), range(video.size - 1000, video.size)):
        assert asyncio.run(played(outcome, part)) == whole[part.start : part.stop]
    with pytest.raises(content.NotServedError):
        asyncio.run(played(outcome | {"proof": "0" * 64}, range(1)))
    store.clear()
    with pytest.raises(content.NotServedError):
        asyncio.run(played(outcome, range(1)))


async def played(outcome, part):
    media = await content.open_file(outcome)
    return b"".join([block async for block in content.read_blocks(media, part)])


def test_a_huge_video_is_stored_in_little_memory(store, server, videos):
    """Videos that a driver sends in one request take little memory, too."""
    huge = videos["huge"]
    if store.is_shared:
        stored = download_apart(store, "small", "middle", "huge", name="videos/")
        assert stored["growth"] < MOST_GROWTH
        assert (stored["bytes"], stored["sha256"]) == (huge.size, huge.sha256)
    else:  # this storage keeps its objects in the memory of this process
        download(store, "huge", name="videos/")
    assert store.sizes()["videos/huge.mp4"] == huge.size
    assert store.sha256("videos/huge.mp4") == huge.sha256


@pytest.mark.parametrize("old", [None, OLD])
def test_half_a_video_is_never_visible(store, server, videos, old):
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
        assert storing.result().sha256 == videos["large"].sha256
    before = len(old) if old else None
    assert seen.count(before) > 1, "the storage was not checked during the upload"
    assert set(seen) <= {before, videos["large"].size}
    # no other object is left
    assert store.sizes() == {NAME: videos["large"].size}


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


class TestTwoTasksAtTheSameTime:
    """Two processes, or two threads for the memory storage, that continue together after half a video."""

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

    def test_may_store_the_same_video(self, store, videos, both):
        results = both(["large", "large"], "skip")
        assert [result["sha256"] for result in results] == [videos["large"].sha256] * 2
        assert store.sizes() == {NAME: videos["large"].size}
        assert store.sha256(NAME) == videos["large"].sha256

    def test_may_store_two_videos_of_which_the_last_one_stays(self, store, videos, both):
        """The other one may notice that its video was replaced, and then raises an error."""
        names = ["large", "another"]
        results = dict(zip(names, both(names, "overwrite"), strict=True))
        winner = next(name for name in names if videos[name].sha256 == store.sha256(NAME))
        assert results[winner]["sha256"] == videos[winner].sha256
        [loser] = set(names) - {winner}
        if isinstance(results[loser], BaseException):
            assert "Does another task write to the same destination?" in str(results[loser])
        else:
            assert results[loser]["sha256"] == videos[loser].sha256
        assert {name: size for name, size in store.sizes().items() if "_veo" not in name} == {
            NAME: videos["large"].size
        }


class TestAnExistingObject:
    def test_is_an_error_before_any_request_with_fail(self, store, server):
        store.put(NAME, OLD)
        with pytest.raises(InvalidInputError, match="exists already"):
            download(store, "small", "fail")
        assert server.asked == []
        assert store.read(NAME) == OLD

    def test_that_appears_during_the_download_is_an_error_with_fail(self, store, server):
        def midway():
            store.put(NAME, OLD)
            return True

        server.midway = midway
        with pytest.raises(InvalidInputError, match="exists already"):
            download(store, "large", "fail")
        assert store.sizes() == {NAME: len(OLD)}
        assert store.read(NAME) == OLD

    def test_is_noticed_despite_an_older_listing(self, store, server):
        """The drivers cache a listing, here because the test has listed the folder."""
        store.put("videos/b.mp4", OLD)
        folder = f"{store.uri}/videos"
        assert len(list((ObjectStoragePath(folder) if "://" in folder else Path(folder)).iterdir())) == 1
        store.put(NAME, OLD)
        with pytest.raises(InvalidInputError, match="exists already"):
            download(store, "small", "fail")

    def test_is_kept_with_skip_if_it_is_the_same_video(self, store, server, videos):
        store.put(NAME, b"".join(videos["small"].pieces()))
        server.midway = lambda: pytest.fail("the video is fetched again")
        stored = download(store, "small")
        assert (stored.bytes, stored.sha256) == (videos["small"].size, videos["small"].sha256)
