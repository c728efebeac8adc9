"""The application of the emulator: the routes of its dialect's protocol, and a page about the jobs."""

from __future__ import annotations

from collections import deque

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_veo.emulator.dialects import DIALECTS
from airflow_provider_veo.emulator.dialects.base import VideosDialect
from airflow_provider_veo.emulator.dialects.dialect import Dialect
from airflow_provider_veo.emulator.dialects.gemini import Gemini
from airflow_provider_veo.emulator.dialects.vertex import Vertex
from airflow_provider_veo.emulator.faults import Faults, FaultyApp
from airflow_provider_veo.emulator.google_cloud import GoogleCloud
from airflow_provider_veo.emulator.interactions import InteractionsRoutes
from airflow_provider_veo.emulator.jobs import Jobs
from airflow_provider_veo.emulator.messages import RefusedError
from airflow_provider_veo.emulator.operations import OperationsRoutes
from airflow_provider_veo.emulator.page import make_page
from airflow_provider_veo.emulator.site import Site, make_response
from airflow_provider_veo.emulator.tokens import Tokens
from airflow_provider_veo.emulator.videos import VideosRoutes


class RequestLog:
    """An ASGI application that logs each request: method, path and query."""

    def __init__(self, app: ASGIApp, lines: deque[str]) -> None:
        self._app = app
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._lines.append(f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}")
        await self._app(scope, receive, send)


class Emulator:
    """The server: an ASGI application over `Jobs`.

    Args:
        jobs: All jobs. Tests read and control them here.
        faults: Rules that decide which answers go wrong.

    Attributes:
        tokens: Access tokens of Google Cloud, in the dialects that have them.
    """

    def __init__(self, jobs: Jobs, faults: Faults) -> None:
        self.jobs = jobs
        self.tokens = Tokens(jobs)
        dialect = DIALECTS[jobs.settings.dialect](jobs.settings)
        site = Site(jobs, dialect)
        routes = [
            Route("/", self._page),
            Route("/counters", self._counters),
            site.route,
            *_make_routes(site, dialect, self.tokens),
        ]
        app = Starlette(routes=routes, exception_handlers={RefusedError: self._refused})
        self.app = RequestLog(FaultyApp(app, faults, dialect, self._order_of), jobs.requests)

    def _order_of(self, scope: Scope) -> str:
        """Return the idempotency key of the order that a request makes or is about."""
        key = dict(scope["headers"]).get(b"idempotency-key", b"").decode("latin-1")
        job = self.jobs.get(scope["path"].removeprefix("/v1/videos/").partition("/")[0])
        return key or (job.key if job else "")

    async def _refused(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        self.jobs.counters.refused += 1
        return make_response(error.reply)

    async def _page(self, _request: Request) -> Response:
        return HTMLResponse(make_page(self.jobs))

    async def _counters(self, _request: Request) -> Response:
        return JSONResponse(self.jobs.report())


def _make_routes(site: Site, dialect: Dialect, tokens: Tokens) -> list[Route]:
    """Return the routes of a dialect's protocol."""
    if isinstance(dialect, VideosDialect):
        return VideosRoutes(site, dialect).routes
    assert isinstance(dialect, (Vertex, Gemini))
    cloud = GoogleCloud(site, dialect, tokens)
    if isinstance(dialect, Vertex):
        return [*cloud.routes, *OperationsRoutes(site, dialect, cloud).routes]
    return [*cloud.routes, *InteractionsRoutes(site, dialect, cloud).routes]
