"""Each leaf and header of recorded answers, replaced by each odd value: readers raise only errors of this package."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from airflow_provider_veo.api.answers.answer import ID_LIMIT, Answer
from airflow_provider_veo.api.answers.text import MESSAGE_LIMIT
from airflow_provider_veo.api.backends.openai.videos import parse_video
from airflow_provider_veo.api.backends.profiles import GENERIC
from airflow_provider_veo.api.content import locate
from airflow_provider_veo.api.error_answers import LONGEST_WAIT, make_api_error
from airflow_provider_veo.api.errors import ApiError, VeoError
from airflow_provider_veo.api.polling.decision import News, WaitPolicy, WaitState, observe
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.video import Video
from airflow_provider_veo.orders.result import make_video_result
from tests.support.odd_values import ODD_HEADERS, ODD_VALUES, dumped, name_of, with_odd_leaves

RECORDED = json.loads((Path(__file__).parents[3] / "data" / "answers.json").read_text())
NAMES = [f"{answer['server']}: {answer['call']}" for answer in RECORDED]
LIMIT = 1_000_000  # bytes of an answer that the network lets pass
URL = "https://api.example.com/v1/videos/v"
KEY = "sk-canary/+=&"
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON spells it
WORDS = (
    "content-encoding", "content-length", "content-range", "content-type", "date", "etag", "last-modified",
    "llm_provider-retry-after", "location", "openai-poll-after-ms", "retry-after", "retry-after-ms",
)  # fmt: skip
DELAYS = {name for name in WORDS if "after" in name}


def read_stream_heads(answer):
    locate.read_length(answer.headers)
    for resume in (locate.Resume(100, 200, '"made-up"'), locate.Resume(100, None, None)):
        resumed = locate.read_version(answer.headers)
        httpx.Request("GET", URL, headers=locate.Resume(1, None, resumed).headers())
        locate.check_continuation(answer.headers, resume)


READERS = {
    "create": lambda answer: parse_video(answer, "Creating the video"),
    "status": lambda answer: parse_video(answer, "Asking for video v", "v"),
    "error": lambda answer: make_api_error(answer, "Creating the video"),
    "content": lambda answer: locate.find_next_hop(answer, locate.Asked("Downloading", "v")),
    "stream": read_stream_heads,
}


def answer_of(recorded, body, headers=()):
    given = {name.encode(): value.encode() for name, value in recorded["headers"].items()} | dict(headers)
    items = httpx.Headers(list(given.items())).items()
    return Answer.of(recorded["status"], body[:LIMIT], items, URL, is_cut=len(body) > LIMIT, secrets=[KEY])


def check(answer, known):
    """Read an answer in every way, and look at all that comes of it, unless it is known already."""
    for read in READERS.values():
        try:
            found = read(answer)
        except VeoError as error:
            found = error
        result = found if isinstance(found, Video) else (type(found), str(found), getattr(found, "retry_after", None))
        if isinstance(found, (Video, VeoError)) and result not in known:
            check_found(found)
            known.add(result)


def check_found(found):
    if isinstance(found, Video):
        assert len(found.id) <= ID_LIMIT
        assert len(found.message) <= MESSAGE_LIMIT + 1
        shown = [found.status_word, found.model or "", found.message]
        assert_storable(
            dataclasses.asdict(dataclasses.replace(found, created_at=None, completed_at=None, expires_at=None))
        )
        assert_storable([str(moment) for moment in (found.created_at, found.completed_at, found.expires_at)])
        assert_storable([found.took])
    else:
        shown = [str(found)]
        assert len(str(found)) < 1_500
    if isinstance(found, ApiError):
        assert_storable([found.job_id, found.detail.message, found.detail.code])
        shown += [str(found.detail), found.job_id or ""]
    if (wanted := getattr(found, "retry_after", None)) is not None:
        assert timedelta(0) <= timedelta(seconds=wanted) <= timedelta(seconds=LONGEST_WAIT)
    for deadline in (0.0, 1e10):
        _, step = observe(WaitPolicy(0.0, deadline, failure_count=1), WaitState(), "v", found, 1000.0, 0.5)
        if isinstance(step, Outcome):
            check_outcome(step)
            shown.append(step.message)
        elif isinstance(step.news, News):
            shown.append(step.news.text)
    assert_storable(shown)
    assert all(line.isprintable() for line in shown), shown


def check_outcome(outcome):
    event = outcome.to_event()
    assert_storable(event)
    assert len(json.dumps(event)) < 60_000
    resumed = Outcome.from_event(json.loads(json.dumps(event)))
    assert_storable(make_video_result(resumed, None, GENERIC))
    assert_storable([resumed.generation_seconds])
    with contextlib.suppress(VeoError):
        resumed.raise_for_kind()


def assert_storable(value):
    stored = json.dumps(value, allow_nan=False, ensure_ascii=False)
    stored.encode()
    assert not NUL.search(stored)
    assert KEY not in stored


@pytest.mark.parametrize("recorded", RECORDED, ids=NAMES)
def test_an_odd_value_in_a_body_raises_only_errors_of_this_package(recorded):
    places, readings, known = set(), 0, set()
    for place, odd, body in with_odd_leaves(recorded["body"]):
        answer = answer_of(recorded, dumped(body))
        try:
            check(answer, known)
        except Exception as error:
            raise AssertionError(f"{place} = {repr(odd)[:100]}: {error!r}") from error
        places.add(place)
        readings += len(READERS)
    print(f"{len(READERS)} readers x {len(places)} places x {len(ODD_VALUES)} values = {readings} readings, 0 escapes")  # noqa: T201 - the count, with -s
    assert readings == len(READERS) * len(places) * len(ODD_VALUES)


@pytest.mark.parametrize("recorded", RECORDED, ids=NAMES)
def test_an_odd_value_in_a_header_raises_only_errors_of_this_package(recorded):
    known = set()
    names = sorted({*WORDS, *recorded["headers"]})
    for name in names:
        for odd in ODD_HEADERS:
            answer = answer_of(recorded, dumped(recorded["body"]), [(name.encode(), odd)])
            try:
                check(answer, known)
            except Exception as error:
                raise AssertionError(f"{name}: {odd[:100]}: {error!r}") from error
    print(f"{len(READERS)} readers x {len(names)} headers x {len(ODD_HEADERS)} values, 0 escapes")  # noqa: T201 - the count, with -s


@pytest.mark.parametrize("odd", ODD_VALUES, ids=name_of)
def test_an_odd_value_in_an_event_raises_only_errors_of_this_package(odd):
    event = Outcome(
        "failed", "v", "failed", "no", url="https://a/b.mp4", created_at="2026", completed_at="2027"
    ).to_event()
    for _, _, body in ((name, odd, event | {name: odd}) for name in [*event, "another"]):
        with contextlib.suppress(VeoError):
            check_outcome(Outcome.from_event(body))


@pytest.mark.parametrize("recorded", RECORDED, ids=NAMES)
def test_an_answer_cut_at_any_place_raises_only_errors_of_this_package(recorded):
    body, known = dumped(recorded["body"]), set()
    for length in range(0, len(body), 3):
        answer = Answer.of(recorded["status"], body[:length], recorded["headers"].items(), URL, is_cut=True)
        check(answer, known)
