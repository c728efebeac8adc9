"""Answers that describe jobs of Google's Interactions API: recorded ones, cut ones, odd ones."""

from __future__ import annotations

import base64
import itertools
import json

import pytest

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.backends.gemini.backend import GeminiBackend
from airflow_provider_veo.api.backends.gemini.interactions import (
    breaks_off_in_output,
    find_content,
    knows_enough,
    parse_interaction,
)
from airflow_provider_veo.api.errors import ApiError, ContentNotReadyError, Reason, VeoError, VideoFailedError
from airflow_provider_veo.api.verdict import Verdict
from airflow_provider_veo.api.video import Video, VideoStatus
from tests.support.odd_values import dumped, with_odd_leaves
from tests.support.wire import read_pairs

RECORDED = read_pairs("gemini")
BASE = "https://generativelanguage.googleapis.com"
JOB = "v1_ChdTYW1wbGVJbnRlcmFjdGlvbklk"
URL = f"{BASE}/v1/interactions/{JOB}?stream=false"
BACKEND = GeminiBackend()
REGION = "it is completed without a video. Google's filter has removed the video"


def answer_of(name):
    recorded = RECORDED[name]["answer"]
    text = recorded["body"] if isinstance(recorded["body"], str) else json.dumps(recorded["body"])
    return Answer(recorded["status"], text, recorded["headers"], URL, method=RECORDED[name]["request"]["method"])


def read(body, **fields):
    return parse_interaction(Answer(200, json.dumps(body), {}, URL, **fields), "Asking", JOB)


def file(name):
    return f"{BASE}/v1/files/{name}"


# status, address, price
UNFINISHED_OR_COMPLETED = {
    "036_get": ("running", None, None),
    "037_get_include_input": ("running", None, None),
    "040_vertex_get": ("running", None, None),
    "060_answer_get_queued": ("queued", None, None),
    "061_answer_get_in_progress": ("running", None, None),
    "062_answer_get_completed_inline": ("completed", None, 0.55875),
    "065_answer_get_completed_two_videos": ("completed", file("abc123def4562"), None),
    "066_answer_vertex_get_completed_gcs": ("completed", "gs://my-bucket/omni/12345/sample_0.mp4", 0.55875),
    "077_answer_get_idle": ("running", None, None),
    "078_answer_get_requires_continuation": ("running", None, None),
    "079_answer_get_unknown_status_word": ("unknown", None, None),
    "097_answer_get_completed_uri_download_form": ("completed", file("abc123"), None),
    "098_answer_get_completed_agent_platform_doc": ("completed", "gs://my-bucket/omni/123.mp4", 0.350286),
    "099_answer_get_completed_one_second_capture": ("completed", None, 0.10729),
    "123_old_sdk_get": ("running", None, None),
}
# status, reason, whether the reason was found in words, message
ENDED_WITHOUT_VIDEO = {
    "067_answer_get_completed_without_video_text": (
        *("failed", Reason.MODERATION, False),
        "I can't create that video because it may violate our policies.",
    ),
    "068_answer_get_completed_without_anything": ("failed", Reason.MODERATION, False, REGION),
    "070_answer_get_failed_errors": (
        *("failed", Reason.UNKNOWN, False),
        "Internal error encountered. [https://ai.google.dev/errors/internal]",
    ),
    "071_answer_get_failed_step_error": ("failed", Reason.UNKNOWN, False, "Internal error encountered. [13]"),
    "072_answer_get_failed_bare": ("failed", Reason.UNKNOWN, False, "it ended as 'failed'"),
    "073_answer_get_cancelled": ("cancelled", Reason.UNKNOWN, False, ""),
    "074_answer_get_incomplete": ("failed", Reason.UNKNOWN, False, "it ended as 'incomplete'"),
    "075_answer_get_budget_exceeded": ("failed", Reason.UNKNOWN, False, "it ended as 'budget_exceeded'"),
    "076_answer_get_requires_action": ("failed", Reason.UNKNOWN, False, "it ended as 'requires_action'"),
    "100_answer_get_failed_error_object": ("failed", Reason.MODERATION, True, "Blocked by safety filters"),
}
ERRORS_OF_STATUS_CALLS = {"081_answer_get_unknown_id_403": Reason.FORBIDDEN}


@pytest.mark.parametrize("name", UNFINISHED_OR_COMPLETED)
def test_recorded_status_answers_are_read(name):
    status, url, cost = UNFINISHED_OR_COMPLETED[name]
    video = BACKEND.read_video(answer_of(name), JOB)
    assert (video.id, video.status.value, video.url, video.reason) == (JOB, status, url, None)
    assert video.cost_usd == (None if cost is None else pytest.approx(cost, abs=1e-6))
    assert find_content_of(name) == url


