"""The status of jobs: words of all known servers, `completed` without a video, and failed jobs within errors."""

from __future__ import annotations

import codecs
import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.answer import Answer
from airflow_provider_veo.api.answers.own_words import OwnWords
from airflow_provider_veo.api.backends.openai.videos import parse_video
from airflow_provider_veo.api.errors import ApiError, Reason, VideoFailedError
from airflow_provider_veo.api.polling.decision import WaitPolicy, WaitState, observe
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.video import VideoStatus

URL = "https://api.example.com/v1/videos/v"
ID = "video_0123456789"
FILTERED = "The input image has been blocked by your current safety settings. Support codes: 58061214"
AUDIO = "We encountered an issue with the audio for your prompt and could not create your video."


def read(body, status=200, own=()):
    text = body if isinstance(body, str) else json.dumps(body)
    return parse_video(Answer(status, text, {}, URL, own=OwnWords(own)), "Asking", ID)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"done": True, "response": {}}, "completed"),
        ({"done": False}, "running"),
        ({"done": "yes"}, "unknown"),
        ({"done": True, "status": "processing"}, "running"),
        ({"done": True, "error": {"code": 13, "message": "no"}}, "failed"),
    ],
)
def test_the_status_of_a_google_operation_is_read_from_done(body, status):
    if "error" in body and "status" not in body:
        body = {"name": "operations/x"} | body
    assert read(body).status is VideoStatus(status)


@pytest.mark.parametrize(("done", "word"), [(True, "done"), (False, "processing")])
def test_the_status_of_a_google_operation_is_shown_as_a_word(done, word):
    assert read({"done": done}).status_word == word


@pytest.mark.parametrize("word", ["rejected", "moderated", "content_filtered", "blocked", "Request Moderated"])
def test_a_status_word_of_a_filter_is_a_reason(word):
    assert read({"status": word}).reason is Reason.MODERATION
    assert read({"status": word, "error": "insufficient balance"}).reason is Reason.QUOTA
    assert read({"status": "failed"}).reason is Reason.UNKNOWN


WITHOUT_A_VIDEO = {
    "an error with a code": ({"error": {"code": "content_filtered", "message": FILTERED}}, Reason.MODERATION),
    "an error in words": ({"error": FILTERED}, Reason.MODERATION),
    "an error of another kind": ({"error": {"code": 500, "message": "boom"}}, Reason.UNKNOWN),
    "a wrong request": ({"error": {"code": 3, "message": "bad duration"}}, Reason.BAD_REQUEST),
    "an error with an empty code": ({"error": {"code": "", "message": FILTERED}}, Reason.MODERATION),
    "errors": ({"errors": [{"code": "x", "message": FILTERED}]}, Reason.MODERATION),
    "fail_reason": ({"fail_reason": FILTERED}, Reason.MODERATION),
    "a count": ({"raiMediaFilteredCount": 1}, Reason.MODERATION),
    "a count in words": ({"rai_media_filtered_count": "2"}, Reason.MODERATION),
    "reasons in metadata": ({"metadata": {"raiMediaFilteredReasons": [FILTERED]}}, Reason.MODERATION),
    "an operation of Google": (
        {"response": {"generateVideoResponse": {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["no"]}}},
        Reason.MODERATION,
    ),
    "a prediction of Google": ({"response": {"raiMediaFilteredCount": 1, "videos": []}}, Reason.MODERATION),
    "a flag": ({"result": {"filtered": True}}, Reason.MODERATION),
    "an error in the result": ({"result": {"error": {"message": FILTERED}, "videos": []}}, Reason.MODERATION),
    "the audio filter": (
        {"metadata": {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [AUDIO]}},
        Reason.UNKNOWN,
    ),
    "new-api's reason": ({"metadata": {"url": "the prompt violates the content policy"}}, Reason.MODERATION),
    "new-api's reason in Chinese": ({"metadata": {"url": "内容违规"}}, Reason.MODERATION),
}


@pytest.mark.parametrize(("body", "reason"), WITHOUT_A_VIDEO.values(), ids=WITHOUT_A_VIDEO)
@pytest.mark.parametrize("word", ["completed", "SUCCESS", "failed"])
def test_completed_without_a_video_is_a_failure_with_a_reason(body, reason, word):
    video = read({"id": ID, "status": word, "progress": 100} | body)
    assert (video.status, video.reason, video.url) == (VideoStatus.FAILED, reason, None)
    assert video.message
    assert video.in_doubt is (word != "failed")
    with pytest.raises(VideoFailedError) as caught:
        Outcome.of(video).raise_for_kind()
    assert caught.value.permanent is reason.permanent


