"""Read the answer about an interaction that does not exist. It shows whether the API knows such jobs, and the key."""

from __future__ import annotations

import re

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.gemini.errors import find_error, make_google_error
from airflow_provider_veo.api.errors import Reason

NOTHING = "veo-connection-test"
"""ID that no interaction has."""

_UNKNOWN_ID = (400, 404)
_ABOUT_THE_ID = (Reason.BAD_REQUEST, Reason.NOT_FOUND, Reason.SERVER)
# Google may answer 403 about an unknown interaction (a guess). "(or it may not exist)" is about missing rights.
_HIDDEN_ID = re.compile(r"interaction or it does not exist", re.IGNORECASE)


def explain(answer: Answer, url: str, base_url: str, *, sends_key: bool) -> tuple[bool, str]:
    """Return whether an address takes orders, and a sentence for people.

    Args:
        answer: Answer about the interaction `NOTHING`.
        url: Address that was asked.
        base_url: Address of the API.
        sends_key: Whether the key was sent along.
    """
    found = find_error(answer)
    error = make_google_error(answer, f"GET {url}", about_a_job=True)
    if found is None or answer.ok:
        return False, (
            f"{base_url} answers, but not as Google's API does ({error}). Check that the connection's host is the "
            "base URL of the API, like https://generativelanguage.googleapis.com."
        )
    is_unknown = answer.status in _UNKNOWN_ID and error.reason in _ABOUT_THE_ID
    is_hidden = answer.status == 403 and _HIDDEN_ID.search(str(found.get("message"))) is not None
    if is_unknown or is_hidden:
        return True, f"{base_url} answers" + (" and accepts the key." if sends_key else ".")
    return False, str(error)
