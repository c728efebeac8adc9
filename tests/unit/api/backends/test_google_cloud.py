"""The addresses of Google Cloud's Agent Platform."""

from __future__ import annotations

import pytest

from airflow_provider_veo.api.backends.google_cloud import make_address


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
    ],
)
def test_a_location_has_an_address(location, address):
    assert make_address(location) == address
