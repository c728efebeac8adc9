"""JSON of servers: odd, damaged, or cut off."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.json_text import parse_head, parse_json
from airflow_provider_veo.api.answers.text import MARK, make_storable

PLAIN_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")))
LEAVES = st.none() | st.booleans() | st.integers(-(10**50), 10**50) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | PLAIN_TEXT, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(PLAIN_TEXT, inner, max_size=5)
)
BODIES = st.dictionaries(PLAIN_TEXT, VALUES, max_size=6)


@given(BODIES, st.booleans())
def test_json_is_read(body, ascii_only):
    assert parse_json(json.dumps(body, ensure_ascii=ascii_only)) == body


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": "b\nc\td"}', {"a": "b\nc\td"}),
        (r'{"a\u0000": "\ud83d \u0000 \ud83d\ude00"}', {f"a{MARK}": f"{MARK} {MARK} 😀"}),
        ("9" * 5_000, float("inf")),
        ("[" * 200_000, None),
        ('{"a": ' * 200_000, None),
        ("", None),
        ("<html>", None),
        ("{'a': 1}", None),
        ("{} {}", None),
    ],
)
def test_unusual_json_is_read_without_errors(text, value):
    assert parse_json(text) == value


def is_part_of(part, whole):
    """Return whether the values of a cut text equal those of the whole text, except for the last text and number."""
    if isinstance(whole, str):
        return (
            part is None
            or part == whole
            or (part.endswith(MARK) and make_storable(whole).startswith(part[:-1].rstrip(MARK)))
        )
    if isinstance(whole, dict):
        return part is None or all(name in whole and is_part_of(part[name], whole[name]) for name in part)
    if isinstance(whole, list):
        return part is None or (len(part) <= len(whole) and all(map(is_part_of, part, whole)))
    return part is None or part == whole


@given(BODIES, st.booleans(), st.integers(0, 3_000))
def test_a_cut_text_gives_only_values_of_the_whole_text(body, ascii_only, length):
    text = json.dumps(body, ensure_ascii=ascii_only)
    assert is_part_of(parse_head(text[:length]), body)


@given(BODIES, st.text())
def test_everything_before_the_break_is_read(body, more):
    text = json.dumps(body | {"the last of them": more})
    found = parse_head(text[: text.rindex(": ") + 3])
    assert {name: found[name] for name in body if name != "the last of them"} == {
        name: value for name, value in body.items() if name != "the last of them"
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"id": "v1", "status": "comp', {"id": "v1", "status": f"comp{MARK}"}),
        ('{"id": "v1", "progress": 5', {"id": "v1", "progress": None}),
        ('{"id": "v1", "pro', {"id": "v1"}),
        (r'{"a": "b\u00e', {"a": f"b{MARK}"}),
        ('{"a": "b' + "\\", {"a": f"b{MARK}"}),
        ('{"a": "', {"a": MARK}),
        ('{"a":', {"a": None}),
        ('{"detail": [{"loc": ["body"], "input": "x', {"detail": [{"loc": ["body"], "input": f"x{MARK}"}]}),
        ('{"id": "v1", "progress": 5.', {"id": "v1", "progress": None}),
        ('{"id": "v1", "progress": 5e', {"id": "v1", "progress": None}),
        ('{"id": "v1", "ready": true', {"id": "v1", "ready": None}),
        ('{"id": "v1", "x": ' + "[" * 100_000, {"id": "v1", "x": [[[[[[[None]]]]]]]}),
        ('{"id": "v1"} and more', {"id": "v1"}),
        ("", None),
        ("<html>", None),
    ],
)  # fmt: skip
def test_the_beginning_of_a_text_is_read(text, value):
    assert parse_head(text) == value


@pytest.mark.parametrize(
    "unit", ["\\n", "\\", "[", "{", '{"a":1},', '"a":1,', ",", " ", '"', "1,", "\\ud83d", '{"a":[', "9"]
)
def test_reading_a_cut_text_takes_little_time(unit):
    begun = time.process_time()
    for start in ('{"id": "v1", "a": "', '{"id": "v1", "a": [', '{"id": "v1", '):
        parse_head((start + unit * 1_000_000)[:1_000_000])
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("depth", [100, 900, 5_000, 100_000])
def test_deeply_nested_values_raise_no_error(depth):
    parse_json("[" * depth + '"\\ud83d"' + "]" * depth)
    parse_head("[" * depth + '"\\ud83d"')


def test_a_repeated_name_takes_bounded_work():
    assert parse_head('{"a": 1, ' * 100 + '"a": 1, ' * 100_000) is not None
