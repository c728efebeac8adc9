"""From what a Dag author writes (URL, data URI, path, object) to a picture that is ready to be sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import httpx
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo import __version__
from airflow_provider_veo.api.answers.text import for_people, shown
from airflow_provider_veo.api.content.locate import MAX_HOPS
from airflow_provider_veo.api.errors import InvalidInputError, TransportError
from airflow_provider_veo.api.formats.data_uris import picture_of
from airflow_provider_veo.api.formats.frames import MAX_FRAME_BYTES, Frame, FrameUrl, shape_warning
from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.net.addresses import NOT_PUBLIC, AddressRule, IPAddress, Network, own_networks
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.exchange import Exchanges
from airflow_provider_veo.api.net.urls import absolute, redact
from airflow_provider_veo.api.settings import tls_context
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec

FrameSource = str | os.PathLike[str] | ObjectStoragePath | Mapping[str, Any]
"""Where a picture is: a place, or the result of a task that has stored one: its `path`."""

_WHERE = "the URL, data: URI, path or ObjectStoragePath of a picture, or the result of a task that has stored one"
_LONGEST_PLACE = 8_192
"""Characters of a path or an address; longer ones are no places."""

_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"airflow-provider-veo/{__version__}"}


def load_frame(source: FrameSource | None, argument: str) -> Frame | None:
    """Read and check a picture.

    Args:
        source: http(s) URL, `data:` URI, local path, storage URI, `ObjectStoragePath`, or the result of a
            `VeoExtractFrameOperator`; None or "" for no picture.
        argument: the operator's argument, for error messages.

    Raises:
        InvalidInputError: it cannot be read, is larger than 10 MB, damaged, or no JPEG, PNG or WebP picture.
    """
    place = _place_of(source, argument)
    if place is None:
        return None
    text = str(place)
    scheme = _scheme(text)
    if scheme == "data":
        return Frame.from_bytes(picture_of(text, argument), argument)
    name = _named(text, argument)
    try:
        if scheme in ("http", "https"):
            content = _fetch(text, name)
        else:
            path = ObjectStoragePath(text) if isinstance(place, str) and "://" in text else place
            with cast("BinaryIO", _opened(path)) as file:
                content = file.read(MAX_FRAME_BYTES + 1)
    except InvalidInputError:
        raise
    except TransportError as error:
        raise InvalidInputError(f"{name} cannot be read: {error}") from None
    except Exception as error:  # noqa: BLE001 - drivers raise whatever they like, with the whole path
        raise InvalidInputError(
            f"{name} cannot be read: {type(error).__name__}: {_words(error).rstrip('.')}. {_way_out(text)}"
        ) from None
    return Frame.from_bytes(content, name)


def load_chat_frame(source: FrameSource | None, argument: str) -> Frame | FrameUrl | None:
    """Read and check a picture for the chat call, which takes an http(s) URL as it is: the server fetches it.

    Raises:
        InvalidInputError: as `load_frame`.
    """
    place = _place_of(source, argument)
    if not isinstance(place, str) or _scheme(place) not in ("http", "https"):
        return load_frame(place, argument)
    if absolute("", place) is None:
        raise InvalidInputError(f"{_named(place, argument)} is not a usable http(s) address.")
    return FrameUrl(place)


def warn_of_shapes(spec: VideoSpec | ChatSpec, size: str | None, log: Any) -> None:
    """Warn of frames that have another shape than the video will have."""
    for name, frame in (("first_frame", spec.first_frame), ("last_frame", spec.last_frame)):
        if warning := shape_warning(frame, name, spec.model, size):
            log.warning(warning)


def _scheme(text: str) -> str:
    return text.partition(":")[0].lower()


def _opened(path: str | os.PathLike[str] | ObjectStoragePath) -> object:
    return path.open("rb") if isinstance(path, ObjectStoragePath) else Path(path).expanduser().open("rb")


def _place_of(source: Any, argument: str) -> str | os.PathLike[str] | ObjectStoragePath | None:
    """Return where a picture is, a text without the space around it; None for no picture."""
    if isinstance(source, Mapping):
        source = source.get("path")
        if not source:
            raise InvalidInputError(f"{argument} is the result of a task that has stored no picture: it has no path.")
    if source is None or source == "":
        return None
    if not isinstance(source, (str, os.PathLike, ObjectStoragePath)):
        raise InvalidInputError(f"{argument} is {shown(source)}; it must be {_WHERE}.")
    place = source.strip() if isinstance(source, str) else source
    if len(str(place)) > _LONGEST_PLACE and _scheme(str(place)) != "data":
        raise InvalidInputError(
            f"{argument} {shown(str(place))} is too long to be {_WHERE}. If it is a picture in base64, put "
            "'data:image/png;base64,' before it."
        )
    return place


def _named(place: str, argument: str) -> str:
    return f"{argument} {shown(redact(place) if '://' in place else place)}"


def _way_out(place: str) -> str:
    is_relative = "://" not in place and not place.startswith(("/", "~"))
    said = " A relative path counts from the folder that the worker runs in: an absolute one is safer."
    return f"Correct it, or put the picture where this task's worker can read it.{said if is_relative else ''}"


def _words(error: Exception) -> str:
    return for_people((isinstance(error, OSError) and error.strerror) or str(error), 200)


def _fetch(written: str, name: str) -> bytes:
    url, clock = written, Clock(limits.of_frame())
    with closing(Exchanges(tls_context(True))) as exchanges:
        for _ in range(MAX_HOPS):
            rule = _address_rule(url, written, partial(exchanges.reached, written))
            rule.check(url, name)
            request = httpx.Request("GET", url, headers=_HEADERS, extensions=rule.connection_check(url, name))
            with exchanges.open(request, clock) as response:
                if response.ok:
                    return bytes(response.read())
                location = response.headers.get("location", "")
                if not 300 <= response.status < 400 or not location:
                    raise InvalidInputError(f"{name} cannot be read: HTTP {response.status}.")
            target = absolute(url, location)
            if target is None:
                raise InvalidInputError(f"{name} redirects to something that is no http(s) address.")
            url = target
    raise InvalidInputError(f"{name} cannot be read: more than {MAX_HOPS} redirects.")


def _address_rule(url: str, written: str, reach: Callable[[], IPAddress | None]) -> AddressRule:
    """Let the address that the user has written be in a private network, and redirects stay on its host there."""
    allowed: Collection[Network | IPAddress] = ()
    if url == written:
        allowed = NOT_PUBLIC
    elif urlsplit(url).hostname == urlsplit(written).hostname:
        allowed = own_networks(written, reach)
    return AddressRule(allowed, "For a picture in a private network, write its own address.")
