"""A gateway whose answers are hostile. Each task names in its prompt the case that it wants."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.support.key_spellings import IN_JSON, IN_TEXT
from tests.support.mp4_boxes import make_video
from tests.support.scripted_server import Reply, ScriptedServer, SeenRequest

if TYPE_CHECKING:
    from typing_extensions import Self

KEY = 'sk-Qv7/Tz+3=Lm&9"Wx-Rk4Hy'
KEY_OF_OTHER_LETTERS = "sk-Schlüssel-鍵-Qv7Tz3Lm9"
SECRET_WORDS = "a cat whose name must stay secret"
"""In every prompt."""


@dataclass
class Job:
    """The job that an order has made.

    Attributes:
        dag_id: Dag ID of the task that has ordered.
        task_id: Task ID of the task that has ordered.
        id: ID of the job.
        key: API key that the task has sent.
        url: Address of the gateway.
        questions: Number of status calls since the job was released.
    """

    dag_id: str
    task_id: str
    id: str
    key: str
    url: str
    questions: int = 0


MakeReply = Callable[[Job], Reply]


def accepted(job: Job) -> Reply:
    return Reply(body={"id": job.id, "status": "queued"})


def completed(job: Job) -> Reply:
    return Reply(body={"id": job.id, "status": "completed"})


def video(job: Job) -> Reply:
    return Reply(body=make_video(), headers={"Content-Type": "video/mp4"})


@dataclass(frozen=True)
class Case:
    """How the gateway treats a job, and how the task must end.

    Attributes:
        order: Makes the reply to the order, which is a video call or a chat call.
        status: Makes the reply to each status call.
        content: Makes the reply to each request for the content.
        end: State in which the task must end; None if every end is fine.
        says: Text that the log of the task must hold.
        timeout: Seconds that the task waits for the job.
        is_held: Whether the job of a deferred task runs until the Dag is released.
        conn_id: Connection of the task.
    """

    order: MakeReply = accepted
    status: MakeReply = completed
    content: MakeReply = video
    end: str | None = "failed"
    says: str = ""
    timeout: float = 1200.0
    is_held: bool = True
    conn_id: str = "hostile"


# --- Texts that break databases and logs


_HALF = "half an emoji \ud83d here"
_NUL = "a NUL \x00 here"
_SIGNS = "an escape \x1b[31m, a bell \x07, \u202e turned \u2066 twice, two\r\nlines \x85 \u2028"
_LONG = "x" * 5_000_000
POISONS = {
    "half": _HALF,
    "nul": _NUL,
    "signs": _SIGNS,
    "long": _LONG,
    "all": f"{_HALF} {_NUL} {_SIGNS} {_LONG} {_HALF} {_NUL}",
}


def _poisoned(place: str, words: str) -> Case:
    def until_asked_twice(job: Job) -> Reply:
        """Send an unknown status, which counts as running, and then `completed`."""
        return Reply(body={"id": job.id, "status": words}) if job.questions < 2 else completed(job)

    def with_(**more: Any) -> MakeReply:
        return lambda job: Reply(body={"id": job.id, "status": "completed", **more})

    def error(status: int) -> MakeReply:
        # the code says that a retry is useless, so that the task has one try
        return lambda job: Reply(status, {"error": {"code": "content_policy_violation", "message": words}})

    def failed(job: Job) -> Reply:
        return Reply(body={"id": job.id, "status": "failed", "error": {"message": f"Content policy: {words}"}})

    return {
        "id": Case(order=lambda job: Reply(body={"status": "queued", "id": words}), says="It is unknown"),
        "message": Case(status=failed),
        "status_word": Case(status=until_asked_twice, end="success"),
        "model": Case(
            order=lambda job: Reply(body={"id": job.id, "status": "queued", "model": words}),
            status=with_(model=words),
            end="success",
        ),
        "url": Case(status=with_(url=f"https://example.com/{words}.mp4"), end="success"),
        "error_of_order": Case(order=error(400)),
        "error_of_status": Case(status=error(403)),
        "error_of_content": Case(content=error(403)),
    }[place]


PLACES = ("id", "message", "status_word", "model", "url")
POISONED = {
    **{f"{place}_{name}__deferred": _poisoned(place, POISONS[name]) for place in PLACES for name in POISONS},
    **{f"{place}_all__worker": _poisoned(place, POISONS["all"]) for place in PLACES if place != "id"},
    **{f"error_of_{call}__worker": _poisoned(f"error_of_{call}", POISONS["all"]) for call in ("order", "status")},
    **{f"error_of_{call}__deferred": _poisoned(f"error_of_{call}", POISONS["all"]) for call in ("status", "content")},
}
POISONED_BRIEFLY = {f"{place}_all__deferred": _poisoned(place, POISONS["all"]) for place in PLACES} | {
    f"{place}_nul__deferred": _poisoned(place, POISONS["nul"]) for place in PLACES
}


# --- Waits that never end


_WAITS = {
    "billion": "1000000000",
    "too_long_for_python": "300000000000",
    "date": "Fri, 31 Dec 9999 23:59:59 GMT",
}


def _later(wait: str, status: int = 429) -> MakeReply:
    headers = {"Retry-After": _WAITS[wait], "Date": "Sat, 28 Nov 2026 00:00:00 GMT"}
    return lambda job: Reply(status, {"error": {"message": "too many requests", "code": "rate_limited"}}, headers)


def _running_later(job: Job) -> Reply:
    later = _later("too_long_for_python", 200)(job)
    return Reply(200, {"id": job.id, "status": "processing"}, later.headers)


LATE = {
    **{f"order_{wait}": Case(order=_later(wait), end="up_for_retry") for wait in _WAITS},
    **{f"content_{wait}": Case(content=_later(wait), end="up_for_retry") for wait in _WAITS},
}
DEADLINES = {
    # on a separate connection, since this answer makes all waits of a connection pause
    "status_refused": Case(status=_later("too_long_for_python"), timeout=5.0, is_held=False, conn_id="hostile_busy"),
    "status_running": Case(status=_running_later, timeout=5.0, is_held=False),
}


# --- Answers after which the gateway's upstream has a job


def _after_all(status: int, body: Any = b"", **headers: str) -> Case:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Case(order=lambda job: Reply(status, body, named), says="It is unknown")


def _redirect(status: int) -> Case:
    return Case(
        order=lambda job: Reply(status, b"", {"Location": f"{job.url}/v1/videos?again=1"}),
        says="It is unknown",
    )


_TIMED_OUT = {"error": {"message": "Request timed out.", "type": "timeout", "code": "408"}}
PAID = {
    "408": _after_all(408, _TIMED_OUT),
    "409": _after_all(409, {"error": {"message": "A request with this key is in progress", "code": "conflict"}}),
    "499": _after_all(499, {"error": {"message": "The client closed the connection"}}),
    "500": _after_all(500, {"error": {"message": "upstream error"}}),
    "520": _after_all(520, b"<html><title>520: Web server is returning an unknown error</title></html>"),
    "202_empty": _after_all(202),
    "200_with_code_408": _after_all(200, {"code": 408, "message": "timeout"}),
    "200_with_code_500": _after_all(200, {"code": 500, "message": "upstream error", "data": None}),
    "200_with_code_504": _after_all(200, {"code": 504, "message": "gateway timeout", "data": None}),
    "200_with_error_500": _after_all(200, {"error": {"code": "500", "message": "upstream error"}}),
    "302": _redirect(302),
    "307": _redirect(307),
    "308": _redirect(308),
}


# --- Answers that repeat the key


ECHO = "".join(f" <{name}>" for name in (*IN_JSON, *IN_TEXT))
"""Stands for the key in all spellings, in the bodies of `_echo_key`."""
_BESIDE = "echo-of-the-key"  # shows that the text has arrived


def _spelled(name: str, key: str) -> str:
    """Return a spelling of a key as a part of a JSON string."""
    return IN_JSON[name](key) if name in IN_JSON else json.dumps(IN_TEXT[name](key))[1:-1]


def _echo_key(key: str, status: int, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a reply in which each name of a spelling in angle brackets is replaced by the key in that spelling."""
    names = "|".join(map(re.escape, (*IN_JSON, *IN_TEXT)))
    text = re.sub(f"<({names})>", lambda name: _spelled(name[1], key), json.dumps(body))
    in_header = key.encode().decode("latin-1")
    odd = {"X-Request-Id": in_header, "X-Upstream-Authorization": f"Bearer {in_header}"}
    return Reply(status, text, {"Content-Type": "application/json", **odd, **(headers or {})})


