"""Signed addresses, and the time at which they expire."""

from __future__ import annotations

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.net.signatures import is_expired, is_presigned

PRESIGNED = [
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k&X-Amz-Expires=60&X-Amz-Signature=ab",
    "x-amz-signature=ab",
    "X%2DAmz%2DSignature=ab",
    "X_Amz_Signature=ab",
    "a=1&amp;X-Amz-Signature=ab",
    "a=1&amp;amp;X-Amz-Signature=ab",
    "a=1;X-Amz-Signature=ab",
    "X-Amz-Security-Token=t",
    "AWSAccessKeyId=k&Signature=ab&Expires=1",
    "Expires=1&Signature=ab&Key-Pair-Id=k",
    "Policy=p&Signature=ab&Key-Pair-Id=k",
    "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Signature=ab",
    "GoogleAccessId=me&Expires=1&Signature=ab",
    "sv=2025-01-05&se=2026-01-01T00%3A00%3A00Z&sr=b&sp=r&sig=ab%3D",
    "SIG=ab",
    "OSSAccessKeyId=k&Expires=1&Signature=ab",
    "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-signature=ab",
    "q-sign-algorithm=sha1&q-sign-time=1;2&q-signature=ab",
    "X-Tos-Signature=ab",
    "hmac=ab",
    "%53ignature=ab",
    "signature=",
]
NOT_PRESIGNED = [
    *("", "a=1", "v=1&download=true", "token=t", "expires=1", "key=sk-1", "design=modern", "signals=3"),
    *("sigma=1", "assign=1", "name=X-Amz-Signature", "file=signature.mp4"),
]


@pytest.mark.parametrize("query", PRESIGNED)
def test_an_address_with_a_signature_is_presigned(query):
    assert is_presigned(f"https://api.example.com/files/a.mp4?{query}")


@pytest.mark.parametrize("query", NOT_PRESIGNED)
def test_an_address_without_a_signature_is_not_presigned(query):
    assert not is_presigned(f"https://api.example.com/files/a.mp4?{query}")
    assert not is_presigned("http://[broken?signature=a")


NOW = pendulum.datetime(2026, 11, 26, 12)
AMZ = "X-Amz-Date={}&X-Amz-Expires=3600"


@pytest.mark.parametrize(
    ("query", "over"),
    [
        (AMZ.format("20261126T110000Z"), True),
        (AMZ.format("20261126T110001Z"), False),
        (AMZ.format("yesterday"), False),
        ("X-Amz-Date=20261126T110000Z&X-Amz-Expires=soon", False),
        ("X-Amz-Date=20261126T110000Z&X-Amz-Expires=" + "9" * 40, False),
        ("X-Goog-Date=20261126T110000Z&X-Goog-Expires=60", True),
        (f"Expires={NOW.int_timestamp}&Signature=a", True),
        (f"Expires={NOW.int_timestamp + 1}&Signature=a", False),
        ("Expires=" + "9" * 40, False),
        ("se=2026-11-26T11%3A59%3A59Z&sig=a", True),
        ("se=2026-11-26T12%3A00%3A01Z&sig=a", False),
        ("se=2026-11-26&sig=a", True),
        ("se=P1D&sig=a", False),
        ("se=2020-01-01/2021-01-01&sig=a", False),
        ("sig=a", False),
        ("", False),
    ],
)
def test_an_address_expires_at_the_time_in_its_query(query, over):
    assert is_expired(f"https://s3.example.net/a.mp4?{query}", NOW) is over


@given(st.text(), st.sampled_from(["", "Expires=", "X-Amz-Date=20261126T110000Z&X-Amz-Expires=", "se="]))
def test_an_odd_address_raises_no_error(text, name):
    for url in (text, f"https://s3.example.net/a.mp4?{name}{text}"):
        assert is_presigned(url) in (True, False)
        assert is_expired(url, NOW) in (True, False)
