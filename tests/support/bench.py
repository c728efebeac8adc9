"""A server of one dialect on a bench: its clock stands still, and it is asked by plain HTTP and by our client."""

from __future__ import annotations

import httpx
import pytest

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.emulator.dialects import DIALECTS
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from tests.support.servers import KEY

LONG = 100.0
START = 1_780_000_000.0
FIELDS = {"prompt": "a cat", "model": "veo-3.1", "size": "128x128", "seconds": "1"}
SPEC = VideoSpec(**FIELDS)
VEO_GATEWAY, RELAY, NEW_API, LITELLM, VLLM, SGLANG, FASTVIDEO, OPENAI = DIALECTS
ERROR, TASK, DETAIL, PROXY, VLLM_ERROR = "error", "task", "detail", "proxy", "vllm"

every = pytest.mark.parametrize("dialect", DIALECTS)


class Bench:
    """A server whose clock stands still, to be asked by plain HTTP and by our client."""

    def __init__(self, dialect, **settings):
        self.dialect = dialect
        served = {"api_key": KEY, "generation_seconds": LONG, "model": FIELDS["model"]}
        self.server = EmulatorServer(Settings(dialect=dialect, **(served | settings)))
        self.server.jobs.clock = lambda: self.now
        self.jobs = self.server.jobs
        self.now = START
        self.http = httpx.Client(base_url=self.server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
        self.heard = None
        self.client = self.client_of(KEY)

    def client_of(self, key, auth_scheme="bearer"):
        """Return a client whose last answer is kept as it came, in `heard`."""

        def hear(response, body):
            self.heard = httpx.Response(response.status, headers=response.head, content=bytes(body))
            return read(response, body)

        client = VeoClient(ClientSettings(self.server.url, key, auth_scheme))
        read, client._answer = client._answer, hear
        return client

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *error):
        self.http.close()
        self.client.close()
        self.server.__exit__(*error)

    def order(self, **fields):
        """Order a video as a form, which every server reads, and return the answer."""
        parts = [(name, (None, value)) for name, value in (FIELDS | fields).items() if value is not None]
        return self.http.post("/v1/videos", files=parts)

    def job(self):
        """Order a video, and return its id."""
        return self.order().json()["id"]

    def said(self, video_id, part=""):
        return self.http.get(f"/v1/videos/{video_id}{part}")

    def seen(self, video_id):
        return self.client.get_video(video_id)

    def content(self, **what):
        with self.client.open_content(**what) as stream:
            return b"".join(stream.chunks)


def shape_of(answer):
    """Name the shape of an error body."""
    body = answer.json()
    if set(body) == {"code", "message", "data"}:
        return TASK
    if set(body) == {"detail"}:
        return DETAIL
    error = body["error"]
    if not isinstance(error, dict):
        return "text"
    if error.get("code") == str(answer.status_code):
        return PROXY
    return VLLM_ERROR if error.get("code") == answer.status_code else ERROR