def find_content_of(name):
    try:
        return BACKEND.find_content(answer_of(name))
    except ContentNotReadyError:
        assert not BACKEND.read_video(answer_of(name), JOB).status.finished
        return None


@pytest.mark.parametrize("name", ENDED_WITHOUT_VIDEO)
def test_recorded_answers_about_jobs_without_a_video_are_read(name):
    status, reason, in_words, message = ENDED_WITHOUT_VIDEO[name]
    video = BACKEND.read_video(answer_of(name), JOB)
    assert (video.status.value, video.reason, video.reason_in_words) == (status, reason, in_words)
    assert video.message.startswith(message)
    assert (video.in_doubt, video.may_be_there, video.cost_usd) == (False, False, None)
    with pytest.raises(VideoFailedError) as caught:
        BACKEND.find_content(answer_of(name))
    assert (caught.value.reason, caught.value.permanent) == (reason, reason is Reason.MODERATION)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ERRORS_OF_STATUS_CALLS)
def test_recorded_errors_of_status_calls_are_read(name):
    with pytest.raises(ApiError) as caught:
        BACKEND.read_video(answer_of(name), JOB)
    assert caught.value.reason is ERRORS_OF_STATUS_CALLS[name]
    assert BACKEND.find_content(answer_of(name)) is None


def test_every_recorded_status_answer_is_tried():
    recorded = {name for name in RECORDED if RECORDED[name]["request"]["path"].endswith(f"interactions/{JOB}")}
    assert recorded | {"123_old_sdk_get"} == (
        UNFINISHED_OR_COMPLETED.keys() | ENDED_WITHOUT_VIDEO.keys() | ERRORS_OF_STATUS_CALLS.keys()
    )


CREATED = {
    "114_answer_create_200_completed_at_once": VideoStatus.COMPLETED,
    "116_answer_create_200_id_only": VideoStatus.UNKNOWN,
}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, record in RECORDED.items()
        if "create" in name and record["answer"]["status"] == 200 and record["answer"]["body"].get("id")
    ],
)
def test_recorded_answers_to_orders_name_the_job(name):
    video = BACKEND.read_created(answer_of(name))
    job = "v1_x" if "old_sdk" in name else JOB
    assert (video.id, video.status) == (job, CREATED.get(name, VideoStatus.RUNNING))


@pytest.mark.parametrize("name", ["115_answer_create_200_no_id", "117_answer_create_200_empty"])
def test_an_answer_to_an_order_without_an_id_leaves_the_order_unknown(name):
    with pytest.raises(ApiError) as caught:
        BACKEND.read_created(answer_of(name))
    assert caught.value.reason is Reason.UNREADABLE
    assert BACKEND.judge(caught.value) is Verdict.UNKNOWN


@pytest.mark.parametrize("job", ["", " ", "two\nlines", "x" * 2_000, 7, None, ["x"]])
def test_an_id_that_cannot_be_used_leaves_the_order_unknown(job):
    body = {"id": job, "status": "in_progress"}
    with pytest.raises(ApiError, match="ID cannot be used") as caught:
        BACKEND.read_created(Answer(200, json.dumps(body), {}, f"{BASE}/v1/interactions"))
    assert BACKEND.judge(caught.value) is Verdict.UNKNOWN


def test_the_facts_of_a_completed_job_are_read():
    video = BACKEND.read_video(answer_of("062_answer_get_completed_inline"), JOB)
    assert (video.status_word, video.model) == ("completed", "gemini-omni-1.2-flash")
    assert (video.created_at.isoformat(), video.completed_at.isoformat()) == (
        "2026-11-27T10:00:00+00:00",
        "2026-11-27T10:00:31+00:00",
    )
    assert video.took == 31


def test_an_unfinished_job_has_no_end():
    assert BACKEND.read_video(answer_of("060_answer_get_queued"), JOB).completed_at is None


VIDEO = {"type": "video", "mime_type": "video/mp4", "uri": f"{BASE}/v1beta/files/out"}
INPUT = {"type": "user_input", "content": [{"type": "video", "mime_type": "video/mp4", "uri": f"{BASE}/v1/files/in"}]}


def output(*parts, **fields):
    return {"type": "model_output", "content": list(parts)} | fields


def test_the_video_of_the_user_is_not_the_output():
    video = read({"status": "completed", "steps": [INPUT, output({"type": "text", "text": "No."})]})
    assert (video.status, video.reason, video.message) == (VideoStatus.FAILED, Reason.MODERATION, "No.")
    assert read({"status": "completed", "steps": [INPUT, output(VIDEO)]}).url == file("out")


def test_an_output_before_the_last_input_is_not_the_output():
    earlier = output({"type": "video", "uri": f"{BASE}/v1/files/earlier"})
    assert read({"status": "completed", "steps": [earlier, INPUT]}).status is VideoStatus.FAILED
    assert read({"status": "completed", "steps": [earlier, INPUT, output(VIDEO)]}).url == file("out")


