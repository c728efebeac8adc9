"""Faults on demand: answers that are replaced, lost or late, by a script or by seeded chance."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_veo.emulator.dialects.dialect import Dialect
from airflow_provider_veo.emulator.messages import Call, Reply


class Trouble(Enum):
    """A kind of fault of an answer."""

    NO_MONEY = "the account is empty"
    RATE_LIMIT = "429 with Retry-After"
    ERROR = "500 with a JSON body"
    BAD_GATEWAY = "502 with an HTML page"
    BROKEN_JSON = "200 with half an object"
    DROPPED = "the connection ends within the answer"
    SLOW = "the right answer, late"
    CUT = "half of the right answer"
    GONE = "410: the server has deleted the file"


# not by chance: an empty account and a deleted file last, and half a file is only for tests that ask for it
_BY_CHANCE = [trouble for trouble in Trouble if trouble not in (Trouble.NO_MONEY, Trouble.CUT, Trouble.GONE)]


@dataclass(frozen=True)
class Fault:
    """One fault of one answer.

    Attributes:
        trouble: Kind of the fault.
        accepted: Whether the request nevertheless has its effect. The client cannot see that.
        seconds: Delay of a `SLOW` answer, or the Retry-After of a `RATE_LIMIT`, in seconds.
    """

    trouble: Trouble
    accepted: bool = False
    seconds: float = 0.0


class DroppedError(Exception):
    """Ends a connection within an answer, on purpose."""


class Faults:
    """Decides which answers go wrong.

    Args:
        share: Share of the answers that go wrong by chance, from 0 to 1.
        seed: Number from which the random choices start. The same seed makes the same choices for each order, whenever
            its calls come.
        seconds: Seconds of the faults; see `Fault`.
    """

    def __init__(self, share: float = 0.0, seed: int = 0, seconds: float = 0.0) -> None:
        self._share = share
        self._seconds = seconds
        self._seed = seed
        self._calls: Counter[tuple[Call, str]] = Counter()
        self._script: defaultdict[Call, deque[Fault]] = defaultdict(deque)

    def add(self, call: Call, *faults: Fault) -> None:
        """Let the next answers to a kind of call go wrong, in this order.

        Args:
            call: Kind of the call, such as `order`.
            faults: Faults of the answers.
        """
        self._script[call].extend(faults)

    def next(self, call: Call, key: str = "") -> Fault | None:
        """Return the fault of the next answer, or None.

        Args:
            call: Kind of the call, such as `order`.
            key: Key of the order that the call belongs to, so that chance is repeatable for each order.
        """
        if self._script[call]:
            return self._script[call].popleft()
        self._calls[call, key] += 1
        chance = random.Random(f"{self._seed} {call} {key} {self._calls[call, key]}")
        if chance.random() >= self._share:
            return None
        trouble = chance.choice(_BY_CHANCE)
        # a rate limit is a refusal: no gateway answers 429 to an order that it has taken
        accepted = trouble is not Trouble.RATE_LIMIT and chance.random() < 0.5
        return Fault(trouble, accepted, self._seconds)


class FaultyApp:
    """An ASGI application whose answers go wrong as `Faults` decides.

    Args:
        app: Application that gives the right answers.
        faults: Rules that decide which answers go wrong.
        dialect: Dialect of the calls and errors.
        key_of: Function that returns the key of the order that a request belongs to.
    """

    def __init__(self, app: ASGIApp, faults: Faults, dialect: Dialect, key_of: Callable[[Scope], str]) -> None:
        self._app = app
        self._faults = faults
        self._dialect = dialect
        self._key_of = key_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._dialect.find_call(scope["method"], scope["path"]) if scope["type"] == "http" else None
        fault = self._faults.next(call, self._key_of(scope)) if call else None
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.trouble is Trouble.SLOW:
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
        elif fault.trouble is Trouble.CUT:
            await self._app(scope, receive, HalfSent(send))
        else:
            if fault.accepted:
                await self._app(scope, receive, _discard)
            await _make_wrong_answer(fault, self._dialect)(scope, receive, send)


class HalfSent:
    """Sends half of the bytes that an application announces, and ends the connection.

    Args:
        send: Sends the messages of an answer.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._left = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._left = int(dict(message["headers"])[b"content-length"]) // 2
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")[: self._left]
            self._left -= len(body)
            await self._send({**message, "body": body, "more_body": True})
            if not self._left:
                raise DroppedError
            return
        await self._send(message)


async def _discard(_message: Message) -> None:
    """Discard an answer."""


def _make_wrong_answer(fault: Fault, dialect: Dialect) -> ASGIApp:
    match fault.trouble:
        case Trouble.NO_MONEY:
            answer: ASGIApp = _json(dialect.no_money())
        case Trouble.RATE_LIMIT:
            answer = _json(dialect.rate_limit(fault.seconds))
        case Trouble.ERROR:
            answer = _json(dialect.server_error())
        case Trouble.BAD_GATEWAY:
            page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
            answer = HTMLResponse(page, 502)
        case Trouble.GONE:
            answer = JSONResponse({"error": {"message": "The file has been deleted", "type": "gone"}}, 410)
        case Trouble.BROKEN_JSON:
            answer = Response('{"id": "video_', 200, media_type="application/json")
        case _:
            answer = _drop
    return answer


def _json(reply: Reply) -> JSONResponse:
    return JSONResponse(reply.body, reply.status, reply.headers)


async def _drop(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Announce more bytes than are sent, after which the server closes the connection."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"id": "vi', "more_body": True})
    raise DroppedError
