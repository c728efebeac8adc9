"""Check, at no cost, whether an address belongs to a video API that accepts the key.

A web server answers every address, often with 200. So an answer counts only if the server answers a question about an
unknown video differently from a request for an address that cannot exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.openai import requests
from airflow_provider_veo.api.error_answers import make_api_error
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.request import ApiRequest

_NOTHING = "veo-connection-test"
"""ID that no video has, and part of an address that no server has."""

_MODELS = requests.list_models()
_VIDEO = requests.get_video(_NOTHING)
_VIDEOS = ApiRequest("GET", "/v1/videos")
_NOWHERE = ApiRequest("GET", f"/v1/{_NOTHING}/{_NOTHING}")

_REFUSED = (Reason.AUTHENTICATION, Reason.FORBIDDEN, Reason.QUOTA)
_VARIABLE_PARTS = re.compile(rf"{_NOTHING}|/+|videos|https?:|\d", re.IGNORECASE)
"""Parts of a message that depend on the address or the time of the request."""


def check_api(send: Callable[[ApiRequest], Answer], base_url: str, *, sends_key: bool) -> tuple[bool, str]:
    """Return whether an address takes orders, and a sentence for people. Nothing is ordered.

    Args:
        send: Sends a request and returns the answer.
        base_url: Address that `send` sends requests to.
        sends_key: Whether `send` sends a key along.

    Raises:
        VeoError: The server cannot be reached.
    """
    models, video = send(_MODELS), send(_VIDEO)
    for request, answer in ((_MODELS, models), (_VIDEO, video)):
        error = make_api_error(answer, f"GET {base_url}{request.path}")
        if error.reason in _REFUSED and not (answer is models and error.reason is not Reason.AUTHENTICATION):
            return False, str(error)
    nowhere = send(_NOWHERE)
    lists_models = _is_list(models)
    if _knows_videos(video, nowhere, lists_models) or (lists_models and _differ(send(_VIDEOS), nowhere)):
        return True, f"{base_url} answers" + (" and accepts the key." if sends_key else ".")
    if lists_models:
        return False, (
            f"{base_url} lists models, but has no videos: {_describe(video, base_url)}, as for an address that cannot "
            "exist. Check that this server offers videos. (Chat tasks need /v1/chat/completions only.)"
        )
    return False, (
        f"{base_url} answers, but not as a video API does: {_describe(video, base_url)}. Check that the connection's "
        "host is the base URL of the API, like https://api.example.com, and not of a web page."
    )


def _knows_videos(video: Answer, nowhere: Answer, lists_models: bool) -> bool:
    """Return whether the answer about an unknown video comes from a server that has videos."""
    is_about_it = isinstance(video.json(), dict) and make_api_error(video, "").reason in (
        Reason.NOT_FOUND,
        Reason.BAD_REQUEST,
    )
    return (lists_models or is_about_it) and _differ(video, nowhere)


def _is_list(models: Answer) -> bool:
    body = models.json()
    listed = body.get("data", body.get("models")) if isinstance(body, dict) else body
    return models.ok and isinstance(listed, list)


def _differ(one: Answer, other: Answer) -> bool:
    return _signature(one) != _signature(other)


def _signature(answer: Answer) -> tuple[int, str]:
    return answer.status, _VARIABLE_PARTS.sub("", str(answer.error())).strip().lower()


def _describe(answer: Answer, base_url: str) -> str:
    kind = answer.quote(answer.headers.get("content-type", "no content type").partition(";")[0], 50)
    words = "" if answer.ok else answer.quote(str(answer.error()), 200)
    return f"GET {base_url}{_VIDEO.path} is HTTP {answer.status} ({kind})" + (f" {words!r}" if words else "")
