"""Read the answers of Google's Files API, which keeps finished videos for some time."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_veo.api.answers.answer import Answer, read_error
from airflow_provider_veo.api.answers.text import is_plain_text
from airflow_provider_veo.api.errors import ContentNotReadyError, Reason, VideoFailedError
from airflow_provider_veo.api.net.urls import LONGEST_URL, resolve_url

_NAME = re.compile(r"files/[\w-]{1,100}", re.ASCII)
_PATH = re.compile(r"/(files/[\w-]{1,100})(:download)?", re.ASCII)
_INTERACTIONS = "/v1/interactions/"


def find_address(answer: Answer, uri: str) -> str | None:
    """Return the address of a video that an interaction names: a file's metadata, or an object of a bucket.

    A file is asked for at the API's own address, as google-genai does: the key goes nowhere else. The uri may be that
    of the metadata or that of the download (both in Google's pages), and of another version of the API.

    Args:
        answer: Answer that describes the interaction.
        uri: Address in that answer.
    """
    if uri.startswith("gs://"):
        return uri if len(uri) <= LONGEST_URL and is_plain_text(uri) else None
    address = resolve_url(answer.url, uri)
    found = _PATH.search(urlsplit(address).path) if address else None
    root, is_api, _ = answer.url.partition(_INTERACTIONS)
    return f"{root}/v1/{found[1]}" if found and is_api else address


def is_file(body: dict[str, Any]) -> bool:
    """Return whether an answer is a file's metadata."""
    return isinstance(name := body.get("name"), str) and _NAME.fullmatch(name) is not None


def find_download(answer: Answer, body: dict[str, Any]) -> str:
    """Return the address of a file's bytes.

    Args:
        answer: Answer with the file's metadata.
        body: The metadata.

    Raises:
        ContentNotReadyError: Google still processes the file.
        VideoFailedError: Google could not process the file.
    """
    name, state = body["name"], str(body.get("state")).upper()
    until = body.get("expirationTime")
    kept = f", kept until {answer.quote(until, 40)}" if isinstance(until, str) and until else ""
    if state == "PROCESSING":
        raise ContentNotReadyError(f"The video is not there yet: Google still processes {name} (state {state}{kept}).")
    if state == "FAILED":
        said = answer.quote(str(read_error(body.get("error"), own=None)))
        error = VideoFailedError(name, "is lost", Reason.UNKNOWN, f"Google could not process the file{kept}. {said}")
        error.video_id = None  # a file is not a job
        raise error
    return f"{answer.url.partition('?')[0]}:download?alt=media"