def test_the_last_video_of_all_steps_counts():
    first = {"type": "video", "data": "AAAA"}
    steps = [output(first), {"type": "thought"}, output(VIDEO), output({"type": "text", "text": "Here it is."})]
    assert read({"status": "completed", "steps": steps}).url == file("out")


def test_an_error_beside_a_video_does_not_take_it_away():
    video = read({"status": "completed", "steps": [output(VIDEO, error={"code": 13, "message": "x"})]})
    assert (video.status, video.url) == (VideoStatus.COMPLETED, file("out"))


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (3, "Invalid value.", Reason.BAD_REQUEST),
        (7, "No rights for the bucket.", Reason.FORBIDDEN),
        (8, "Try later.", Reason.RATE_LIMITED),
        (13, "Internal.", Reason.UNKNOWN),
        (13, "The input image violates our usage guidelines. Support codes: 15236754", Reason.MODERATION),
        (13, "We encountered an issue with the audio for your prompt.", Reason.UNKNOWN),
    ],
)
def test_a_completed_job_with_an_error_instead_of_a_video_has_failed(code, message, reason):
    video = read({"status": "completed", "steps": [output(error={"code": code, "message": message})]})
    assert (video.status, video.reason, video.message) == (VideoStatus.FAILED, reason, f"{message} [{code}]")


@pytest.mark.parametrize("word", ["failed", "incomplete", "budget_exceeded", "requires_action"])
def test_a_video_of_a_job_that_has_failed_is_looked_for(word):
    body = {"status": word, "steps": [output(VIDEO)]}
    video = read(body)
    assert (video.status, video.in_doubt, video.may_be_there) == (VideoStatus.FAILED, True, True)
    assert find_content(Answer(200, json.dumps(body), {}, URL)) == file("out")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {}),
        (200, []),
        (200, "text"),
        (200, None),
        (200, {"id": JOB}),
        (200, {"error": {"code": 500, "message": "x"}}),
        (204, ""),
        (500, {"id": JOB, "status": "completed"}),
        (502, "<html>Bad Gateway</html>"),
    ],
)
def test_other_answers_to_status_calls_are_errors_that_pass(status, body):
    with pytest.raises(ApiError) as caught:
        parse_interaction(Answer(status, json.dumps(body), {}, URL), "Asking", JOB)
    assert not caught.value.permanent


def test_a_good_answer_may_ask_for_a_pause():
    answer = Answer(200, json.dumps({"status": "in_progress"}), {"retry-after": "7"}, URL)
    assert parse_interaction(answer, "Asking", JOB).retry_after == 7


def test_a_secret_in_an_answer_is_hidden():
    text = json.dumps({"status": "failed", "model": "m", "errors": [{"message": "key=s3cret-key-of-the-user failed"}]})
    answer = Answer.of(200, text.encode(), (), URL, secrets=("s3cret-key-of-the-user",))
    assert parse_interaction(answer, "Asking", JOB).message == "key=*** failed"


# ---- answers that are cut


def inline(name):
    """Return a recorded answer with a whole video in it, whose bytes the record leaves out."""
    body = json.loads(json.dumps(RECORDED[name]["answer"]["body"]))
    body["steps"][-1]["content"][-1]["data"] = base64.b64encode(b"\0\0\0\x18ftypmp42" + bytes(60)).decode()
    return body


def ordered(value, order):
    """Return a JSON value with the keys of each object sorted by an order."""
    if isinstance(value, dict):
        return {name: ordered(value[name], order) for name in sorted(value, key=order)}
    return [ordered(item, order) for item in value] if isinstance(value, list) else value


ORDERS = {
    "alphabet": lambda name: name,
    "reverse": lambda name: tuple(-ord(letter) for letter in name),
    "steps first": lambda name: (name != "steps", name not in ("type", "mime_type"), name),
    "status first": lambda name: (name != "status", name not in ("type", "mime_type"), name),
    "data first": lambda name: (name not in ("data", "content"), name),
}


def read_or_fail(answer):
    """Return the job in an answer, or the error of reading it."""
    try:
        return parse_interaction(answer, "Asking", JOB)
    except ApiError as error:
        return error


INLINE = ("062_answer_get_completed_inline", "099_answer_get_completed_one_second_capture")


@pytest.mark.parametrize(("name", "order"), itertools.product(INLINE, ORDERS))
def test_each_beginning_of_a_completed_answer_means_the_same_or_less(name, order):
    text = json.dumps(ordered(inline(name), ORDERS[order])).encode()
    known = [knows_enough(text[:length]) for length in range(len(text) + 1)]
    assert known == sorted(known)
    assert known[-1]
    for length in range(len(text)):
        seen = read_or_fail(Answer.of(200, text[:length], (), URL, is_cut=True))
        if known[length]:
            assert (seen.status, seen.url) == (VideoStatus.COMPLETED, None)
        elif isinstance(seen, Video):
            assert seen.status in (VideoStatus.COMPLETED, VideoStatus.UNKNOWN)
            assert seen.url is None
        else:
            assert not seen.permanent