@pytest.mark.parametrize(
    "body",
    [
        *({"error": error} for error in (None, {}, "", [], {"code": 0}, {"code": None, "message": ""}, "none", False)),
        {"error": " No error. "},
        {"error": {"code": 0, "message": "all is well"}},
        {"error": {"code": "success", "message": "success"}},
        {"error": {"code": "Success", "message": "all is well"}},
        {"error": {"type": "None", "message": "none"}},
        {"error": {"message": None, "code": None}, "fail_reason": ""},
        {"message": "your video was moderated and is fine"},
        {"raiMediaFilteredCount": 0, "raiMediaFilteredReasons": []},
        {"raiMediaFilteredCount": None},
        *({"raiMediaFilteredReasons": [reason]} for reason in ("", " ", "None", "no error", "0")),
        {"metadata": {"blocked": "words"}},
        {"prompt": "content policy", "input": {"filtered": True}},
        {"error": "the thumbnail is missing", "url": "https://x.example/a.mp4"},
        {"error": {"message": "a warning"}, "metadata": {"url": "/v1/videos/v/content"}},
        {"error": {"message": "a warning"}, "url": "data:;base64,AAAA"},
        {"raiMediaFilteredCount": 1, "videos": [{"gcsUri": "gs://bucket/sample_0.mp4"}]},
        {"response": {"generateVideoResponse": {
            "raiMediaFilteredCount": 1, "generatedSamples": [{"video": {"uri": "https://x.example/a:download"}}],
        }}},
        {"response": {"raiMediaFilteredCount": 1, "videos": [{"bytesBase64Encoded": "A" * 200}]}},
    ],
)  # fmt: skip
def test_completed_with_a_video_or_without_an_error_stays_completed(body):
    video = read({"id": ID, "status": "completed"} | body)
    assert (video.status, video.reason, video.message) == (VideoStatus.COMPLETED, None, "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"raiMediaFilteredReasons": ["no cats", "no dogs"]}, "no cats; no dogs"),
        ({"raiMediaFilteredCount": 1}, "The content filter has removed the video."),
        ({"raiMediaFilteredCount": "1"}, "The content filter has removed the video."),
    ],
)
def test_the_words_of_a_filter_are_the_message(fields, message):
    assert read({"status": "completed"} | fields).message == message


@pytest.mark.parametrize("word", ["cancelled", "expired"])
def test_a_job_that_was_ended_keeps_the_message_of_the_server(word):
    video = read({"status": word, "error": "by the operator: content policy"})
    assert (video.status, video.reason) == (VideoStatus(word), Reason.UNKNOWN)
    assert video.message == "by the operator: content policy"


def test_a_key_at_the_end_of_a_shortened_message_is_masked():
    key = "sk-0123456789abcdef"
    body = {"id": ID, "status": "failed", "error": "x" * 495 + key}
    answer = Answer.of(200, json.dumps(body).encode(), [], URL, secrets=[key])
    assert "sk-" not in parse_video(answer, "Asking", ID).message


def test_the_address_of_a_picture_is_not_a_video():
    body = {"status": "completed", "error": FILTERED, "input": {"url": "https://x.example/a.png"}}
    assert read(body).status is VideoStatus.FAILED


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (400, Reason.BAD_REQUEST),
        ("422", Reason.BAD_REQUEST),
        (3, Reason.BAD_REQUEST),
        (429, Reason.RATE_LIMITED),
        (500, Reason.UNKNOWN),
        (401, Reason.UNKNOWN),
        (404, Reason.UNKNOWN),
    ],
)
def test_the_error_code_of_a_failed_job_is_a_reason(code, reason):
    assert read({"status": "failed", "error": {"code": code, "message": "no path"}}).reason is reason
    audio = {"status": "failed", "error": {"code": code, "message": "AUDIO_FILTERED"}}
    assert read(audio).reason is Reason.UNKNOWN


def test_the_actual_length_comes_before_the_ordered_length():
    assert read({"status": "completed", "seconds": "4", "duration_s": 0.33}).seconds == 0.33


JOB = {
    "id": "video_gen_0123abcd",
    "object": "video",
    "status": "failed",
    "model": "Wan-AI/Wan2.2",
    "prompt": 'it is "a workplace safety clip"',
    "error": {"code": 500, "message": "It's out of memory: 'a workplace safety clip'\n"},
}


def litellm(inner, status=500):
    message = f"litellm.InternalServerError: Hosted_vllmException - {inner}. Received Model Group=gem-rai"
    return {"error": {"message": message, "type": None, "param": None, "code": str(status)}}


NESTED = {
    "JSON": json.dumps(JOB),
    "printed JSON": json.dumps(JOB, indent=2),
    "escaped JSON": json.dumps(json.dumps(JOB))[1:-1],
    "Python": repr(JOB),
    "bytes of Python": repr(json.dumps(JOB).encode()),
    "an error of another gateway": json.dumps({"error": {"message": json.dumps(JOB), "code": 500}}),
    "an error in an error": json.dumps(litellm(json.dumps(JOB))),
    "FastAPI's detail": json.dumps({"detail": JOB}),
}