def _error(status: int, code: str = "content_policy_violation") -> MakeReply:
    return lambda job: _echo_key(job.key, status, {"error": {"message": f"{_BESIDE}{ECHO}", "code": code}})


def _page(job: Job) -> Reply:
    spelled = ", ".join(spell(job.key) for spell in IN_TEXT.values())
    return Reply(400, f"<html><body>{_BESIDE} {spelled}</body></html>", {"Content-Type": "text/html"})


def _address(pattern: str, job: Job) -> str:
    host = job.url.partition("//")[2]
    return pattern.format(url=job.url, host=host, key=job.key, quoted=quote(job.key, safe=""))


def _moved(pattern: str, status: int = 302) -> MakeReply:
    return lambda job: Reply(status, b"", {"Location": _address(pattern, job)})


def _failed(job: Job) -> Reply:
    message = f"Content policy: {_BESIDE}{ECHO}"
    return _echo_key(job.key, 200, {"id": job.id, "status": "failed", "error": {"message": message}})


def _passing(job: Job) -> Reply:
    return _error(500, "server_error")(job) if job.questions < 2 else completed(job)


def _fields(job: Job) -> Reply:
    words = f"{_BESIDE}{ECHO}"
    about = {"model": words, "size": words, "resolution": words, "seconds": words}
    status = words if job.questions < 2 else "completed"
    return _echo_key(job.key, 200, {"id": job.id, "status": status, **about})


