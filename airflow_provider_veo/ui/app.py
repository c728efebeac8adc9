"""The application behind the Veo page. It serves the files of the page, JSON and the bytes of videos, and only reads.

All routes and their dependencies are coroutines: FastAPI runs other functions on the threads of Airflow's own routes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from importlib import resources
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import AwareDatetime
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_veo.ui import access, content, queries, ranges
from airflow_provider_veo.ui.dags import read_dags_of_provider
from airflow_provider_veo.ui.database import TooSlowError, open_session, run_in_turn
from airflow_provider_veo.ui.roots import read_roots
from airflow_provider_veo.ui.views import (
    Status,
    SummaryView,
    TaskKey,
    TaskPageView,
    TaskRow,
    TasksView,
    add_up,
    show_task,
)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # a browser may keep an answer, and asks each time whether its user may still see it
    "Cache-Control": "private, no-cache",
}
NOT_SERVED = (
    "The API server does not play this file: it was deleted or replaced, or the API server cannot read its storage. "
    "The log of the API server says which."
)
"""The answer for every file that is not served: users who can write page entries must not learn which files exist."""

_TOO_SLOW = (
    "The page shows nothing, because Airflow's database took too long to answer. Load the page again, or choose a Dag. "
    "If this happens often, ask the administrator of the database whether its statistics are up to date."
)
_LARGEST_INDEX = 2**31 - 1  # of a database's integers
_TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}
_FILES = {
    file.name: file.read_bytes()
    for file in (resources.files("airflow_provider_veo.ui") / "static").iterdir()
    if file.name.rpartition(".")[2] in _TYPES
}


class _Headers:
    """Adds headers to every answer, refusals included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


app = FastAPI(title="Veo", docs_url=None, redoc_url=None, openapi_url=None, middleware=[Middleware(_Headers)])


@app.exception_handler(TooSlowError)
async def _answer_too_slow(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"detail": _TOO_SLOW}, 503)


@app.get("/")
async def show_gallery(_user: GetUserDep) -> Response:
    """Return the page of all tasks that have ordered."""
    return _answer_file("gallery.html")


@app.get("/task")
async def show_player(_user: GetUserDep) -> Response:
    """Return the page of one task instance. Its script reads the names of the task instance from the address."""
    return _answer_file("task.html")


@app.get("/static/{name}")
async def read_static_file(name: str, _user: GetUserDep) -> Response:
    """Return a script, a style sheet or a picture of the page."""
    return _answer_file(name)