@pytest.mark.parametrize("inner", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("status", [400, 500])
def test_a_failed_job_within_an_error_is_the_job_of_the_call(inner, status):
    video = read(litellm(inner, status), status)
    assert (video.id, video.status) == (ID, VideoStatus.FAILED)
    assert "out of memory" in video.message
    judged = Outcome.of(video).judge_reason(OwnWords(("a workplace safety clip", "gem-rai")))
    assert judged.reason == Reason.UNKNOWN.value


def test_a_failed_job_within_an_error_has_its_own_reason():
    job = JOB | {"error": {"code": 400, "message": "lora has no path"}}
    assert read(litellm(json.dumps(job))).reason is Reason.BAD_REQUEST
    assert read({"detail": job}, 500).status is VideoStatus.FAILED
    assert read({"detail": [{"msg": "no"}, job]}, 500).status is VideoStatus.FAILED
    cut = json.dumps(JOB)[:-40]
    assert read(litellm(cut)).status is VideoStatus.FAILED


def test_a_failed_job_of_any_length_within_an_error_is_found():
    job = {"parameters": "x" * 20_000} | JOB
    assert read({"error": {"message": json.dumps(job)}}, 500).status is VideoStatus.FAILED


def test_errors_within_errors_are_opened_to_a_limited_depth():
    text = json.dumps(JOB)
    for level in range(1, 10):
        text = json.dumps({"detail": text})
        if level <= 3:
            assert read(text, 500).status is VideoStatus.FAILED
    with pytest.raises(ApiError):
        read(text, 500)


@pytest.mark.parametrize("more", [{"error": {"message": "no"}}, {"progress": 40}])
def test_two_fields_of_a_job_and_an_id_show_a_failed_job_within_an_error(more):
    assert read(litellm(json.dumps({"id": "v", "status": "failed", "object": "video"} | more))).id == ID


def test_the_error_of_an_upstream_within_a_message_is_read_only_if_the_order_is_known():
    """Without the order, an object in a text may be a quotation of the prompt."""
    upstream = json.dumps({"error": {"code": 400, "message": "lora has no path"}})
    job = {"status": "failed", "error": f"the upstream said: {upstream}"}
    known, unknown = read(job, own=("a cat",)), read(job)
    assert (known.reason, known.message) == (Reason.BAD_REQUEST, "the upstream said: lora has no path [400]")
    assert (unknown.reason, unknown.message) == (Reason.UNKNOWN, f"the upstream said: {upstream}")


@pytest.mark.parametrize(
    "inner",
    [
        json.dumps(JOB | {"status": "in_progress"}),
        json.dumps({"id": "request-17", "status": "error"}),
        json.dumps({"status": "failed"}),
        json.dumps(JOB | {"status": "in_progress", "prompt": json.dumps(JOB)}),
        json.dumps({"error": {"message": "no", "prompt": json.dumps(JOB)}}),
        f"the prompt {json.dumps(JOB)} is odd",
        f"it failed for '{json.dumps(JOB)}'",
        f"it failed for {json.dumps(json.dumps(JOB))}",
        '{"status": "failed", "id": "v"}',
        '{"status": "failed", "id": "v", "object": "error"}',
        '{"status": "failed", "id": "v", "model": "m", "error": {"message": "no"}}',
        '{"status": "failed", "object": "error", "model": "m", "error": {"message": "no"}}',
    ],
)
def test_other_texts_do_not_end_a_job(inner):
    with pytest.raises(ApiError) as caught:
        read(litellm(inner), 500)
    assert caught.value.reason is Reason.SERVER


def test_a_known_prompt_that_looks_like_a_failed_job_does_not_end_a_job():
    prompt = json.dumps(JOB)
    assert read(litellm(prompt), 500).status is VideoStatus.FAILED
    for body in (litellm(prompt), {"error": {"message": prompt}}):
        with pytest.raises(ApiError) as caught:
            read(body, 500, own=(prompt,))
        assert caught.value.reason is Reason.SERVER


PROMPTS = st.text(max_size=80) | st.sampled_from(
    [
        "a workplace safety clip",
        "insufficient quota, quota is not enough",
        "task not found",
        "video not found",
        "model not found",
        "AUDIO_FILTERED",
        "审核 违规",
        "PUBLIC_ERROR_X",
        '{"status":"failed"}',
        '{"error":{"code":"insufficient_quota","message":"content policy"}}',
        '{"retryDelay": "3000s"}',
        "rai",
    ]
)
ERRORS = {
    "OpenAI": lambda said: {"error": {"message": f"Internal error for prompt '{said}'", "type": "server_error"}},
    "new-api": lambda said: {"code": "fail_to_fetch_task", "message": f"upstream: {said} (failed)", "data": None},
    "LiteLLM": lambda said: litellm(json.dumps({"error": {"message": f"no: '{said}'", "code": 500}})),
    "FastAPI": lambda said: {"detail": [{"loc": ["x"], "msg": f"bad: {said}", "input": {"prompt": said}}]},
    "text": lambda said: f"Internal Server Error: {said} failed",
    "HTML": lambda said: f"<html><h1>500</h1><p>{said} failed</p></html>",
}
POLICY = WaitPolicy(0.0, deadline=10_000.0)


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("status", [500, 503, 429])
@given(PROMPTS)
@example("a workplace safety clip " * 60)
def test_a_prompt_in_an_error_does_not_end_a_wait(error, status, prompt):
    with pytest.raises(ApiError) as caught:
        read(error(prompt), status)
    assert caught.value.reason is (Reason.RATE_LIMITED if status == 429 else Reason.SERVER)
    assert (caught.value.retry_after or 0) <= 120
    _, step = observe(POLICY, WaitState(), ID, caught.value, 500.0, 0.5)
    assert not isinstance(step, Outcome)


@pytest.mark.parametrize(
    "said", ["out of memory: {}", "{}: the worker died", "prompt={} seed=1", "'{}' has failed [500]"]
)
@given(PROMPTS.filter(lambda prompt: any(map(str.isalnum, prompt))))
@example("a workplace safety clip " * 60)
def test_a_prompt_in_the_message_of_a_failed_job_is_not_its_reason(said, prompt):
    for error in (said.format(prompt), {"message": said.format(prompt), "code": 500}):
        outcome = Outcome.of(read({"status": "failed", "error": error}))
        resumed = Outcome.from_event(json.loads(json.dumps(outcome.to_event())))
        assert resumed.judge_reason(OwnWords((prompt, "gem-rai"))).reason == Reason.UNKNOWN.value
        assert read({"status": "failed", "error": error}, own=(prompt,)).reason is Reason.UNKNOWN


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("model group 'gem-rai' failed", Reason.UNKNOWN),
        ("'a safety clip' was refused by our safety filter", Reason.MODERATION),
        ("safety", Reason.MODERATION),
        ("insufficient balance for 'a safety clip'", Reason.QUOTA),
    ],
)
def test_the_text_of_the_server_remains_the_reason(message, reason):
    outcome = Outcome.of(read({"status": "failed", "error": message}))
    assert outcome.judge_reason(OwnWords(("a safety clip", "gem-rai"))).reason == reason.value


