"""Answers that describe operations: cut, with fields in any order, and with odd values."""

from __future__ import annotations

import json
from itertools import permutations, product

import pendulum
import pytest

from airflow_provider_veo.api.answers.answer import ID_LIMIT, Answer
from airflow_provider_veo.api.answers.masking import Mask
from airflow_provider_veo.api.backends.vertex.operations import find_address, knows_enough, read_created, read_status
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.api.video import VideoStatus
from tests.support.odd_values import with_odd_leaves
from tests.support.wire import lengthen, read_pairs

PAIRS = read_pairs("vertex")
NAME = "projects/my-project/locations/us-central1/publishers/google/models/veo-3.1-generate-001/operations/7a3f"
DONE, FAILED, RUNNING = VideoStatus.COMPLETED, VideoStatus.FAILED, VideoStatus.RUNNING
IN_BUCKET = {"gcsUri": "gs://b/prefix/123/sample_0.mp4", "mimeType": "video/mp4"}
INLINE = {"bytesBase64Encoded": "AAAAIGZ0eXBpc29tAAACAGlzb20AAAAA", "mimeType": "video/mp4"}
FILTERED = "Veo could not generate videos. Support codes: 58061214"


def done(*videos, **more):
    return {"name": NAME, "done": True, "response": {"videos": list(videos)} | more}


def read(body, **fields):
    text = body if isinstance(body, str) else json.dumps(body)
    return read_status(Answer(200, text, method="POST", **fields), "Asking", NAME)


def orders_of(value):
    """Yield a JSON value with its fields in every order, on every level."""
    if isinstance(value, dict):
        for names in permutations(value):
            for parts in product(*(list(orders_of(value[name])) for name in names)):
                yield dict(zip(names, parts, strict=True))
    elif isinstance(value, list):
        yield from (list(parts) for parts in product(*(list(orders_of(part)) for part in value)))
    else:
        yield value


RECORDED = [
    json.loads(lengthen(json.dumps(pair["answer"]["body"]).replace("2044", "64")))
    for name, pair in PAIRS.items()
    if "_fetch_" in name and pair["answer"]["status"] == 200
]
PART_FILTERED = done(IN_BUCKET, raiMediaFilteredCount=1, raiMediaFilteredReasons=[FILTERED])
TWO_VIDEOS = done(INLINE, INLINE, raiMediaFilteredCount=0)
METADATA = {"createTime": "2026-11-27T10:00:00.000000Z"}


@pytest.mark.parametrize("body", [*RECORDED, done(IN_BUCKET), PART_FILTERED, done(INLINE) | {"metadata": METADATA}])
def test_each_beginning_that_is_enough_is_read_like_the_whole_answer(body):
    for ordered in orders_of(body):
        text = json.dumps(ordered)
        whole = read(text)
        enough = [knows_enough(text[:end].encode()) for end in range(len(text) + 1)]
        if whole.status is not DONE:
            assert not any(enough)
            continue
        first = enough.index(True)
        assert all(enough[first:])
        marks = [text.find(mark) for mark in (whole.url or "", '"AAAAI') if mark]
        needed = max(place for place in marks if place >= 0) + (len(whole.url) + 1 if whole.url else 2)
        assert first == needed
        for end in (first, first + 1, len(text) - 1):
            cut = read(text[:end], is_cut=True)
            assert (cut.status, cut.url, cut.id) == (DONE, whole.url, NAME)


def test_a_beginning_of_any_length_is_never_read_as_a_failure():
    for body in [*RECORDED, PART_FILTERED, TWO_VIDEOS]:
        text = json.dumps(body)
        whole = read(text).status
        for end in range(len(text)):
            try:
                status = read(text[:end], is_cut=True).status
            except ApiError as error:
                assert not error.permanent  # noqa: PT017 - most beginnings are read
                assert error.reason is Reason.UNREADABLE  # noqa: PT017
            else:
                assert status is whole