def _answer_file(name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    return Response(_FILES[name], media_type=_TYPES[name.rpartition(".")[2]])


async def _read_filter(
    dag_id: str | None = None,
    status: Status | None = None,
    model: str | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    task_id: str | None = None,
    before: Annotated[int | None, Query(ge=0, le=_LARGEST_INDEX)] = None,
) -> queries.Filter:
    _check_texts(dag_id, model, task_id)
    return queries.Filter(dag_id, status, model, _in_utc(since), _in_utc(until), task_id, before)


Wanted = Annotated[queries.Filter, Depends(_read_filter)]


@app.get("/api/tasks")
async def read_tasks(user: GetUserDep, wanted: Wanted, page: Annotated[int, Query(ge=1, le=10**6)] = 1) -> TasksView:
    """Return a page of tasks, those of the newest Dag runs first."""

    def answer() -> TasksView:
        dag_ids = _find_dags(user, wanted)
        with open_session() as session:
            found = queries.read_newest(session, dag_ids, wanted, page)
            stored_by = queries.read_stored_by_others(session, found.rows)
        roots = read_roots()
        is_cut = not (found.more or found.extent.is_whole)
        return {
            "tasks": [show_task(row, stored_by, roots) for row in found.rows],
            "page": page,
            "more": found.more,
            "searched_until": _show_extent(found.extent) if is_cut else None,
            "continue_before": found.extent.last if is_cut else None,
        }

    return await run_in_turn(answer)


@app.get("/api/summary")
async def read_summary(user: GetUserDep, wanted: Wanted) -> SummaryView:
    """Return the sums of a filter, and the values that a filter can have."""

    def answer() -> SummaryView:
        dag_ids = _find_dags(user, wanted)
        with open_session() as session:
            groups, extent = queries.count_groups(session, dag_ids, wanted)
        return {
            "totals": add_up(filter(wanted.takes, groups)),
            "dags": sorted(dag_ids),
            "models": sorted({group.model for group in groups if group.model}),
            "page_size": queries.PAGE_SIZE,
            "searched_until": _show_extent(extent),
        }

    return await run_in_turn(answer)


def _show_extent(extent: queries.Extent) -> str | None:
    return None if extent.is_whole or extent.until is None else extent.until.isoformat()


def _find_dags(user: Any, wanted: queries.Filter) -> set[str]:
    """Return the Dags with tasks of this provider that a user may read.

    Raises:
        HTTPException: 403: the filter names a Dag that the user may not read.
    """
    access.require_access(user, wanted.dag_id)
    with open_session() as session:
        dag_ids = read_dags_of_provider(session)
    return access.select_readable(user, dag_ids)


async def _read_key(
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: Annotated[str, Query(max_length=len("{MAP_INDEX}"))] = "-1",
    region_id: UUID | None = None,
    region_index: Annotated[int | None, Query(ge=0, le=_LARGEST_INDEX)] = None,
    try_number: Annotated[int | None, Query(ge=0, le=_LARGEST_INDEX)] = None,
) -> TaskKey:
    _check_texts(dag_id, run_id, task_id)
    # the address of Airflow's tab keeps {MAP_INDEX} if the task is not mapped
    index = int(map_index) if map_index.isascii() and map_index.isdecimal() else -1
    if index > _LARGEST_INDEX:
        raise HTTPException(400, "There is no such map_index.")
    if (region_id is None) != (region_index is None):
        raise HTTPException(400, "The address of a task in a loop needs both region_id and region_index.")
    region = None if region_id is None else str(region_id)
    return TaskKey(dag_id, run_id, task_id, index, region, region_index, try_number)


Key = Annotated[TaskKey, Depends(_read_key)]


def _find_row(user: Any, key: TaskKey) -> TaskRow:
    access.require_access(user, key.dag_id)
    with open_session() as session:
        row = queries.read_task(session, key)
    if row is None:
        raise HTTPException(404, "There is no such task instance; its Dag run may have been deleted.")
    return row


@app.get("/api/task")
async def read_task(user: GetUserDep, key: Key) -> TaskPageView:
    """Return one task instance: the try that was asked for, or the latest one if Airflow has not kept that try."""

    def answer() -> TaskPageView:
        try:
            row = _find_row(user, key)
        except HTTPException as error:
            if error.status_code != 404 or key.try_number is None:
                raise
            row = _find_row(user, replace(key, try_number=None))
        with open_session() as session:
            stored_by = queries.read_stored_by_others(session, [row])
            tries = queries.read_tries(session, key)
        return {**show_task(row, stored_by, read_roots()), "tries": tries}

    return await run_in_turn(answer)


@app.get("/api/content")
async def read_content(
    user: GetUserDep,
    key: Key,
    requested: Annotated[str | None, Header(alias="Range")] = None,
    if_range: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
    save: bool = False,
) -> Response:
    """Return the bytes of the file that a task instance has stored, or some of them."""
    row = await run_in_turn(lambda: _find_row(user, key))
    try:
        opened = await content.open_file(row.outcome or {})
    except content.NotServedError:
        raise HTTPException(404, NOT_SERVED) from None
    # Content-Encoding is named, or Airflow's own compression would compress the video once more
    headers = {"ETag": opened.etag, "Accept-Ranges": "bytes", "Content-Encoding": "identity"}
    if if_none_match == opened.etag:
        opened.file.close()
        return Response(status_code=304, headers=headers)
    try:
        wanted = ranges.parse_range(requested if if_range in (None, opened.etag) else None, opened.size)
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
        content.read_blocks(opened, part), 206 if wanted else 200, headers=headers, media_type=opened.media_type
    )


def _check_texts(*texts: str | None) -> None:
    """Refuse texts that a database cannot be asked for.

    Raises:
        HTTPException: 400: a text holds a NUL character.
    """
    if any("\0" in text for text in texts if text):
        raise HTTPException(400, "A name holds a NUL character; nothing has such a name.")


def _in_utc(moment: datetime | None) -> datetime | None:
    try:
        return moment.astimezone(timezone.utc) if moment else None
    except OverflowError:
        raise HTTPException(400, "A time is before the year 1 or after the year 9999 in UTC.") from None