@pytest.mark.parametrize("order", ["status first", "reverse"])
def test_the_first_letters_of_the_video_are_enough_behind_the_status_and_the_kinds(order):
    body = ordered(inline(INLINE[0]), ORDERS[order])
    text = json.dumps(body).encode()
    start = text.index(b"AAAAGGZ0eXBtcDQy")
    is_enough = [knows_enough(text[: start + letters]) for letters in (0, 1, 8)]
    assert is_enough == ([False, True, True] if order == "status first" else [False, False, False])


def test_a_cut_answer_whose_status_is_missing_is_completed_if_the_output_has_a_video():
    text = json.dumps(ordered(inline(INLINE[0]), ORDERS["steps first"])).encode()
    cut = text[: text.index(b"AAAAGGZ0") + 8]
    video = parse_interaction(Answer.of(200, cut, (), URL, is_cut=True), "Asking", JOB)
    assert (video.status, knows_enough(cut)) == (VideoStatus.COMPLETED, False)


@pytest.mark.parametrize(
    "name", [name for name in (*UNFINISHED_OR_COMPLETED, *ENDED_WITHOUT_VIDEO) if name not in INLINE]
)
@pytest.mark.parametrize("order", ORDERS)
def test_no_beginning_of_another_answer_is_enough(name, order):
    text = json.dumps(ordered(RECORDED[name]["answer"]["body"], ORDERS[order])).encode()
    assert not any(knows_enough(text[:length]) for length in range(len(text) + 1))


def test_the_video_of_the_user_in_the_beginning_is_not_enough():
    echo = {"type": "user_input", "content": [{"type": "video", "data": "AAAAGGZ0eXA" * 1_000}]}
    body = {"status": "completed", "steps": [echo, output({"type": "video", "data": "AAAAGGZ0eXA"})]}
    text = json.dumps(body).encode()
    start = text.rindex(b'"data": "') + len(b'"data": "')
    assert [knows_enough(text[:length]) for length in (start // 2, start, start + 1)] == [False, False, True]
    # the whole answer decides whether there is a video, so a cut one counts as completed
    cut = Answer.of(200, text[: start // 2], (), URL, is_cut=True)
    assert parse_interaction(cut, "Asking", JOB).status is VideoStatus.COMPLETED
    assert find_content(cut) is None


def test_bytes_that_are_not_an_answer_are_not_enough():
    assert not any(map(knows_enough, (b"", b"\xff\xfe", b"[", b"<html>", b'"completed"', b'{"status": 7}')))


def test_an_address_at_the_end_of_a_cut_answer_is_not_used():
    text = json.dumps({"status": "completed", "steps": [output(VIDEO)]})
    cut = text[: text.index("files/out") + 7]
    video = parse_interaction(Answer(200, cut, {}, URL, is_cut=True), "Asking", JOB)
    assert (video.status, video.url) == (VideoStatus.COMPLETED, None)


# ---- odd values


@pytest.mark.parametrize(
    "name",
    [
        "062_answer_get_completed_inline",
        "070_answer_get_failed_errors",
        "043_files_get_active",
    ],
)
def test_odd_values_never_break_the_reader(name):
    for path, odd, body in with_odd_leaves(RECORDED[name]["answer"]["body"]):
        answer = Answer.of(200, dumped(body), (), URL)
        try:
            video = BACKEND.read_video(answer, JOB)
        except ApiError:
            video = None
        assert video is None or isinstance(video, Video), (path, odd)
        try:
            address = BACKEND.find_content(answer)
        except VeoError:
            address = None
        assert address is None or address.isprintable(), (path, odd)


@pytest.mark.parametrize(
    ("steps", "is_output"),
    [
        ('[{"type": "user_input", "content": [{"type": "video", "data": "AAAA', False),
        ('[{"type": "user_input", "content": []}, {"type": "model_output", "content": [{"data": "AAAA', True),
        ('[{"type": "model_output", "content": [{"type": "video", "data": "AAAA', True),
        ('[{"content": [{"data": "AAAA', True),
        ('[], "output_video": {"data": "AAAA', False),
    ],
)
def test_a_video_counts_outside_the_steps_of_the_user(steps, is_output):
    head = '{"id": "v1_1", "status": "completed", "steps": ' + steps
    assert breaks_off_in_output(head.encode()) is is_output
    assert not breaks_off_in_output(b'{"input": [{"type": "user_input", "content": [{"data": "AAAA')