def test_an_answer_of_forty_megabytes_is_known_from_its_beginning():
    text = json.dumps(
        {"response": {"videos": [INLINE | {"bytesBase64Encoded": INLINE["bytesBase64Encoded"] * 30_000}]}}
    )
    beginning = text[: 2**20 // 2]
    assert knows_enough(beginning.encode())
    assert knows_enough(b"\xef\xbb\xbf" + beginning.encode())
    assert read(beginning, is_cut=True).status is DONE


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"<html>",
        b'{"response": {"videos": [{"bytesBase64Encoded": "',
        b'{"response": {"videos": [{"bytesBase64Encoded": ""',
        b'{"response": {"videos": [{"gcsUri": "gs://b/a',
        b'{"response": {"videos": [{"gcsUri": " "}]',
        b'{"done": false, "response": {"videos": [{"gcsUri": "gs://b/a"}]}}',
        b'{"response": {"videos": "AAAA"}}',
        b'{"videos": [{"bytesBase64Encoded": "AAAA',
        b'{"error": {"videos": [{"bytesBase64Encoded": "AAAA',
    ],
)
def test_a_beginning_that_says_too_little_is_not_enough(text):
    assert not knows_enough(text)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": NAME}, RUNNING),
        ({"done": False}, RUNNING),
        ({"name": NAME, "done": None}, RUNNING),
        ({"name": NAME, "response": {}}, RUNNING),
        ({"name": NAME, "done": False, "error": {"code": 3, "message": "x"}}, RUNNING),
        ({"name": NAME, "response": {"videos": [IN_BUCKET]}}, DONE),
        ({"done": True, "response": {"videos": [INLINE]}}, DONE),
        (done(), FAILED),
        (done({}), FAILED),
        (done({"gcsUri": ""}), FAILED),
        (done(raiMediaFilteredCount="2"), FAILED),
        (done(raiMediaFilteredReasons=[FILTERED]), FAILED),
        ({"name": NAME, "error": {"code": 13, "message": "x"}}, FAILED),
        ({"done": True, "error": "it broke"}, FAILED),
        (PART_FILTERED, DONE),
        (TWO_VIDEOS, DONE),
    ],
)
def test_the_status_of_a_whole_answer_is_read(body, status):
    assert read(body).status is status


@pytest.mark.parametrize(
    ("error", "reason", "in_words"),
    [
        ({"code": 3, "message": "Unsupported output video duration 5 seconds."}, Reason.BAD_REQUEST, False),
        ({"code": 3, "message": "The prompt violates the usage guidelines."}, Reason.MODERATION, True),
        ({"code": 3, "message": "We encountered an issue with the audio for your prompt."}, Reason.UNKNOWN, False),
        ({"code": "3", "message": ""}, Reason.BAD_REQUEST, False),
        ({"code": 4, "message": "model not available"}, Reason.SERVER, False),
        ({"code": 5, "message": "gs://b/x was not there"}, Reason.BAD_REQUEST, False),
        ({"code": 7, "message": "no access"}, Reason.FORBIDDEN, False),
        ({"code": 8, "message": "heavy load"}, Reason.RATE_LIMITED, False),
        ({"code": 10, "message": "aborted"}, Reason.SERVER, False),
        ({"code": 13, "message": "internal"}, Reason.SERVER, False),
        ({"code": 14, "message": "The model is not available now."}, Reason.SERVER, False),
        ({"code": 99, "message": "?"}, Reason.UNKNOWN, False),
        ({"message": "blocked by a safety filter"}, Reason.MODERATION, True),
    ],
)
def test_a_failed_operation_has_a_reason(error, reason, in_words):
    video = read({"name": NAME, "done": True, "error": error})
    assert (video.status, video.reason, video.reason_in_words) == (FAILED, reason, in_words)
    assert video.message


def test_an_error_without_a_message_is_described_by_its_code():
    video = read({"name": NAME, "done": True, "error": {"code": 13}})
    assert video.message == "The operation has failed with code 13."


