"""An emulator of one dialect whose clock stands still, with an HTTP client and a client of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.settings import AuthScheme, ClientSettings
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.emulator.dialects import OPENAI_DIALECTS
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from tests.support.contents import open_content
from tests.support.scripted_server import KEY

if TYPE_CHECKING:
    from typing_extensions import Self

LONG = 100.0
START = 1_780_000_000.0
FIELDS: dict[str, Any] = {"prompt": "a cat", "model": "veo-3.1", "size": "128x128", "seconds": "1"}
SPEC = VideoSpec(**FIELDS)
VEO_GATEWAY, RELAY, NEW_API, LITELLM, VLLM, SGLANG, FASTVIDEO, OPENAI = OPENAI_DIALECTS
ERROR, TASK, DETAIL, PROXY, VLLM_ERROR = "error", "task", "detail", "proxy", "vllm"

every_dialect_server = pytest.mark.parametrize("dialect", OPENAI_DIALECTS)


class DialectServer:
    """An emulator whose clock stands still: `with DialectServer("openai") as server: ... server.now += LONG ...`.

    Args:
        dialect: Dialect of the emulator.
        settings: Further settings of the emulator.

    Attributes:
        now: Time of the emulator's clock, in seconds since the epoch.
        jobs: Jobs of the emulator.
        http: Client that shows each answer as it was sent.
        client: Client of this package.
        last_answer: Last answer that `client` has received, as it was sent.
    """

    def __init__(self, dialect: str, **settings: Any) -> None:
        self.dialect = dialect
        served: dict[str, Any] = {"api_key": KEY, "generation_seconds": LONG, "model": FIELDS["model"]}
        self.server = EmulatorServer(Settings(dialect=dialect, **(served | settings)))
        self.server.jobs.clock = lambda: self.now
        self.jobs = self.server.jobs
        self.now = START
        self.http = httpx.Client(base_url=self.server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
        self.last_answer: httpx.Response | None = None
        self.client = self.client_of(KEY)

    def client_of(self, key: str, auth_scheme: AuthScheme = "bearer") -> VeoClient:
        """Return a client of this package whose answers are kept in `last_answer`."""

        def keep(response: Any, body: Any) -> Any:
            self.last_answer = httpx.Response(response.status, headers=response.head, content=bytes(body))
            return read(response, body)

        client = VeoClient(ClientSettings(self.server.url, key, auth_scheme))
        read = client.session.read_answer
        client.session.read_answer = keep  # type: ignore[method-assign]
        return client

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.client.close()
        self.server.__exit__(None, None, None)

    def order(self, **fields: str | None) -> httpx.Response:
        """Order a video by a form, which every dialect reads, and return the answer."""
        parts = [(name, (None, value)) for name, value in (FIELDS | fields).items() if value is not None]
        return self.http.post("/v1/videos", files=parts)

    def job(self) -> str:
        """Order a video, and return the ID of the job."""
        return str(self.order().json()["id"])

    def get(self, video_id: str, part: str = "") -> httpx.Response:
        """Return the answer for a job, or for a part of the route such as `/content`."""
        return self.http.get(f"/v1/videos/{video_id}{part}")

    def parsed(self, video_id: str) -> Video:
        """Return the status of a job as the client of this package reads it."""
        return self.client.get_video(video_id)

    def content(self, *, video_id: str | None = None, url: str | None = None) -> bytes:
        """Return the content that the client of this package fetches for a job or from an address."""
        with open_content(self.client, video_id=video_id, url=url) as stream:
            return b"".join(stream.chunks)


def shape_of(answer: httpx.Response) -> str:
    """Return the name of the shape of an error body."""
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
