"""The base of the dialects of OpenAI's Videos API, as most servers implement it.

A dialect overrides the parts in which its server differs. If a part of a server is not known, it is like that of the
Veo 3.1 gateway. Only the limits of size and length are the emulator's own: they keep rendering fast.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from airflow_provider_veo.api.backends.profiles import VideoModel
from airflow_provider_veo.emulator.dialects.dialect import Dialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import AcceptedOrder, Call, OrderRequest, Reply

FIRST, LAST, ALL = slice(0, 1), slice(-1, None), slice(None)
"""Frames of an order that a server uses."""

_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")
_SIDES = range(64, 4097)  # pixels
_LENGTHS = range(1, 61)  # seconds


def make_openai_error(status: int, message: str, code: str) -> Reply:
    """Return an error in OpenAI's shape, which most servers use at least in some places."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return Reply({"error": {"message": message, "type": kind, "param": "", "code": code}}, status)


def parse_sides(size: object) -> tuple[int, int] | None:
    """Return width and height of a size like `1280x720`, or None if the emulator cannot render it."""
    match = _SIZE.fullmatch(str(size))
    width, height = (int(side) for side in match.groups()) if match else (0, 0)
    return (width, height) if width in _SIDES and height in _SIDES else None


class VideosDialect(Dialect):
    """The requests and answers of one server of this API.

    Attributes:
        prices: Prices of one video in US dollars, by model. Other models are free.
        listed: Models that the server lists besides those with a price.
        default_model: Model of an order that names none. None if the server requires a model.
        default_size: Size of a video if the order names none.
        default_seconds: Length of a video in seconds if the order names none.
        frames: Frames of an order that the server uses. Others are dropped silently.
        reads: Further fields that the server reads. They become options of the job.
        words: The server's status words by the emulator's, if they differ.
        can_delete: Whether the server supports DELETE, after which the job is forgotten.
        delete_stops: Whether DELETE also stops the work.
        can_list: Whether the server supports GET /v1/videos.
        page_length: Most jobs in a list if the request sets no limit. None means all.
        has_chat: Whether the chat call makes videos.
        takes_ranges: Whether the download call can send a part of the file.
        link_type: Content type of a download call's answer that is JSON with the file's address. None if there is no
            such answer.
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
    models_path: ClassVar[str] = "/v1/models"

    def find_call(self, method: str, path: str) -> Call | None:
        if not path.startswith(("/v1/videos", "/assets/")) or path == self.models_path:
            return None
        if method == "POST":
            return "order"
        if method == "GET":
            return "content" if path.endswith(("/content", ".mp4")) else "status"
        return None

    # --- requests

    def takes_key(self, authorization: str, api_key: str) -> bool:
        """Return whether a request is accepted, by its header Authorization: `Bearer KEY` or the key alone."""
        return authorization.removeprefix("Bearer ") == api_key

    def accept(self, order: OrderRequest) -> AcceptedOrder:
        """Return an order as the server reads it.

        Raises:
            RefusedError: The server does not take the order.
        """
        prompt, name = order.fields.get("prompt"), order.fields.get("model") or self.default_model
        if not isinstance(prompt, str) or not prompt.strip():
            self.refuse(400, "prompt is required", "invalid_request")
        if not isinstance(name, str):
            self.refuse(400, "model is required", "missing_model")
        frames = tuple(picture.frame for picture in order.pictures[self.frames])
        return AcceptedOrder(prompt, self.model(name, order.fields), frames, self.options(order))

    def options(self, order: OrderRequest) -> Mapping[str, Any]:
        """Return the fields that the server reads besides prompt, model and frames."""
        return {name: order.fields[name] for name in self.reads if name in order.fields}

    def model(self, name: str, fields: Mapping[str, Any]) -> VideoModel:
        """Return the model with the size and length that the fields of an order mean."""
        sides = parse_sides(fields.get("size") or self.default_size)
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

    def new_id(self, model: VideoModel) -> str:  # noqa: ARG002 - some IDs contain the model
        """Return the ID of a new job."""
        return f"video_{uuid.uuid4()}"

    def created(self, job: Job) -> Reply:
        """Return the answer to a create call."""
        return Reply(self.video(job, "queued", 0))

    def status(self, job: Job, now: float, url: str) -> Reply:  # noqa: ARG002 - most answers name no address
        """Return the answer to a status call.

        Args:
            job: Job that the call is about.
            now: Time as Unix time in seconds.
            url: Address of the file, now or later.
        """
        word = job.status(now)
        return Reply(self.video(job, word, 0 if word == "failed" else self.progress(word, job.progress(now))))

    def video(self, job: Job, word: str, progress: int) -> dict[str, Any]:
        """Return the JSON object by which the server describes a job."""
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

    def progress(self, word: str, percent: float) -> int:  # noqa: ARG002 - for some, the word decides
        """Return the percentage that the server shows."""
        return int(percent)

    def listing(self, jobs: Sequence[Job], now: float, after: str | None, limit: int | None) -> Reply:
        """Return the answer to a list call, in OpenAI's shape.

        Args:
            jobs: Jobs in the requested order.
            now: Time as Unix time in seconds.
            after: ID of the last job that the client has seen.
            limit: Most jobs to list.
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
        """Return the headers of the answer with the file."""
        return {}

    def instead_of_content(self, job: Job, now: float, url: str, asked: Mapping[str, str]) -> Reply | None:  # noqa: ARG002
        """Return the answer to a download call if it is not the file, or else None.

        Args:
            job: Job that the call is about.
            now: Time as Unix time in seconds.
            url: Address at which the file is, too.
            asked: Query of the request.
        """
        if not self.is_stored(job, now):
            return self.not_ready(job.status(now))
        if self.link_type and self.settings.content_as_link:
            return Reply(self.link(job, url), headers={"Content-Type": self.link_type})
        return None

    def is_stored(self, job: Job, now: float) -> bool:
        """Return whether the file of a job can be downloaded."""
        return job.status(now) == "completed" and now >= job.done_at + self.settings.content_lag

    def link(self, job: Job, url: str) -> dict[str, Any]:
        """Return the JSON object with the file's address (the gateway's documentation prints it)."""
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
        """Return the answer to a DELETE that has succeeded."""
        return Reply({"id": job.id, "object": "video.deleted", "deleted": True})

    # --- errors

    def error(self, status: int, message: str, code: str) -> Reply:
        return make_openai_error(status, message, code)

    def wrong_key(self, authorization: str) -> Reply:  # noqa: ARG002 - some look at how the key was sent
        """Return the answer to a request with a wrong key."""
        return self.error(401, "Invalid token", "invalid_api_key")

    def bad_picture(self, error: Exception) -> Reply:
        return self.error(400, f"input_reference is {error}", "invalid_request")

    def no_route(self, method: str, path: str) -> Reply:  # noqa: ARG002 - some quote it
        """Return the answer to a call that the server does not support."""
        return self.error(405, "Method Not Allowed", "method_not_allowed")

    def unknown_video(self) -> Reply:
        """Return the answer to a call about an unknown job."""
        return self.error(404, "Task not found", "task_not_found")

    def unknown_content(self) -> Reply:
        """Return the answer to a download call for an unknown job."""
        return self.unknown_video()

    def not_ready(self, word: str) -> Reply:  # noqa: ARG002 - some answer differently for a failed job
        """Return the answer to a download call for a job without a video."""
        message = "Task is not completed yet, current status: IN_PROGRESS"
        return Reply({"error": {"message": message, "type": "invalid_request_error"}}, 400)

    def rate_limit(self, seconds: float) -> Reply:
        reply = self.error(429, "Current group upstream load is saturated, please try again later", "rate_limit")
        return Reply(reply.body, reply.status, {"Retry-After": f"{seconds:g}"})

    def server_error(self) -> Reply:
        return self.error(500, "upstream error", "internal_error")

    def no_money(self) -> Reply:
        # captured from the Veo 3.1 gateway
        return self.error(403, "user [65944] quota [-14305] preConsumedQuota [7500] is not enough", "quota_not_enough")
