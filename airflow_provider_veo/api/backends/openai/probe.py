"""Is this the address of a video API, and does it take the key? Found out by questions that cost nothing.

A web server answers every address, many with 200. So an answer counts only where the server says of an unknown video
something else than of an address that cannot exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow_provider_veo.api import requests
from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.error_answers import error_from
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.requests import ApiRequest
from airflow_provider_veo.api.settings import ClientSettings

_NOTHING = "veo-connection-test"
"""The id of no video, and a part of an address that no server has."""

_MODELS = requests.list_models()
_VIDEO = requests.get_video(_NOTHING)
_VIDEOS = ApiRequest("GET", "/v1/videos")
_NOWHERE = ApiRequest("GET", f"/v1/{_NOTHING}/{_NOTHING}")

_REFUSED = (Reason.AUTHENTICATION, Reason.FORBIDDEN, Reason.QUOTA)
_ADDRESS = re.compile(rf"{_NOTHING}|/+|videos|https?:|\d", re.IGNORECASE)
"""Parts of a message that differ with what was asked, or when."""


def judge_api(call: Callable[[ApiRequest], Answer], settings: ClientSettings) -> tuple[bool, str]:
    """Say whether orders can be sent to an address, and why not. Nothing is ordered.

    Args:
        call: sends a request.
        settings: of the client that does so.

    Raises:
        VeoError: the server cannot be reached.
    """
    where = settings.base_url
    models, video = call(_MODELS), call(_VIDEO)
    for request, answer in ((_MODELS, models), (_VIDEO, video)):
        error = error_from(answer, f"GET {where}{request.path}")
        if error.reason in _REFUSED and not (answer is models and error.reason is not Reason.AUTHENTICATION):
            return False, str(error)
    nowhere = call(_NOWHERE)
    lists_models = _is_list(models)
    if _knows(video, nowhere, lists_models) or (lists_models and _differ(call(_VIDEOS), nowhere)):
        return True, f"{where} answers" + (" and accepts the key." if settings.secrets else ".")
    if lists_models:
        return False, (
            f"{where} lists models, but has no videos: {_said(video, where)}, as for an address that cannot exist. "
            "Check that this server offers videos. (Chat tasks need /v1/chat/completions only.)"
        )
    return False, (
        f"{where} answers, but not as a video API does: {_said(video, where)}. Check that the connection's host is the "
        "base URL of the API, like https://api.example.com, and not of a web page."
    )


def _knows(video: Answer, nowhere: Answer, lists_models: bool) -> bool:
    """Whether an answer about a video that does not exist comes from a server that knows of videos."""
    is_about_it = isinstance(video.json(), dict) and error_from(video, "").reason in (
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
    return answer.status, _ADDRESS.sub("", str(answer.error())).strip().lower()


def _said(answer: Answer, where: str) -> str:
    kind = answer.quote(answer.headers.get("content-type", "no content type").partition(";")[0], 50)
    words = "" if answer.ok else answer.quote(str(answer.error()), 200)
    return f"GET {where}{_VIDEO.path} is HTTP {answer.status} ({kind})" + (f" {words!r}" if words else "")