def test_a_reason_beyond_the_shown_message_is_kept_unless_the_prompt_may_be_its_source():
    outcome = Outcome.of(read({"status": "failed", "error": "x" * 600 + " content policy violation"}))
    assert outcome.judge_reason(OwnWords(("a cat",))).reason == Reason.MODERATION.value
    for word in ("safety", "rai"):
        prompt = "x y " * 200 + word
        outcome = Outcome.of(read({"status": "failed", "error": f"bad: {prompt}"}))
        assert outcome.reason == Reason.MODERATION.value
        assert outcome.judge_reason(OwnWords((prompt, "veo"))).reason == Reason.UNKNOWN.value


def test_a_field_of_a_filter_is_a_reason_even_without_a_message():
    outcome = Outcome.of(read({"status": "completed", "raiMediaFilteredReasons": ["not 'a safety clip'"]}))
    assert outcome.judge_reason(OwnWords(("a safety clip",))) == outcome
    assert (
        replace(outcome, reason_in_words=True).judge_reason(OwnWords(("a safety clip",))).reason == Reason.UNKNOWN.value
    )


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (500, "Video not found", Reason.NOT_FOUND),
        (400, "Task 'video_1' does not exist.", Reason.NOT_FOUND),
        (400, "The requested video with id video_1 was not found", Reason.NOT_FOUND),
        (500, "the lost tapes: video not found, a clip", Reason.SERVER),
        (500, "no: task not found in the wild", Reason.SERVER),
    ],
)
def test_only_a_whole_sentence_means_that_a_job_is_unknown(status, message, reason):
    with pytest.raises(ApiError) as caught:
        read({"error": {"message": message}}, status)
    assert caught.value.reason is reason


@pytest.mark.parametrize("video_id", [None, ID])
def test_an_answer_with_a_byte_order_mark_is_read(video_id):
    def answer(status, body):
        return Answer.of(status, codecs.BOM_UTF8 + json.dumps(body).encode(), [], URL)

    assert parse_video(answer(200, {"id": ID, "status": "queued"}), "x", video_id).status is VideoStatus.QUEUED
    with pytest.raises(ApiError, match="no money") as caught:
        parse_video(answer(402, {"error": {"message": "no money"}}), "x", video_id)
    assert caught.value.reason is Reason.QUOTA