def _url(pattern: str) -> MakeReply:
    return lambda job: Reply(body={"id": job.id, "status": "completed", "url": _address(pattern, job)})


_URLS = {
    "query": "http://{host}/files/video.mp4?key={key}",
    "quoted_query": "http://{host}/files/video.mp4?key={quoted}",
    "path": "http://{host}/files/{quoted}/video.mp4",
    "parameter": "http://{host}/files/video.mp4;key={quoted}",
    "fragment": "http://{host}/files/video.mp4#{quoted}",
    "userinfo": "http://user:{quoted}@{host}/files/video.mp4",
}


def _chat(*lines: str) -> MakeReply:
    """Answer a chat call with lines for people, in which `{echo}`, `{spelled}` and `{url}` are filled in."""

    def answer(job: Job) -> Reply:
        spelled = ", ".join(spell(job.key) for spell in IN_TEXT.values())
        url = _address("{url}/files/{quoted}/video.mp4?key={quoted}", job)
        filled = {"echo": ECHO, "spelled": json.dumps(spelled), "url": url}
        content = "".join(line.format(**filled) + "\n" for line in lines)
        chunk = {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]}
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        reply = _echo_key(job.key, 200, chunk, {"Content-Type": "text/event-stream"})
        assert isinstance(reply.body, str)
        events = f"data: {reply.body}\n\ndata: {json.dumps(end)}\n\ndata: [DONE]\n\n"
        return Reply(200, events, reply.headers)

    return answer


_CHAT_HEAD = ("```", '{{"prompt": {spelled}, "mode": {spelled}}}', "```", f"> {_BESIDE}{{echo}}")
ECHOED = {
    "error_of_order": Case(order=_error(400)),
    "page_of_order": Case(order=_page),
    "redirect_of_order": Case(order=_moved("{url}/{quoted}/login?key={key}", 307)),
    "failed__deferred": Case(status=_failed),
    "failed__worker": Case(status=_failed),
    "error_of_status__deferred": Case(status=_error(403)),
    "error_of_status__worker": Case(status=_error(403)),
    "redirect_of_status__deferred": Case(
        status=_moved("{url}/{quoted}?key={key}"), end=None, timeout=5.0, is_held=False
    ),
    "passing_error__deferred": Case(status=_passing, end="success"),
    "passing_error__worker": Case(status=_passing, end="success"),
    "fields__deferred": Case(status=_fields, end="success"),
    "fields__worker": Case(status=_fields, end="success"),
    **{f"url_with_{place}__deferred": Case(status=_url(url), end="success") for place, url in _URLS.items()},
    "url_with_query__worker": Case(status=_url(_URLS["query"]), end="success"),
    "error_of_content__deferred": Case(content=_error(403)),
    "redirect_of_content__deferred": Case(content=_moved("{url}/files/{quoted}/video.mp4?key={key}"), end=None),
    "scheme_of_content__deferred": Case(content=_moved("gopher://{quoted}@{host}/{quoted}?{key}"), end=None),
    "text_of_content__deferred": Case(content=lambda job: Reply(body=f"{job.key} is not a video"), end=None),
    "words__chat": Case(order=_chat(*_CHAT_HEAD, "> 50%", "> ✅ done: {url}"), end=None),
    "failure__chat": Case(order=_chat(*_CHAT_HEAD, "> ❌ failed, content policy: {echo}")),
    "error__chat": Case(order=_error(400)),
    "key_of_other_letters": Case(status=_failed, conn_id="hostile_letters"),
    "key_of_other_letters__chat": Case(order=_error(400), conn_id="hostile_letters"),
}


