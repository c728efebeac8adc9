"""Decode pictures in `data:` URIs (RFC 2397), as browsers and other programs write them."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote_to_bytes

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import MAX_FRAME_BYTES

_MOST_CHARACTERS = 3 * MAX_FRAME_BYTES + 1_024
"""Longest URI. A byte takes up to three characters."""

_SPACE = b" \t\n\r\f\v"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_ODD = re.compile(b"[^A-Za-z0-9+/]")


def decode_data_uri(uri: str, argument: str) -> bytes:
    """Return the bytes of a `data:` URI. The media type in the URI is ignored.

    Base64 may have line breaks, the alphabet of URLs, no padding, and escapes like `%2B`.

    Args:
        uri: The URI. It begins with `data:`, in upper or lower case.
        argument: Name of the operator's argument, for errors.

    Raises:
        InvalidInputError: The URI is invalid, or contains more than 10 MB.
    """
    if len(uri) > _MOST_CHARACTERS:
        raise _make_too_large_error(argument)
    head, comma, rest = uri.partition(",")
    if not comma:
        raise InvalidInputError(f"{argument} is not a valid data URI: it has no comma before its data.")
    data = unquote_to_bytes(rest.partition("#")[0])
    if "base64" not in (part.strip().lower() for part in head.split(";")[1:]):
        return data
    data = data.translate(_STANDARD, delete=_SPACE)
    padding = len(data) - len(data := data.rstrip(b"="))
    if len(data) * 3 // 4 > MAX_FRAME_BYTES:
        raise _make_too_large_error(argument)
    if odd := _ODD.search(data):
        raise InvalidInputError(f"{argument} is not a valid data URI: {chr(odd[0][0])!a} is not base64.")
    if padding > 2 or len(data) % 4 == 1:
        raise InvalidInputError(f"{argument} is not a valid data URI: its base64 is cut off.")
    return base64.b64decode(data + b"=" * (-len(data) % 4))


def _make_too_large_error(argument: str) -> InvalidInputError:
    return InvalidInputError(f"{argument} is larger than 10 MB, the most that the API takes. Scale it down.")
