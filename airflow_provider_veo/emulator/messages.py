"""Requests and answers as plain data, between the routes and the dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from airflow_provider_veo.api.backends.profiles import VideoModel

Call = Literal["order", "status", "content"]
CALLS: tuple[Call, ...] = get_args(Call)

FrameData = bytes | str
"""File of a picture, or its address."""


@dataclass(frozen=True)
class UploadedPicture:
    """A picture in a request.

    Attributes:
        frame: File of the picture, or its address, which an offline emulator cannot fetch.
        width: Width in pixels; 0 for an address.
        height: Height in pixels; 0 for an address.
    """

    frame: FrameData = field(repr=False)
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class OrderRequest:
    """A create call.

    Attributes:
        fields: JSON values, or the texts of a form.
        pictures: Files of a form.
        is_form: Whether the body is multipart/form-data.
    """

    fields: Mapping[str, Any]
    pictures: tuple[UploadedPicture, ...] = ()
    is_form: bool = False


@dataclass(frozen=True)
class AcceptedOrder:
    """An order as the server reads it.

    Attributes:
        prompt: Prompt of the order.
        model: Model of the order, with its price, size and length.
        frames: Frames that the server uses, the first frame first.
        options: Further fields that the server reads, by name.
        failure: Message about the failure with which the job will end, since the order breaks a rule that the server
            checks late. None if it breaks none.
    """

    prompt: str
    model: VideoModel
    frames: tuple[FrameData, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True)
class Reply:
    """An answer with a JSON body.

    Attributes:
        body: JSON object of the body.
        status: HTTP status of the answer.
        headers: Further headers of the answer.
    """

    body: Mapping[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """A request that the server answers with an error."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(str(reply.body))
