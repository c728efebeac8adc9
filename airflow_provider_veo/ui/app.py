"""The application behind the Veo page. It serves the files of the page, JSON and the bytes of videos, and only reads.

All routes and their dependencies are coroutines: FastAPI runs other functions on the threads of Airflow's own routes.
"""

from __future__ import annotations

from datetime import datetime, timezone
from importlib import resources
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_veo.ui import access, content, queries, ranges
from airflow_provider_veo.ui.database import open_session, run_in_turn
from airflow_provider_veo.ui.roots import read_roots
from airflow_provider_veo.ui.views import (
    Status,
    SummaryView,
    TaskKey,
    TaskRow,
    TasksView,
    TaskView,
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
) -> queries.Filter:
    _check_texts(dag_id, model)
    return queries.Filter(dag_id, status, model, _in_utc(since), _in_utc(until))


Wanted = Annotated[queries.Filter, Depends(_read_filter)]


@app.get("/api/tasks")
async def read_tasks(user: GetUserDep, wanted: Wanted, page: Annotated[int, Query(ge=1, le=10**6)] = 1) -> TasksView:
    """Return a page of tasks, the newest orders first."""

    def answer() -> TasksView:
        dag_ids = _find_dags(user, wanted)
        with open_session() as session:
            rows = queries.read_newest(session, dag_ids, wanted, page)
            shown, more = rows[: queries.PAGE_SIZE], len(rows) > queries.PAGE_SIZE
            stored_by = queries.read_stored_by_others(session, shown)
        roots = read_roots()
        return {"tasks": [show_task(row, stored_by, roots) for row in shown], "page": page, "more": more}

    return await run_in_turn(answer)


@app.get("/api/summary")
async def read_summary(user: GetUserDep, wanted: Wanted) -> SummaryView:
    """Return the sums of a filter, and the values that a filter can have."""

    def answer() -> SummaryView:
        dag_ids = _find_dags(user, wanted)
        with open_session() as session:
            groups = queries.count_groups(session, dag_ids, wanted)
        return {
            "totals": add_up(filter(wanted.takes, groups)),
            "dags": sorted({group.dag_id for group in groups}),
            "models": sorted({group.model for group in groups if group.model}),
            "page_size": queries.PAGE_SIZE,
        }

    return await run_in_turn(answer)


def _find_dags(user: Any, wanted: queries.Filter) -> set[str]:
    """Return the Dags with orders that a user may read.

    Raises:
        HTTPException: 403: the filter names a Dag that the user may not read.
    """
    access.require_access(user, wanted.dag_id)
    with open_session() as session:
        dag_ids = queries.read_dags_with_orders(session)
    return access.select_readable(user, dag_ids)


async def _read_key(
    dag_id: str,
    run_id: str,
    task_id: str,
    map_index: Annotated[str, Query(max_length=len("{MAP_INDEX}"))] = "-1",
) -> TaskKey:
    _check_texts(dag_id, run_id, task_id)
    # the address of Airflow's tab keeps {MAP_INDEX} if the task is not mapped
    index = int(map_index) if map_index.isascii() and map_index.isdecimal() else -1
    if index > _LARGEST_INDEX:
        raise HTTPException(400, "There is no such map_index.")
    return TaskKey(dag_id, run_id, task_id, index)


Key = Annotated[TaskKey, Depends(_read_key)]


def _find_row(user: Any, key: TaskKey) -> TaskRow:
    access.require_access(user, key.dag_id)
    with open_session() as session:
        row = queries.read_task(session, key)
    if row is None:
        raise HTTPException(404, "There is no such task instance; its Dag run may have been deleted.")
    return row


@app.get("/api/task")
async def read_task(user: GetUserDep, key: Key) -> TaskView:
    """Return one task instance."""

    def answer() -> TaskView:
        row = _find_row(user, key)
        with open_session() as session:
            stored_by = queries.read_stored_by_others(session, [row])
        return show_task(row, stored_by, read_roots())

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
