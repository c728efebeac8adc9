"""What comes to the server and goes from it, as plain data between the routes and the dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_veo.api.backends.profiles import VideoModel

Frame = bytes | str
"""A picture's file, or the address of one."""


@dataclass(frozen=True)
class UploadedPicture:
    """A frame that was sent.

    Attributes:
        frame: the picture's file, or the address of one, which an offline emulator cannot fetch.
        width: in pixels; 0 for an address.
        height: in pixels; 0 for an address.
    """

    frame: Frame = field(repr=False)
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class OrderRequest:
    """A create call as it came.

    Attributes:
        fields: JSON values, or the texts of a form.
        pictures: the files of a form.
        is_form: it came as multipart/form-data.
    """

    fields: Mapping[str, Any]
    pictures: tuple[UploadedPicture, ...] = ()
    is_form: bool = False


@dataclass(frozen=True)
class AcceptedOrder:
    """What the server makes of an order.

    Attributes:
        frames: those that count, first frame first.
        options: what else was read, by name.
    """

    prompt: str
    model: VideoModel
    frames: tuple[Frame, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """An answer with a JSON body."""

    body: Mapping[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """A request that the server answers with an error."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(str(reply.body))
