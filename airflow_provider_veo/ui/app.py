"""The application behind the Veo page: its files, what they show as JSON, and the bytes of videos. It only reads.

All routes and their dependencies are coroutines: FastAPI runs what is not on the threads of Airflow's own routes.
"""

from __future__ import annotations

from datetime import datetime, timezone
from importlib import resources
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import AwareDatetime
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_veo.ui import access, content, queries, ranges
from airflow_provider_veo.ui.cards import Status, Task, card, totals
from airflow_provider_veo.ui.database import in_turn, session
from airflow_provider_veo.ui.roots import configured

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
NOT_SERVED = (
    "The API server does not play this file: it is not there any more, something has replaced it, or the API server "
    "cannot read its storage. The log of the API server says which."
)
"""The one answer for every file that is not served: it tells nobody who can write records which files there are."""

_LARGEST_INDEX = 2**31 - 1  # that a column of integers holds
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
async def gallery(_user: GetUserDep) -> Response:
    """Return the page."""
    return _file("gallery.html")


@app.get("/task")
async def player(_user: GetUserDep) -> Response:
    """Return the page of one task instance, which its script finds in the address."""
    return _file("task.html")


@app.get("/static/{name}")
async def file(name: str, _user: GetUserDep) -> Response:
    """Return a part of the page."""
    return _file(name)


def _file(name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    return Response(_FILES[name], media_type=_TYPES[name.rpartition(".")[2]])


async def _wanted(
    dag_id: str | None = None,
    status: Status | None = None,
    model: str | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> queries.Filter:
    _check_texts(dag_id, model)
    return queries.Filter(dag_id, status, model, _in_utc(since), _in_utc(until))


Wanted = Annotated[queries.Filter, Depends(_wanted)]


@app.get("/api/generations")
async def generations(user: GetUserDep, wanted: Wanted, page: Annotated[int, Query(ge=1, le=10**6)] = 1) -> Response:
    """Return a page of generations, the newest first."""

    def answer() -> Response:
        dag_ids = _dag_ids(user, wanted)
        with session() as opened:
            tasks = queries.newest(opened, dag_ids, wanted, page)
            shown, more = tasks[: queries.PAGE_SIZE], len(tasks) > queries.PAGE_SIZE
            others = queries.stored_by_others(opened, shown)
        roots = configured()
        cards = [card(task, others, roots) for task in shown]
        return JSONResponse({"generations": cards, "page": page, "more": more})

    return await in_turn(answer)


@app.get("/api/summary")
async def summary(user: GetUserDep, wanted: Wanted) -> Response:
    """Return the totals of a filter, and what can be chosen."""

    def answer() -> Response:
        dag_ids = _dag_ids(user, wanted)
        with session() as opened:
            groups = queries.counted(opened, dag_ids, wanted)
        return JSONResponse(
            {
                "totals": totals(filter(wanted.takes, groups)),
                "dags": sorted({group.dag_id for group in groups}),
                "models": sorted({group.model for group in groups if group.model}),
                "page_size": queries.PAGE_SIZE,
            }
        )

    return await in_turn(answer)


def _dag_ids(user: Any, wanted: queries.Filter) -> set[str]:
    """Return the Dags with orders that a user may read; refuse one that is named and may not be read."""
    access.require(user, wanted.dag_id)
    with session() as opened:
        dag_ids = queries.dags_with_orders(opened)
    return access.readable(user, dag_ids)


async def _named(
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: Annotated[str, Query(max_length=len("{MAP_INDEX}"))] = "-1",
) -> queries.Name:
    _check_texts(dag_id, run_id, task_id)
    # Airflow's tab of a task instance that is not mapped says {MAP_INDEX}
    index = int(map_index) if map_index.isascii() and map_index.isdecimal() else -1
    if index > _LARGEST_INDEX:
        raise HTTPException(400, "There is no such map_index.")
    return queries.Name(dag_id, run_id, task_id, index)


Named = Annotated[queries.Name, Depends(_named)]


def _found(user: Any, name: queries.Name) -> Task:
    access.require(user, name.dag_id)
    with session() as opened:
        found = queries.task(opened, name)
    if found is None:
        raise HTTPException(404, "There is no such task instance; its Dag run may have been deleted.")
    return found


@app.get("/api/task")
async def task(user: GetUserDep, name: Named) -> Response:
    """Return what is known of one task instance."""

    def answer() -> Response:
        found = _found(user, name)
        with session() as opened:
            others = queries.stored_by_others(opened, [found])
        return JSONResponse(card(found, others, configured()))

    return await in_turn(answer)


@app.get("/api/content")
async def media(
    user: GetUserDep,
    name: Named,
    requested: Annotated[str | None, Header(alias="Range")] = None,
    if_range: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
    save: bool = False,
) -> Response:
    """Return the bytes of what a task instance has stored, or some of them."""
    found = await in_turn(lambda: _found(user, name))
    try:
        opened = await content.opened(found.outcome or {})
    except content.NotServedError:
        raise HTTPException(404, NOT_SERVED) from None
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
    file_name = quote(opened.name, errors="replace")
    headers["Content-Length"] = str(len(part))
    headers["Content-Disposition"] = f"{'attachment' if save else 'inline'}; filename*=UTF-8''{file_name}"
    if wanted:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{opened.size}"
    return StreamingResponse(
        content.blocks(opened, part), 206 if wanted else 200, headers=headers, media_type=opened.media_type
    )


def _check_texts(*texts: str | None) -> None:
    """Refuse what a database cannot be asked for.

    Raises:
        HTTPException: 400.
    """
    if any("\0" in text for text in texts if text):
        raise HTTPException(400, "A name holds a NUL character; nothing has such a name.")


def _in_utc(moment: datetime | None) -> datetime | None:
    try:
        return moment.astimezone(timezone.utc) if moment else None
    except OverflowError:
        raise HTTPException(400, "A time is before the year 1 or after the year 9999 in UTC.") from None
