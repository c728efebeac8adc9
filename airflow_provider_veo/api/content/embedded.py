"""Read a video in base64 from a JSON answer: it is found in the beginning of the answer, and decoded as it arrives.

Servers call the field `b64_json`, `bytesBase64Encoded`, `video` or `url` (with a `data:` URI). So the name does not
count: the text must begin like a video file.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from airflow_provider_veo.api.errors import ContentChangedError, TransportError
from airflow_provider_veo.api.formats import mp4

_SNIFF_LETTERS = mp4.SNIFF_BYTES * 4 // 3
# a letter may be escaped: PHP writes "\/" for "/", .NET "\u002B" for "+"
_LETTER = rb"(?:\\u00[0-9a-fA-F]{2}|\\?[A-Za-z0-9+/_-])"
_TEXT = re.compile(rb'"(?:data:[^",]{0,200},)?(' + _LETTER + rb"{%d})" % _SNIFF_LETTERS)
_ESCAPE = re.compile(rb"\\(?:u00([0-9a-fA-F]{2})|(.))", re.DOTALL)
_LONGEST_ESCAPE = len(rb"\u002B")
_STANDARD = bytes.maketrans(b"-_", b"+/")  # from the alphabet for addresses (RFC 4648, 5)
_NO_LETTERS = b" \r\n\t="


def find_start(head: bytes) -> int | None:
    """Return the position at which the base64 text of a video begins in an answer, or None.

    Args:
        head: The beginning of the answer's body.
    """
    for text in _TEXT.finditer(head):
        if _is_video(_letters(text[1])[:_SNIFF_LETTERS]):
            return text.start(1)
    return None


def _is_video(letters: bytes) -> bool:
    try:
        return mp4.is_video(binascii.a2b_base64(letters))
    except binascii.Error:  # a text with an escape in it
        return False


def decode(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a video.

    Args:
        chunks: The answer's body, from the beginning of the text.

    Raises:
        ContentChangedError: The text broke off, or is not base64. The rest of it cannot be asked for, since a range
            would count other bytes.
    """
    escape = letters = b""
    while True:
        try:
            chunk = next(chunks, None)
        except TransportError as error:
            raise _make_broken_error(str(error)) from None
        if chunk is None:
            raise _make_broken_error("the answer ended before the text did")
        text, quote, _ = (escape + chunk).partition(b'"')
        cut = text.rfind(b"\\", max(0, len(text) - _LONGEST_ESCAPE + 1))
        text, escape = (text, b"") if quote or cut < 0 else (text[:cut], text[cut:])
        letters += _letters(text)
        whole = len(letters) if quote else len(letters) // 4 * 4
        try:
            yield binascii.a2b_base64(letters[:whole] + b"=" * (-whole % 4))
        except binascii.Error as error:
            raise _make_broken_error(str(error)) from None
        letters = letters[whole:]
        if quote:
            return


def _letters(text: bytes) -> bytes:
    plain = _ESCAPE.sub(_unescaped, text) if b"\\" in text else text
    return plain.translate(_STANDARD, _NO_LETTERS)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes((int(found[1], 16),))
    return b"" if found[2] in b"nrt" else found[2]


def _make_broken_error(why: str) -> ContentChangedError:
    return ContentChangedError(f"The video in the server's JSON answer cannot be read to its end: {why}.")
