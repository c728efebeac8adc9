"""Read the answer to a status call for an operation that cannot exist: a test of an address and a token at no cost."""

from __future__ import annotations

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.vertex.refusals import find_error, make_error
from airflow_provider_veo.api.errors import Reason

NOTHING = "00000000-0000-0000-0000-000000000000"
"""ID of an operation that does not exist."""

_REFUSED = (Reason.AUTHENTICATION, Reason.FORBIDDEN, Reason.QUOTA)


def read_test(answer: Answer, action: str, base_url: str, *, sends_key: bool) -> tuple[bool, str]:
    """Return whether an address takes orders, and a sentence for people.

    Args:
        answer: Answer to the status call for an operation that cannot exist.
        action: The call, for the sentence about an error.
        base_url: Address of the server.
        sends_key: Whether a token was sent along.
    """
    error = make_error(answer, action, about_a_job=True)
    is_google = find_error(answer) is not None
    if is_google and error.reason in (Reason.NOT_FOUND, Reason.BAD_REQUEST):
        return True, f"{base_url} answers" + (" and accepts the token." if sends_key else ".")
    if is_google or error.reason in _REFUSED:
        return False, str(error)
    return False, (
        f"{base_url} answers, but not as Google Cloud does (HTTP {answer.status}). Check that the connection's host is "
        "empty, or the base URL of the API, like https://us-central1-aiplatform.googleapis.com."
    )
