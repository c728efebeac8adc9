"""Completed answers that hold a video of 40 MB: triggers read the beginning, and the worker reads the rest, once."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from airflow_provider_veo.emulator.google_cloud import make_key
from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from tests.support.memory_growth import measure_memory_growth
from tests.support.mp4_boxes import make_video
from tests.support.scripted_server import connect
from tests.support.task_driver import TaskDriver

MB = 1024 * 1024
CONTENT = make_video(random.Random(21).randbytes(MB) * 30)
BASE64 = base64.b64encode(CONTENT)
MODEL = "projects/p/locations/us-central1/publishers/google/models/veo-3.1-fast-generate-001"
OTHERS = 20


class LargeAnswers:
    """A server whose status answers hold a video of 40 MB in base64.

    Attributes:
        url: Address of the server.
        bodies: Status answers with "VIDEO" in place of the video, by the ID of the job; other jobs run.
        calls: Number of status calls, by the ID of the job.
        whole: Number of answers with a video that were sent to their end.
        orders: Number of orders.
    """

    def __init__(self):
        self.bodies, self.calls, self.whole, self.orders = {}, Counter(), 0, 0
        handler = type("Handler", (LargeAnswersHandler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class LargeAnswersHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/token":
            self.send({"access_token": "ya29.t", "expires_in": 3600, "token_type": "Bearer"})
        elif self.path.endswith(":predictLongRunning"):
            self.api.orders += 1
            self.send({"name": f"{MODEL}/operations/0"})
        else:
            name = json.loads(body)["operationName"]
            self.send_status(name, {"name": name})

    def do_GET(self):
        name = urlsplit(self.path).path.rpartition("/")[2]
        self.send_status(name, {"id": name, "object": "interaction", "status": "in_progress"})

    def send_status(self, name, running):
        self.api.calls[name] += 1
        self.send(self.api.bodies.get(name, running))

    def send(self, body):
        before, video, after = json.dumps(body).partition("VIDEO")
        parts = [before.encode(), BASE64 if video else b"", after.encode()]
        self.send_response(200)
        self.send_header("Content-Length", str(sum(map(len, parts))))
        self.end_headers()
        try:
            for part in parts:
                self.wfile.write(part)
        except ConnectionError:  # the client has read enough
            self.close_connection = True
        else:
            self.api.whole += bool(video)

    def log_message(self, *_):
        pass


def vertex_bodies():
    """Yield a completed answer in each order of its keys."""
    video = {"bytesBase64Encoded": "VIDEO", "mimeType": "video/mp4"}
    response = {"@type": "type.googleapis.com/x", "raiMediaFilteredCount": 0, "videos": [video]}
    body = {"name": f"{MODEL}/operations/0", "done": True, "metadata": {"createTime": "2026-11-28T10:00:00Z"}}
    for number, names in enumerate(itertools.permutations([*body, "response"])):
        inner = dict(reversed(response.items())) if number % 2 else response
        inner["videos"] = [dict(reversed(video.items())) if number % 3 else video]
        yield {name: (body | {"response": inner})[name] for name in names}


def gemini_bodies():
    """Do as `vertex_bodies`. If the kind of a part comes behind its bytes, the status comes before the steps."""
    part = {"type": "video", "mime_type": "video/mp4", "data": "VIDEO"}
    step = {"type": "model_output", "content": [part]}
    body = {"id": "x", "status": "completed", "usage": {"total_tokens": 1}, "steps": [step]}
    for names in itertools.permutations(body):
        yield {name: body[name] for name in names}
    turned = dict(reversed((step | {"content": [dict(reversed(part.items()))]}).items()))
    yield body | {"steps": [turned]}


@pytest.fixture(params=["vertex", "gemini"])
def api(request, monkeypatch, tmp_path):
    """Return a server, which is the default connection, and the IDs of its completed jobs."""
    server = LargeAnswers()
    if request.param == "vertex":
        extra = {"keyfile_dict": json.dumps(make_key(server.url)), "project": "p"}
        server.bodies = {f"{MODEL}/operations/{number}": body for number, body in enumerate(vertex_bodies())}
        server.running = f"{MODEL}/operations/running"
    else:
        extra = {}
        server.bodies = {f"v1_{number}": body for number, body in enumerate(gemini_bodies())}
        server.running = "v1_running"
    connect(monkeypatch, server.url, backend=request.param, profile=None, **extra)
    monkeypatch.setenv("AIRFLOW__VEO__STORAGE", str(tmp_path / "videos"))
    server.backend = request.param
    yield server
    server.close()


TRIGGERER = """
import asyncio, json, time
from pathlib import Path
from airflow_provider_veo.triggers.video import VeoVideoTrigger

async def outcome(video_id, seconds):
    now = time.time()
    one = VeoVideoTrigger(
        video_id=video_id, conn_id="veo_default", submitted_at=now, deadline=now + seconds, poll_interval=0.1
    )
    (event,) = [event.payload async for event in one.run()]
    return event["kind"]

async def wait(large, seconds):
    others = asyncio.gather(*(outcome("{running}-" + str(number), seconds) for number in range({others})))
    kinds = await asyncio.gather(*(outcome(video_id, 60.0) for video_id in large))
    report = {{"kinds": kinds, "others": await others}}
    Path({path!r}).write_text(json.dumps(report))

large = json.loads({large!r})
asyncio.run(wait([], 1.0))  # loads everything
"""


def run_triggerer(api, path, large):
    prepare = TRIGGERER.format(running=api.running, others=OTHERS, path=str(path), large=json.dumps(large))
    said, growth = measure_memory_growth(prepare, "asyncio.run(wait(large, 4.0))")
    assert said == "done"
    return json.loads(path.read_text()), growth


def test_a_triggerer_reads_the_beginning_and_stops_no_other_wait(api, tmp_path):
    large = list(api.bodies)
    report, growth = run_triggerer(api, tmp_path / "report", large)
    assert report["kinds"] == ["completed"] * len(large)
    assert report["others"] == ["timeout"] * OTHERS
    assert {api.calls[video_id] for video_id in large} == {1}
    assert api.whole == 0
    assert growth < 64


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_task_reads_the_answer_whole_once(api, deferrable):
    if api.backend == "gemini":
        pytest.skip("an order to the Gemini API asks for a file in place of base64")
    arguments = {"prompt": "a boat", "destination": "a.mp4", "deferrable": deferrable, "poll_interval": 0.1}
    result = TaskDriver(arguments, operator=VeoCreateVideoOperator).run()
    assert isinstance(result, dict), result
    assert result["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert Path(result["path"]).stat().st_size == len(CONTENT)
    assert (api.orders, api.whole) == (1, 1)


WORKER = """
from airflow_provider_veo.hooks.veo import VeoHook
VeoHook().get_video({running!r})
"""


def test_a_worker_streams_the_video_to_its_file(api, tmp_path):
    path = tmp_path / "a.mp4"
    for video_id in [min(api.bodies), max(api.bodies)]:
        work = f"VeoHook().download_video({str(path)!r}, video_id={video_id!r}, if_exists='overwrite')"
        said, growth = measure_memory_growth(WORKER.format(running=api.running), work)
        assert said == "done"
        assert path.stat().st_size == len(CONTENT)
        assert growth < 32
    assert api.whole == 2
