"""The addresses of Google Cloud's Agent Platform (formerly Vertex AI)."""

from __future__ import annotations

_OF_SEVERAL_REGIONS = ("us", "eu")


def make_address(location: str) -> str:
    """Return the base URL of the API in a location.

    Source: google-genai 3.6.1, which sends its requests there.

    Args:
        location: Location, such as `us-central1` or `global`.
    """
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in _OF_SEVERAL_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"
