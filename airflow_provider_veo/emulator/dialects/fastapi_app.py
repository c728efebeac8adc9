"""The common part of SGLang and FastVideo: FastAPI applications with the errors of FastAPI itself."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from airflow_provider_veo.emulator.dialects.base import LAST, VideosDialect
from airflow_provider_veo.emulator.jobs import Job
from airflow_provider_veo.emulator.messages import AcceptedOrder, OrderRequest, RefusedError, Reply


class FastApi(VideosDialect):
    """No keys, one model for all orders, errors of FastAPI, and a DELETE that forgets the job without stopping it.

    Attributes:
        owner: Owner of the model in the list of models.
    """

    owner: ClassVar[str]
    default_model = "Wan-AI/Wan2.2-TI2V-5B-Diffusers"
    default_size = "1280x704"
    default_seconds = 4
    frames = LAST  # FastAPI passes the last of several files to a parameter for one file
    reads = ("size", "seconds", "seed", "negative_prompt")
    can_delete = True
    delete_stops = False
    can_list = True

    def takes_key(self, authorization: str, api_key: str) -> bool:  # noqa: ARG002
        return True

    def accept(self, order: OrderRequest) -> AcceptedOrder:
        seconds = order.fields.get("seconds")
        if seconds not in (None, "") and not _is_whole(seconds):
            self._refuse_seconds(seconds, order.is_form)
        if not order.is_form and not isinstance(order.fields.get("prompt"), str):
            self.refuse(400, "Invalid request body: 1 validation error for VideoGenerationsRequest\nprompt", "")
        named = order.fields.get("model") or self._served()  # the name is ignored: the only model makes the video
        return super().accept(OrderRequest({**order.fields, "model": named}, order.pictures, order.is_form))

    def _refuse_seconds(self, seconds: Any, is_form: bool) -> NoReturn:
        kind = {"type": "int_parsing", "msg": "Input should be a valid integer, unable to parse string as an integer"}
        if is_form:  # FastAPI itself checks the fields of a form
            raise RefusedError(Reply({"detail": [{**kind, "loc": ["body", "seconds"], "input": seconds}]}, 422))
        self.refuse(400, f"Invalid request body: 1 validation error for VideoGenerationsRequest\nseconds\n  {kind}", "")

    def _served(self) -> str:
        return self.settings.model or self.default_model

    def models(self) -> list[dict[str, Any]]:
        served = self._served()
        return [{"id": served, "object": "model", "created": 0, "owned_by": self.owner, "root": served}]

    def deleted(self, job: Job) -> Reply:
        return Reply(self.video(job, "deleted", 0))

    def error(self, status: int, message: str, code: str) -> Reply:  # noqa: ARG002
        return Reply({"detail": message}, status)

    def unknown_video(self) -> Reply:
        return self.error(404, "Video not found", "")


def _is_whole(seconds: Any) -> bool:
    """Return whether pydantic reads a value as an int, as it does 8, 8.0, "8" and "8.0"."""
    try:
        return float(seconds) == int(float(seconds))
    except (TypeError, ValueError, OverflowError):
        return False
