"""From what a Dag author writes (URL, data URI, path, object) to a picture that is ready to be sent."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote_to_bytes

import httpx
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.client import tls_context
from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.frames import MAX_FRAME_BYTES, Frame
from airflow_provider_veo.api.urls import redact

FrameSource = str | os.PathLike[str] | ObjectStoragePath


def load_frame(source: FrameSource | None, argument: str) -> Frame | None:
    """Read and check a picture.

    Args:
        source: http(s) URL, `data:` URI, local path, storage URI or `ObjectStoragePath`; None or "" for no picture.
        argument: the operator's argument, for error messages.

    Raises:
        InvalidInputError: it cannot be read, is larger than 10 MB, or is no JPEG, PNG or WebP picture.
    """
    if source is None or source == "":
        return None
    text = str(source)
    scheme = text.partition(":")[0].lower()
    if scheme == "data":
        return Frame.from_bytes(_decode_data_uri(text, argument), argument)
    name = f"{argument} {redact(text)!r}" if "://" in text else f"{argument} {text!r}"
    try:
        if scheme in ("http", "https"):
            content = _fetch(text, name)
        else:
            path = ObjectStoragePath(text) if isinstance(source, str) and "://" in text else source
            with cast("BinaryIO", _opened(path)) as file:
                content = file.read(MAX_FRAME_BYTES + 1)
    except (OSError, ValueError, ImportError, httpx.HTTPError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{name} cannot be read: {type(error).__name__}: {error}") from error
    return Frame.from_bytes(content, name)


def _opened(path: FrameSource) -> object:
    return path.open("rb") if isinstance(path, ObjectStoragePath) else Path(path).expanduser().open("rb")


def _decode_data_uri(text: str, argument: str) -> bytes:
    header, comma, data = text.partition(",")
    try:
        if not comma:
            raise ValueError("it has no comma")
        if header.lower().endswith(";base64"):
            return base64.b64decode(unquote_to_bytes(data), validate=True)
        return unquote_to_bytes(data)
    except (ValueError, binascii.Error) as error:
        raise InvalidInputError(f"{argument} is not a valid data URI: {error}.") from None


def _fetch(url: str, name: str) -> bytes:
    with httpx.stream("GET", url, follow_redirects=True, timeout=30, verify=tls_context(True)) as response:
        if not response.is_success:
            raise InvalidInputError(f"{name} cannot be read: HTTP {response.status_code}.")
        return _limited(response.iter_bytes())


def _limited(chunks: Iterable[bytes]) -> bytes:
    content = b""
    for chunk in chunks:
        content += chunk
        if len(content) > MAX_FRAME_BYTES:
            break
    return content
