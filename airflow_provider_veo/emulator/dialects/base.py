"""What the servers have in common: OpenAI's Videos API as most of them understand it, and the questions of the routes.

A dialect overrides what its server does differently. Where nothing is known of a server, it does what the seed's
gateway does. The emulator's own are only the limits of size and length, which keep rendering affordable.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.jobs import Job, Settings
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, RefusedError, Reply

FIRST, LAST, ALL = slice(0, 1), slice(-1, None), slice(None)
"""Which frames of an order count."""

_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")
_SIDES = range(64, 4097)  # pixels
_LENGTHS = range(1, 61)  # seconds


def openai_error(status: int, message: str, code: str) -> Reply:
    """Return an error in OpenAI's shape, which most servers use in some places at least."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return Reply({"error": {"message": message, "type": kind, "param": "", "code": code}}, status)


def sides_of(size: object) -> tuple[int, int] | None:
    """Return width and height of `WIDTHxHEIGHT`; None if it is not that, or more than the emulator renders."""
    match = _SIZE.fullmatch(str(size))
    width, height = (int(side) for side in match.groups()) if match else (0, 0)
    return (width, height) if width in _SIDES and height in _SIDES else None


class Dialect:
    """How one server talks.

    Args:
        settings: of the emulator.

    Attributes:
        name: on the command line.
        prices: in USD a video. Any other model is free.
        listed: models that the server lists, beside those with a price.
        default_model: for orders that name none; None: they must.
        default_size: of a video whose order names none.
        default_seconds: length of a video whose order names none.
        frames: those of an order that count; all others are dropped silently.
        reads: fields that the server understands, and that count as options of the job.
        words: the server's words for "processing" and others, where they differ from the emulator's.
        can_delete: DELETE works, and the job is forgotten then.
        delete_stops: DELETE also stops the work.
        can_list: GET /v1/videos works.
        page_length: most jobs in a list whose request sets no limit; None: all.
        has_chat: the chat route makes videos, too.
        takes_ranges: the content route can send a part of the file.
        link_type: content type of a content answer that is JSON with the file's address; None: it never is.
    """

    name: ClassVar[str]
    prices: ClassVar[Mapping[str, float]] = MappingProxyType({})
    listed: ClassVar[Sequence[str]] = ()
    default_model: ClassVar[str | None] = None
    default_size: ClassVar[str] = "720x1280"
    default_seconds: ClassVar[int] = 8
    frames: ClassVar[slice] = FIRST
    reads: ClassVar[Sequence[str]] = ()
    words: ClassVar[Mapping[str, str]] = MappingProxyType({"processing": "in_progress"})
    can_delete: ClassVar[bool] = False
    delete_stops: ClassVar[bool] = True
    can_list: ClassVar[bool] = False
    page_length: ClassVar[int | None] = None
    has_chat: ClassVar[bool] = False
    takes_ranges: ClassVar[bool] = True
    link_type: ClassVar[str | None] = None

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    # --- requests

    def takes_key(self, authorization: str, api_key: str) -> bool:
        """Whether a request with this header may pass; both `Bearer KEY` and the bare key do."""
        return authorization.removeprefix("Bearer ") == api_key

    def accept(self, order: OrderRequest) -> AcceptedOrder:
        """Read an order.

        Raises:
            RefusedError: the server does not take it.
        """
        prompt, name = order.fields.get("prompt"), order.fields.get("model") or self.default_model
        if not isinstance(prompt, str) or not prompt.strip():
            self.refuse(400, "prompt is required", "invalid_request")
        if not isinstance(name, str):
            self.refuse(400, "model is required", "missing_model")
        frames = tuple(picture.frame for picture in order.pictures[self.frames])
        return AcceptedOrder(prompt, self.model(name, order.fields), frames, self.options(order))

    def options(self, order: OrderRequest) -> Mapping[str, Any]:
        """Return what the server reads of an order beside prompt, model and frames."""
        return {name: order.fields[name] for name in self.reads if name in order.fields}

    def model(self, name: str, fields: Mapping[str, Any]) -> VideoModel:
        """Return what a model makes of the fields of an order."""
        sides = sides_of(fields.get("size") or self.default_size)
        if sides is None:
            self.refuse(400, f"size must be WIDTHxHEIGHT, each {_SIDES[0]} to {_SIDES[-1]} pixels", "invalid_request")
        seconds = str(fields.get("seconds") or self.default_seconds)
        if not seconds.isdecimal() or int(seconds) not in _LENGTHS:
            self.refuse(400, f"seconds must be {_LENGTHS[0]} to {_LENGTHS[-1]}", "invalid_request")
        return VideoModel(name, self.prices.get(name, 0.0), *sides, int(seconds), takes_frames=True)

    # --- answers

    def models(self) -> list[dict[str, Any]]:
        """Return the models that the server lists."""
        names = dict.fromkeys((*self.prices, *self.listed))
        return [{"id": name, "object": "model", "owned_by": "veo"} for name in names]

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002 - some ids name the model
        """Return the id of a new job."""
        return f"video_{uuid.uuid4()}"

    def created(self, job: Job) -> Reply:
        """Answer a create call."""
        return Reply(self.video(job, "queued", 0))

    def status(self, job: Job, now: float, url: str) -> Reply:  # noqa: ARG002 - most answers name no address
        """Answer a status call.

        Args:
            job: asked about.
            now: seconds since the epoch.
            url: where the file is, or will be.
        """
        word = job.status(now)
        return Reply(self.video(job, word, 0 if word == "failed" else self.progress(word, job.progress(now))))

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        """Return a job as the server describes it."""
        return {
            "id": job.id,
            "object": "video",
            "model": job.model.id,
            "status": self.words.get(word, word),
            "progress": progress,
            "created_at": int(job.created),
            "completed_at": int(job.done_at) if word == "completed" else None,
            "size": job.model.size,
            "seconds": str(job.model.seconds),
            "error": {"code": job.failure_code, "message": job.failure} if word == "failed" else None,
        }

    def progress(self, word: str, percent: float) -> int:  # noqa: ARG002 - some tell it by the word alone
        """Return the percentage that the server shows."""
        return int(percent)

    def listing(self, jobs: Sequence[Job], now: float, after: str | None, limit: int | None) -> Reply:
        """Answer a list call (OpenAI's shape).

        Args:
            jobs: in the order that was asked for.
            now: seconds since the epoch.
            after: the last id that the client has seen.
            limit: the most jobs to show.
        """
        ids = [job.id for job in jobs]
        rest = jobs[ids.index(after) + 1 :] if after in ids else ([] if after else jobs)
        shown = rest[:limit]
        return Reply(
            {
                "object": "list",
                "data": [self.status(job, now, "").body for job in shown],
                "first_id": shown[0].id if shown else None,
                "last_id": shown[-1].id if shown else None,
                "has_more": len(shown) < len(rest),
            }
        )

    def content_headers(self, job: Job) -> Mapping[str, str]:  # noqa: ARG002 - some name the job
        """Return headers of the file."""
        return {}

    def instead_of_content(self, job: Job, now: float, url: str, variant: str | None) -> Reply | None:  # noqa: ARG002
        """Return what a content call is answered with, if it is not the file.

        Args:
            job: asked about.
            now: seconds since the epoch.
            url: where the file is, too.
            variant: of the file, as it was asked for.
        """
        if not self.is_stored(job, now):
            return self.not_ready(job.status(now))
        if self.link_type and self.settings.content_as_link:
            return Reply(self.link(job, url), headers={"Content-Type": self.link_type})
        return None

    def is_stored(self, job: Job, now: float) -> bool:
        """Whether the file of a job can be fetched."""
        return job.status(now) == "completed" and now >= job.done_at + self.settings.content_lag

    def link(self, job: Job, url: str) -> dict[str, Any]:
        """Return what a content route says that answers with an address (the seed's documentation prints it)."""
        return {
            "id": job.id,
            "object": "video",
            "created": int(job.created),
            "status": "completed",
            "model": job.model.id,
            "prompt": job.prompt,
            "url": url,
            "duration": job.model.seconds,
            "resolution": job.model.size,
        }

    def deleted(self, job: Job) -> Reply:
        """Answer a DELETE that worked."""
        return Reply({"id": job.id, "object": "video.deleted", "deleted": True})

    # --- errors

    def error(self, status: int, message: str, code: str) -> Reply:
        """Return an error in the server's shape."""
        return openai_error(status, message, code)

    def refuse(self, status: int, message: str, code: str) -> NoReturn:
        """Raise an error in the server's shape."""
        raise RefusedError(self.error(status, message, code))

    def wrong_key(self, authorization: str) -> Reply:  # noqa: ARG002 - some look at how the key was sent
        """Answer a request that `takes_key` does not let pass."""
        return self.error(401, "Invalid token", "invalid_api_key")

    def bad_picture(self, error: Exception) -> Reply:
        """Answer an order whose frame cannot be read."""
        return self.error(400, f"input_reference is {error}", "invalid_request")

    def no_route(self, method: str, path: str) -> Reply:  # noqa: ARG002 - some quote it
        """Answer a call that the server does not offer."""
        return self.error(405, "Method Not Allowed", "method_not_allowed")

    def unknown_video(self) -> Reply:
        """Answer a call about a job that does not exist."""
        return self.error(404, "Task not found", "task_not_found")

    def unknown_content(self) -> Reply:
        """Answer a content call about a job that does not exist."""
        return self.unknown_video()

    def not_ready(self, word: str) -> Reply:  # noqa: ARG002 - some tell a failed job from a running one
        """Answer a content call before the content is there."""
        message = "Task is not completed yet, current status: IN_PROGRESS"
        return Reply({"error": {"message": message, "type": "invalid_request_error"}}, 400)

    def rate_limit(self, seconds: float) -> Reply:
        """Say "not now"."""
        reply = self.error(429, "Current group upstream load is saturated, please try again later", "rate_limit")
        return Reply(reply.body, reply.status, {"Retry-After": f"{seconds:g}"})

    def server_error(self) -> Reply:
        """Say that something broke."""
        return self.error(500, "upstream error", "internal_error")

    def no_money(self) -> Reply:
        """Say that the account is empty (a captured answer of the seed gateway)."""
        return self.error(403, "user [65944] quota [-14305] preConsumedQuota [7500] is not enough", "quota_not_enough")
