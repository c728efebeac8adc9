"""Answers of the Interactions API that repeat the order, with frames and videos: the job's own video is stored."""

from __future__ import annotations

import base64
import itertools
import json
import random
from pathlib import Path

import pytest

from airflow_provider_veo.api.errors import VideoFailedError
from airflow_provider_veo.hooks.veo import VeoHook
from tests.support.memory_growth import measure_memory_growth
from tests.support.mp4_boxes import make_video
from tests.support.scripted_server import KEY, Reply, connect

MB = 1024 * 1024
OUTPUT = make_video(random.Random(1).randbytes(90_000))
INPUT = make_video(random.Random(2).randbytes(70_000))
FRAME = {"type": "image", "mime_type": "image/png", "data": "iVBORw0KGgoA" + "A" * (13 * MB)}
FRAMES = [FRAME, FRAME | {"data": FRAME["data"].replace("AAAA", "AA\\/A", 3)}]
VIDEO_ID = "v1_abc"


def video(content):
    return {"type": "video", "mime_type": "video/mp4", "data": base64.b64encode(content).decode()}


def answer(given, made, **more):
    steps = [
        {"type": "user_input", "content": given},
        {"type": "thought", "signature": "EpcwCpQwAQw51sdI"},
        {"type": "model_output", "content": made},
    ]
    return {"id": VIDEO_ID, "object": "interaction", "status": "completed", "steps": steps} | more


@pytest.fixture
def api(serve, monkeypatch, tmp_path):
    """Return a function that serves an interaction, with its file, and stores its video."""

    def store(interaction):
        def reply(request):
            path = request.path.partition("?")[0]
            if path == f"/v1/interactions/{VIDEO_ID}":
                return Reply(body=interaction)
            if path == "/v1/files/abc":
                return Reply(body={"name": "files/abc", "state": "ACTIVE"})
            assert path == "/v1/files/abc:download", path
            return Reply(body=OUTPUT)

        server = serve(reply)
        connect(monkeypatch, server.url, backend="gemini", profile=None)
        stored = VeoHook().download_video(tmp_path / "a.mp4", video_id=VIDEO_ID)
        assert {request.headers.get("x-goog-api-key") for request in server.requests} == {KEY}
        return Path(stored.path).read_bytes(), [request.path for request in server.requests]

    return store


WAYS = {"inline": [video(OUTPUT)], "at an address": [{"type": "video", "uri": "https://x/v1beta/files/abc"}]}


@pytest.mark.parametrize("made", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    "given",
    [FRAMES, [video(INPUT)], [FRAME, video(INPUT), {"type": "text", "text": "{}"}]],
    ids=["frames", "video", "all"],
)
def test_the_video_of_the_job_is_stored_and_not_that_of_the_order(api, given, made):
    content, paths = api(answer(given, made))
    assert content == OUTPUT
    assert len([path for path in paths if "interactions" in path]) == 1


@pytest.mark.parametrize("made", WAYS.values(), ids=WAYS)
def test_the_order_of_the_keys_does_not_count(api, made):
    """In an inline video's part, and its step, the kind may come behind the bytes."""
    whole = answer([FRAME], made)
    for names in itertools.permutations(["id", "status", "steps"]):
        steps = [dict(reversed(step.items())) for step in whole["steps"]]
        assert api({name: whole[name] for name in names} | {"steps": steps})[0] == OUTPUT


def test_a_completed_job_without_a_video_is_failed_behind_its_frames_too(api):
    with pytest.raises(VideoFailedError, match="Cannot show this person"):
        api(answer(FRAMES, [{"type": "text", "text": "Cannot show this person"}]))


@pytest.fixture
def large_answer(tmp_path):
    """Write an answer with frames of 26 MB and a video of 30 MB, and return the path, and the video's size."""
    content = make_video(random.Random(3).randbytes(MB) * 30)
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer(FRAMES, [video(content)])))
    return path, len(content)


WORK = """
import logging
from pathlib import Path
from airflow_provider_veo.api.backends.gemini.backend import GeminiBackend
from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.content.download import Download, DownloadPolicy
from airflow_provider_veo.api.settings import ClientSettings

client = VeoClient(ClientSettings({url!r}, "k", backend=GeminiBackend()))
path = Path({path!r})
path.touch()

def store():
    print(Download(client.content({video_id!r}, None), DownloadPolicy(), logging.getLogger()).into(path).bytes)
"""


def test_a_large_inline_video_behind_large_frames_is_streamed_to_its_file(serve, large_answer, tmp_path):
    path, size = large_answer
    server = serve(lambda _request: Reply(body=path.read_bytes()))
    prepare = WORK.format(url=server.url, path=str(tmp_path / "part"), video_id=VIDEO_ID)
    said, growth = measure_memory_growth(prepare, "store()")
    assert said == "done"
    assert (tmp_path / "part").stat().st_size == size
    assert growth < 16
    assert len(server.requests) == 1
