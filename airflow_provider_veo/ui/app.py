"""The application behind the Veo page: its files, what they show as JSON, and the bytes of videos. It only reads."""

from __future__ import annotations

from importlib import resources
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_veo.ui import content, queries, ranges
from airflow_provider_veo.ui.access import may_read_tasks, readable
from airflow_provider_veo.ui.cards import Status, Task, card, totals

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # a browser may keep what it has got, and asks each time whether its user may still see it
    "Cache-Control": "private, no-cache",
}
_TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}
_FILES = {
    file.name: file.read_bytes()
    for file in (resources.files("airflow_provider_veo.ui") / "static").iterdir()
    if file.name.rpartition(".")[2] in _TYPES
}


class _Headers:
    """Puts headers on every answer, also on refusals."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


app = FastAPI(title="Veo", docs_url=None, redoc_url=None, openapi_url=None, middleware=[Middleware(_Headers)])


@app.get("/")
def gallery(_user: GetUserDep) -> Response:
    """Return the page."""
    return _file("gallery.html")


@app.get("/task")
def player(_user: GetUserDep) -> Response:
    """Return the page of one task instance, which its script finds in the address."""
    return _file("task.html")


@app.get("/static/{name}")
def file(name: str, _user: GetUserDep) -> Response:
    """Return a part of the page."""
    return _file(name)


def _file(name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    return Response(_FILES[name], media_type=_TYPES[name.rpartition(".")[2]])


def _readable(session: SessionDep, user: GetUserDep) -> set[str]:
    return readable(queries.dags_with_orders(session), user, session)


Readable = Annotated[set[str], Depends(_readable)]


def _wanted(
    dag_ids: Readable,
    dag_id: str | None = None,
    status: Status | None = None,
    model: str | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> queries.Filter:
    return queries.Filter(dag_ids if dag_id is None else dag_ids & {dag_id}, status, model, since, until)


Wanted = Annotated[queries.Filter, Depends(_wanted)]


@app.get("/api/generations", dependencies=[Depends(may_read_tasks)])
def generations(session: SessionDep, wanted: Wanted, page: Annotated[int, Query(ge=1, le=10**6)] = 1) -> dict[str, Any]:
    """Return a page of generations, the newest first."""
    tasks = queries.newest(session, wanted, page)
    shown, more = tasks[: queries.PAGE_SIZE], len(tasks) > queries.PAGE_SIZE
    media = queries.media_of(session, shown)
    return {"generations": [card(task, media) for task in shown], "page": page, "more": more}


@app.get("/api/summary", dependencies=[Depends(may_read_tasks)])
def summary(session: SessionDep, dag_ids: Readable, wanted: Wanted) -> dict[str, Any]:
    """Return the totals of a filter, and what can be chosen."""
    groups = queries.counted(session, dag_ids, wanted.since, wanted.until)
    chosen = [
        group
        for group in groups
        if group.dag_id in wanted.dag_ids
        and wanted.status in (None, group.status)
        and wanted.model in (None, group.model)
    ]
    return {
        "totals": totals(chosen),
        "dags": sorted({group.dag_id for group in groups}),
        "models": sorted({group.model for group in groups if group.model}),
        "page_size": queries.PAGE_SIZE,
    }


def _task(
    session: SessionDep,
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: Annotated[str, Query(max_length=len("{MAP_INDEX}"))] = "-1",
) -> Task:
    # Airflow's tab of a task instance that is not mapped says {MAP_INDEX}
    index = int(map_index) if map_index.isdecimal() else -1
    found = queries.task(session, dag_id, run_id, task_id, index)
    if found is None:
        raise HTTPException(404, "There is no such task instance; its Dag run may have been deleted.")
    return found


Found = Annotated[Task, Depends(_task)]


@app.get("/api/task", dependencies=[Depends(may_read_tasks)])
def task(session: SessionDep, found: Found) -> dict[str, Any]:
    """Return what is known of one task instance."""
    return card(found, queries.media_of(session, [found]))


@app.get("/api/content", dependencies=[Depends(may_read_tasks)])
async def media(
    found: Found,
    requested: Annotated[str | None, Header(alias="Range")] = None,
    if_range: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
    save: bool = False,
) -> Response:
    """Return the bytes of what a task instance has stored, or some of them."""
    try:
        opened = await content.opened(found.outcome or {})
    except content.ContentError as error:
        raise HTTPException(error.status, str(error)) from error
    # named, or Airflow's own compression would pack the video, or a part of it, once more
    headers = {"ETag": opened.etag, "Accept-Ranges": "bytes", "Content-Encoding": "identity"}
    if if_none_match == opened.etag:
        opened.file.close()
        return Response(status_code=304, headers=headers)
    try:
        wanted = ranges.requested(requested if if_range in (None, opened.etag) else None, opened.size)
    except ranges.UnsatisfiableError:
        opened.file.close()
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{opened.size}"})
    part = wanted or range(opened.size)
    headers["Content-Length"] = str(len(part))
    headers["Content-Disposition"] = f"{'attachment' if save else 'inline'}; filename*=UTF-8''{quote(opened.name)}"
    if wanted:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{opened.size}"
    return StreamingResponse(
        content.blocks(opened, part), 206 if wanted else 200, headers=headers, media_type=opened.media_type
    )
