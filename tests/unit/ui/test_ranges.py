"""The ranges that players ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.ui.ranges import UnsatisfiableError, requested


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", range(10)),
        ("bytes=0-0", range(1)),
        ("bytes=90-", range(90, 100)),
        ("bytes=90-1000", range(90, 100)),
        ("bytes=-10", range(90, 100)),
        ("bytes=-1000", range(100)),
        (" bytes=5-6 ", range(5, 7)),
    ],
)
def test_ranges(header, expected):
    assert requested(header, 100) == expected


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "bytes=9-5", "bytes=0-1,5-6", "items=0-1", "bytes=a-b", "bytes=²-3"]
)
def test_what_cannot_be_understood_is_ignored(header):
    assert requested(header, 100) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=200-300", 100), ("bytes=-0", 100), ("bytes=0-", 0)]
)
def test_a_range_behind_the_end(header, size):
    with pytest.raises(UnsatisfiableError, match=header):
        requested(header, size)


@given(st.text() | st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True), st.integers(0, 500))
def test_never_more_than_there_is(header, size):
    try:
        found = requested(header, size)
    except UnsatisfiableError:
        return
    assert found is None or (found and found.start >= 0 and found.stop <= size)