def test_all_reasons_of_a_filter_are_shown():
    video = read(done(raiMediaFilteredCount=2, raiMediaFilteredReasons=["One. Support codes: 1", 7, "Two."]))
    assert (video.reason, video.message) == (Reason.MODERATION, "One. Support codes: 1; Two.")


def test_the_time_of_the_order_is_read():
    video = read({"name": NAME, "metadata": METADATA})
    assert video.created_at == pendulum.datetime(2026, 11, 27, 10)
    assert read({"name": NAME, "metadata": {"createTime": "soon"}}).created_at is None


def test_the_first_whole_address_counts():
    body = done({"gcsUri": "gs://b/\x00"}, {"gcsUri": "gs://b/" + "x" * 3_000}, IN_BUCKET)
    assert find_address(body) == IN_BUCKET["gcsUri"]
    assert find_address(done({"gcsUri": "gs://b/\x00"})) is None
    assert read(done({"gcsUri": "gs://b/\x00"})).status is DONE


def test_a_secret_in_an_answer_is_hidden():
    mask = Mask(("secret-key-of-someone",))
    error = {"code": 3, "message": "no secret-key-of-someone here"}
    assert "secret-key" not in read({"done": True, "error": error}, mask=mask).message
    filtered = done(raiMediaFilteredReasons=["no secret-key-of-someone here"])
    assert "secret-key" not in read(filtered, mask=mask).message
    stored = done({"gcsUri": "gs://b/secret-key-of-someone.mp4"})
    assert "secret-key" not in read(stored, mask=mask).url


@pytest.mark.parametrize("body", ["", "<html>x</html>", "[]", {}, {"x": 1}, {"error": {"code": 500, "message": "x"}}])
def test_an_answer_that_describes_no_operation_is_an_error_that_passes(body):
    with pytest.raises(ApiError) as caught:
        read(body)
    assert not caught.value.permanent


@pytest.mark.parametrize(
    "name", ["models/x/operations/1", "projects/p/locations/l/operations/1", f"{NAME}\n", f"{NAME}{'1' * ID_LIMIT}"]
)
def test_an_operation_with_an_unusable_name_is_shown(name):
    with pytest.raises(ApiError, match="may exist and be billed") as caught:
        read_created(Answer(200, json.dumps({"name": name}), method="POST"), "Creating the video")
    assert caught.value.reason is Reason.UNREADABLE
    assert caught.value.job_id[:20] == name[:20]


@pytest.mark.parametrize("body", [[], {}, {"name": ""}, {"name": 7}, {"error": {"code": 3, "message": "x"}}, "OK"])
def test_an_order_without_a_name_is_an_error(body):
    with pytest.raises(ApiError):
        read_created(Answer(200, json.dumps(body), method="POST"), "Creating the video")


def test_an_order_that_has_failed_at_once_is_a_failed_job():
    body = {"name": NAME, "done": True, "error": {"code": 3, "message": "The prompt could not be submitted."}}
    video = read_created(Answer(200, json.dumps(body), method="POST"), "Creating the video")
    assert (video.id, video.status, video.reason) == (NAME, FAILED, Reason.BAD_REQUEST)


def test_no_odd_value_of_a_field_loses_a_job():
    bodies = [
        PART_FILTERED | {"metadata": METADATA},
        {"name": NAME, "done": True, "error": {"code": 3, "message": "x"}},
    ]
    for body in bodies:
        for place, _odd, changed in with_odd_leaves(body):
            answer = Answer.of(200, json.dumps(changed).encode(), [], "https://api.example.com/x", method="POST")
            knows_enough(answer.text[:10_000].encode())
            try:
                video = read_status(answer, "Asking", NAME)
            except ApiError:
                assert not place  # the whole body is odd
            else:
                assert video.id == NAME
                if place.startswith(("metadata", "response.rai", "response.videos.0.mime")):
                    assert (video.status, video.url) == (DONE, IN_BUCKET["gcsUri"])