# --- The server


@dataclass(frozen=True)
class Cases:
    """Cases by Dag and task, and the environment in which `hostile_dags` makes tasks of them.

    Attributes:
        by_dag: The cases by Dag ID and task ID. The end of a task ID says how the task waits: `__worker`, `__chat`,
            or else deferred.
    """

    by_dag: Mapping[str, Mapping[str, Case]]

    def environment(self) -> dict[str, str]:
        tasks = {
            dag_id: {
                task_id: {
                    "prompt": f"{dag_id}.{task_id}: {SECRET_WORDS}",
                    "conn_id": case.conn_id,
                    "timeout": case.timeout,
                }
                for task_id, case in cases.items()
            }
            for dag_id, cases in self.by_dag.items()
        }
        return {"HOSTILE_TASKS": json.dumps(tasks)}


_NAME = re.compile(r"(\w+)\.(\w+): ")  # at the beginning of a prompt


@dataclass
class HostileGateway:
    """Treat each order as its case says: `with HostileGateway(cases) as gateway: ... gateway.url ...`.

    Attributes:
        cases: The cases of the tasks that order here.
        orders: Number of orders, by the Dag ID and the task ID of their sender.
    """

    cases: Cases
    orders: Counter[tuple[str, str]] = field(default_factory=Counter)
    _jobs: dict[str, Job] = field(default_factory=dict)
    _released: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._server = ScriptedServer(self._answer)
        self.url = self._server.url
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def connections(self) -> dict[str, dict[str, str]]:
        """Return Airflow's connections to this gateway."""
        keys = {"hostile": KEY, "hostile_busy": KEY, "hostile_letters": KEY_OF_OTHER_LETTERS}
        return {name: {"conn_type": "veo", "host": self.url, "password": key} for name, key in keys.items()}

    def release(self, dag_id: str) -> None:
        """Let the jobs of the deferred tasks of a Dag end. Until then their status stays `processing`."""
        self._released.add(dag_id)

    def _answer(self, request: SeenRequest) -> Reply:
        # http.server reads headers as Latin-1, as the standard once said
        key = (
            request.headers.get("authorization", "").removeprefix("Bearer ").encode("latin-1").decode(errors="replace")
        )
        if request.method == "POST":
            return self._take(request.body.decode(), key)
        parts = request.path.partition("?")[0].split("/")
        job = self._jobs.get(parts[3]) if len(parts) > 3 else None
        if job is None:
            return _error(404)(Job("", "", "", key or KEY, self.url))
        case = self.cases.by_dag[job.dag_id][job.task_id]
        if parts[-1] == "content":
            return case.content(job)
        is_held = case.is_held and not job.task_id.endswith("__worker")
        if is_held and job.dag_id not in self._released:
            return Reply(body={"id": job.id, "status": "processing"})
        job.questions += 1
        return case.status(job)

    def _take(self, body: str, key: str) -> Reply:
        name = _NAME.search(body)
        assert name, body
        dag_id, task_id = name.groups()
        self.orders[dag_id, task_id] += 1
        job = Job(dag_id, task_id, f"job-{len(self._jobs)}", key, self.url)
        self._jobs[job.id] = job
        return self.cases.by_dag[dag_id][task_id].order(job)
