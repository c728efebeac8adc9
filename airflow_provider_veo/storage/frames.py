"""Load a frame: read the picture at a URL, data URI, path or object, and check it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo import __version__
from airflow_provider_veo.api.answers.text import make_line, show
from airflow_provider_veo.api.content.locate import MAX_HOPS
from airflow_provider_veo.api.errors import InvalidInputError, TransportError
from airflow_provider_veo.api.formats.data_uris import decode_data_uri
from airflow_provider_veo.api.formats.frames import MAX_FRAME_BYTES, Frame, FrameUrl, make_shape_warning
from airflow_provider_veo.api.net import limits
from airflow_provider_veo.api.net.addresses import NOT_PUBLIC, AddressRule, IPAddress, Network, find_own_networks
from airflow_provider_veo.api.net.clock import Clock
from airflow_provider_veo.api.net.exchange import Exchanges
from airflow_provider_veo.api.net.urls import redact, resolve_url
from airflow_provider_veo.api.settings import make_tls_context
from airflow_provider_veo.api.specs import ChatSpec, VideoSpec
from airflow_provider_veo.storage.destinations import find_target

FrameSource = str | os.PathLike[str] | ObjectStoragePath | Mapping[str, Any]
"""Place of a picture: its URL, data URI or path, or the result of a task that has stored it."""

_EXPECTED = "the URL, data: URI, path or ObjectStoragePath of a picture, or the result of a task that has stored one"
_LONGEST_ADDRESS = 8_192
"""Characters of a path or a URL. A longer text cannot be one."""

_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"airflow-provider-veo/{__version__}"}


def load_frame(source: FrameSource | None, argument: str) -> Frame | None:
    """Read and check a picture.

    Args:
        source: http(s) URL, `data:` URI, local path, storage URI, `ObjectStoragePath`, or the result of a
            `VeoExtractFrameOperator`. None or "" for no picture.
        argument: Argument of the operator, for error messages.

    Raises:
        InvalidInputError: The picture cannot be read, is larger than 10 MB or damaged, or is not a JPEG, PNG or WebP
            picture.
    """
    text = _text_of(source, argument)
    return None if text is None else _load(text, argument)


def load_chat_frame(source: FrameSource | None, argument: str) -> Frame | FrameUrl | None:
    """Read and check a picture for the chat call. An http(s) URL stays as it is: the server fetches the picture.

    Args:
        source: Source of the picture, as `load_frame` takes it.
        argument: Argument of the operator, for error messages.

    Raises:
        InvalidInputError: As for `load_frame`, or the URL cannot be used.
    """
    text = _text_of(source, argument)
    if text is None:
        return None
    if _scheme(text) not in ("http", "https"):
        return _load(text, argument)
    if resolve_url("", text) is None:
        raise InvalidInputError(f"{_label(text, argument)} is not a usable http(s) address.")
    return FrameUrl(text)


def warn_of_shapes(spec: VideoSpec | ChatSpec, size: str | None, log: Any) -> None:
    """Log a warning for each frame whose shape differs from that of the video.

    Args:
        spec: Order whose frames are compared.
        size: Size of the video as the task gives it, or None.
        log: Logger of the task.
    """
    for name, frame in (("first_frame", spec.first_frame), ("last_frame", spec.last_frame)):
        if warning := make_shape_warning(frame, name, spec.model, size):
            log.warning(warning)


def _text_of(source: Any, argument: str) -> str | None:
    """Return the URL, URI or path of a picture; None for no picture."""
    if isinstance(source, Mapping):
        source = source.get("path")
        if not source:
            raise InvalidInputError(f"{argument} is the result of a task that has stored no picture: it has no path.")
    if source is None or source == "":
        return None
    if not isinstance(source, (str, os.PathLike, ObjectStoragePath)):
        raise InvalidInputError(f"{argument} is {show(source)}; it must be {_EXPECTED}.")
    text = str(source).strip() if isinstance(source, str) else str(source)
    if len(text) > _LONGEST_ADDRESS and _scheme(text) != "data":
        raise InvalidInputError(
            f"{argument} {show(text)} is too long to be {_EXPECTED}. If it is a picture in base64, put "
            "'data:image/png;base64,' before it."
        )
    return text


def _load(text: str, argument: str) -> Frame:
    scheme = _scheme(text)
    if scheme == "data":
        return Frame.from_bytes(decode_data_uri(text, argument), argument)
    label = _label(text, argument)
    try:
        content = _fetch(text, label) if scheme in ("http", "https") else _read_file(text, argument)
    except InvalidInputError:
        raise
    except TransportError as error:
        raise InvalidInputError(f"{label} cannot be read: {error}") from None
    except Exception as error:  # noqa: BLE001 - drivers raise exceptions of any class, with the whole path in them
        raise InvalidInputError(
            f"{label} cannot be read: {type(error).__name__}: {_text_of_error(error)}. {_advice(text)}"
        ) from None
    return Frame.from_bytes(content, label)


def _read_file(text: str, argument: str) -> bytes:
    target = find_target(text if "://" in text else os.path.expanduser(text), argument)  # noqa: PTH111 - text may be no path
    with target.open() as file:
        content = file.read(MAX_FRAME_BYTES + 1)
    with suppress(ValueError):  # Airflow takes no address of more than 1500 letters
        get_hook_lineage_collector().add_input_asset(context=target, uri=target.uri)
    return content


def _scheme(text: str) -> str:
    return text.partition(":")[0].lower()


def _label(text: str, argument: str) -> str:
    return f"{argument} {show(redact(text) if '://' in text else text)}"


def _advice(text: str) -> str:
    is_relative = "://" not in text and not text.startswith(("/", "~"))
    more = " A relative path counts from the folder that the worker runs in: an absolute one is safer."
    return f"Correct it, or put the picture where this task's worker can read it.{more if is_relative else ''}"


def _text_of_error(error: Exception) -> str:
    return make_line((isinstance(error, OSError) and error.strerror) or str(error), 200)


def _fetch(written: str, label: str) -> bytes:
    """Download a picture.

    Args:
        written: URL of the picture, as it is written in the Dag.
        label: The argument with its value, for error messages.
    """
    url, clock = written, Clock(limits.of_frame())
    with closing(Exchanges(make_tls_context(True))) as exchanges:
        for _ in range(MAX_HOPS):
            rule = _address_rule(url, written, partial(exchanges.find_peer, written))
            rule.check(url, label)
            request = httpx.Request("GET", url, headers=_HEADERS, extensions=rule.make_connection_check(url, label))
            with exchanges.open(request, clock) as response:
                if response.ok:
                    return bytes(response.read())
                location = response.headers.get("location", "")
                if not 300 <= response.status < 400 or not location:
                    raise InvalidInputError(f"{label} cannot be read: HTTP {response.status}.")
            target = resolve_url(url, location)
            if target is None:
                raise InvalidInputError(f"{label} redirects to something that is not an http(s) address.")
            url = target
    raise InvalidInputError(f"{label} cannot be read: more than {MAX_HOPS} redirects.")


def _address_rule(url: str, written: str, reach: Callable[[], IPAddress | None]) -> AddressRule:
    """Return the rule for an address. An address in the Dag, and redirects to its host, may be private."""
    allowed: Collection[Network | IPAddress] = ()
    if url == written:
        allowed = NOT_PUBLIC
    elif urlsplit(url).hostname == urlsplit(written).hostname:
        allowed = find_own_networks(written, reach)
    return AddressRule(allowed, "For a picture in a private network, write its own address.")
