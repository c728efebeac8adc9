"""The `Range` headers that players send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.ui.ranges import UnsatisfiableError, parse_range


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
def test_a_range_is_cut_to_the_file(header, expected):
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "bytes=9-5", "bytes=0-1,5-6", "items=0-1", "bytes=a-b", "bytes=²-3"]
)
def test_a_header_that_cannot_be_understood_is_ignored(header):
    assert parse_range(header, 100) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=200-300", 100), ("bytes=-0", 100), ("bytes=0-", 0)]
)
def test_a_range_behind_the_end_cannot_be_satisfied(header, size):
    with pytest.raises(UnsatisfiableError, match=header):
        parse_range(header, size)


@given(st.text() | st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True), st.integers(0, 500))
def test_no_range_is_larger_than_the_file(header, size):
    try:
        found = parse_range(header, size)
    except UnsatisfiableError:
        return
    assert found is None or (found and found.start >= 0 and found.stop <= size)
