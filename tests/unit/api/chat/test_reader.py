"""The events that a chat stream contains: progress, videos, notes and failures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_veo.api.answers.text import MESSAGE_LIMIT
from airflow_provider_veo.api.chat.events import Echo, End, Failure, LeftOut, Note, Progress, Usage, VideoReady, Waiting
from airflow_provider_veo.api.chat.limits import ECHO_LIMIT, EVENT_LIMIT, LINE_LIMIT, MOST_COUNTED, WORD_LIMIT
from airflow_provider_veo.api.chat.reader import ChatReader
from airflow_provider_veo.api.errors import Reason

GATEWAY_STREAM = (Path(__file__).parents[3] / "data" / "veo_gateway_chat_stream.txt").read_bytes()
FIRST = "https://veo-video.gptkey.asia/assets/flow/0af272c6-bcc7-48de-8a32-a827bad4392c.mp4"
SECOND = "https://veo-video.gptkey.asia/assets/flow/9fc24060-ff7a-439e-a4f3-8387d25f63c9.mp4"
GATEWAY_EVENTS = [
    Echo("画只猪在天上飞", "竖屏模式"),
    Waiting(),
    *map(Progress, (9.0, 18.0, 27.0, 36.0, 45.9, 54.9, 63.9, 72.9, 83.7, 90.2)),
    VideoReady(1, FIRST),
    VideoReady(2, SECOND),
    Usage(16, 292, 308),
    End(True, "stop"),
]


def read(*chunks, sent=(), most=4):
    reader = ChatReader(*sent, most=most)
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return [*events, *reader.end()]


def stream(*texts, finish="stop", **more):
    """Return a stream whose deltas hold these texts."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in texts]
    if finish:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], **more})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode()


def videos(events):
    return [(event.index, event.url) for event in events if isinstance(event, VideoReady)]


def test_the_documented_stream_of_the_gateway_is_read():
    assert read(GATEWAY_STREAM) == GATEWAY_EVENTS


def test_the_documented_stream_is_read_when_cut_at_any_byte():
    for at in range(len(GATEWAY_STREAM) + 1):
        assert read(GATEWAY_STREAM[:at], GATEWAY_STREAM[at:]) == GATEWAY_EVENTS, at


def test_the_documented_stream_is_read_byte_by_byte():
    assert read(*(GATEWAY_STREAM[at : at + 1] for at in range(len(GATEWAY_STREAM)))) == GATEWAY_EVENTS


def test_a_video_is_reported_before_the_stream_ends():
    reader = ChatReader(most=2)
    line_end = GATEWAY_STREAM.index(b"\n\n", GATEWAY_STREAM.index(FIRST.encode())) + 2
    assert VideoReady(1, FIRST) in reader.feed(GATEWAY_STREAM[:line_end])


@pytest.mark.parametrize(
    "variant",
    [
        GATEWAY_STREAM.replace(b"\n", b"\r\n"),
        GATEWAY_STREAM.removesuffix(b"data: [DONE]").rstrip(),
        b": ping\n\n" + GATEWAY_STREAM.replace(b"\n\n", b"\n: keep-alive\n\n"),
        GATEWAY_STREAM.replace(b"data: ", b"event: message\nid: 7\ndata:"),
        GATEWAY_STREAM.replace(b"\n\n", b"\n"),
        b"\xef\xbb\xbf" + GATEWAY_STREAM,
    ],
    ids=["CRLF", "without DONE", "comments", "other fields", "no blank lines", "byte order mark"],
)
def test_variants_of_the_stream_are_read_the_same(variant):
    assert read(variant) == GATEWAY_EVENTS


def test_texts_may_be_split_and_joined():
    lines = [
        "> 进度：50%",
        "",
        f"> ✅ 第1个视频生成成功，[点击这里]({FIRST}) 查看~",
        f"> ✅ 第2个视频：[点击这里]({SECOND})",
    ]
    whole = "\n".join(lines)
    expected = [Progress(50.0), VideoReady(1, FIRST), VideoReady(2, SECOND), End(True, "stop")]
    assert read(stream(whole)) == expected
    assert read(stream(*whole)) == expected
    assert read(stream(whole[:70], whole[70:])) == expected
    assert read(stream(*whole.replace("\n", "\r\n"))) == expected


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("> ⌛️ 视频正在生成中,请耐心等待...", Waiting()),
        ("Your video is in the queue, please wait", Waiting()),
        ("Generating video...", Waiting()),
        ("🏃 Progress: 45.9%", Progress(45.9)),
        ("进度：100％", Progress(100.0)),
        ("Processing 12 %", Progress(12.0)),
        ("progress 999%", Progress(100.0)),
        ("❌ 视频生成失败：内容违规", Failure("❌ 视频生成失败：内容违规", Reason.MODERATION)),
        ("Generation failed: upstream error", Failure("Generation failed: upstream error", Reason.UNKNOWN)),
        ("抱歉，余额不足", Failure("抱歉，余额不足", Reason.QUOTA)),
        ("Sorry, I cannot do that.", Failure("Sorry, I cannot do that.", Reason.UNKNOWN)),
        ("> XL cats by Veo", Note("XL cats by Veo")),
        ("Made ``` by Veo", Note("Made ``` by Veo")),
        ("```Made by Veo```", Note("```Made by Veo```")),
        (f"✅ Video 1 generated: {FIRST}", VideoReady(1, FIRST)),
        (f"Video #2 is ready: <video src='{FIRST}' controls></video>", VideoReady(2, FIRST)),
        (f"[download]({FIRST}).", VideoReady(1, FIRST)),
        (f'<a href="{FIRST}">下载</a>', VideoReady(1, FIRST)),
        ("https://cdn.example/a(1).mp4?sig=x%2By&e=1。", VideoReady(1, "https://cdn.example/a(1).mp4?sig=x%2By&e=1")),
        (f"✅ {FIRST}~", VideoReady(1, FIRST)),
        ("Done: https://cdn.example/v/abc123", VideoReady(1, "https://cdn.example/v/abc123")),
        ("Done. Terms: https://example.com/terms.html", Note("Done. Terms: https://example.com/terms.html")),
        ("See https://example.com", Note("See https://example.com")),
        ("✅ ![cover](https://cdn.example/a.jpg)", Note("✅ ![cover](https://cdn.example/a.jpg)")),
        (
            "❌ failed, see https://example.com/help",
            Failure("❌ failed, see https://example.com/help", Reason.UNKNOWN),
        ),
    ],
)
def test_lines_are_read_in_two_languages(line, event):
    assert read(stream(line + "\n")) == [event, End(True, "stop")]


def test_addresses_of_the_order_are_not_videos():
    frame, prompt = "https://cdn.example/frame.mp4", f"Like {FIRST}, but ✅ blue"
    echoes = f"success: {prompt}\n{frame}\n✅ {SECOND}\n"
    assert videos(read(stream(echoes), sent=(prompt, frame))) == [(1, SECOND)]
    echo = json.dumps({"prompt": f"{FIRST}\n✅ {FIRST}", "mode": "m"}, indent=4)
    assert videos(read(stream(f"```json\n{echo}\n```\n✅ {SECOND}\n"))) == [(1, SECOND)]


def test_a_line_with_an_address_of_the_order_is_still_read():
    assert read(stream(f"Like {FIRST}"), sent=(FIRST,)) == [Note(f"Like {FIRST}"), End(True, "stop")]


def test_an_echo_may_lack_a_mode():
    assert read(stream('```json\n{"prompt": "p", "mode": 5}\n```\n')) == [Echo("p", None), End(True, "stop")]


def test_a_fenced_block_may_hold_other_text_than_an_echo():
    assert videos(read(stream(f'```json\n{{"url": "{FIRST}"}}\n```\n'))) == [(1, FIRST)]
    assert videos(read(stream(f"```\n✅ {FIRST}\n"))) == [(1, FIRST)]
    assert videos(read(stream(f"```code``` on one line\n✅ {FIRST}\n"))) == [(1, FIRST)]
    assert videos(read(stream(f"```✅ {FIRST}```\n"))) == [(1, FIRST)]
    assert read(stream("```\n```\n")) == read(stream("```\n")) == [End(True, "stop")]


def test_a_repeated_or_wrongly_numbered_video_is_counted_once():
    lines = f"✅ 第1个视频 {FIRST}\n✅ 第1个视频 {FIRST}\n✅ 第1个视频 {SECOND}\n[{SECOND}]({SECOND})\n"
    assert videos(read(stream(lines))) == [(1, FIRST), (2, SECOND)]


def test_each_choice_has_its_own_text():
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": f"✅ {FIRST[:20]}"}}]},
        {"choices": [{"index": 1, "delta": {"content": f"✅ {SECOND[:20]}"}}]},
        {"choices": [{"index": 1, "delta": {"content": SECOND[20:]}}, {"index": 0, "delta": {"content": FIRST[20:]}}]},
    ]
    events = read("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode())
    assert {url for _, url in videos(events)} == {FIRST, SECOND}
    assert events[-1] == End(False, None)


def events_of(*choices):
    return read("".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices).encode())


@pytest.mark.parametrize("index", [{}, {"index": None}, {"index": []}])
def test_a_choice_without_an_index_is_the_first(index):
    halves = {"index": 0, "delta": {"content": f"✅ {FIRST[:20]}"}}, index | {"delta": {"content": FIRST[20:]}}
    assert videos(events_of(*halves)) == [(1, FIRST)]


def test_reasoning_content_is_read_like_content():
    assert events_of({"delta": {"reasoning_content": "进度：50%\n"}}) == [Progress(50.0), End(False, None)]


def test_a_finish_reason_that_is_not_a_text_is_ignored():
    assert events_of({"delta": {}, "finish_reason": 7}) == [End(False, None)]


def test_an_event_may_have_several_lines():
    body = json.dumps({"choices": [{"delta": {"content": "50 %\n"}}]}, indent=1).replace("\n", "\ndata: ")
    assert read(f"data: {body}\n\n".encode()) == [Progress(50.0), End(False, None)]


def test_lines_outside_of_events_do_not_break_a_stream():
    assert read(b"hello\n" + stream("50 %")) == [Progress(50.0), End(True, "stop")]


@pytest.mark.parametrize(
    ("body", "message", "reason"),
    [
        ({"error": {"message": "upstream busy", "code": "busy"}}, "upstream busy", Reason.UNKNOWN),
        ({"error": "Content policy violation"}, "Content policy violation", Reason.MODERATION),
        ({"code": 401, "message": "Invalid key"}, "Invalid key [401]", Reason.AUTHENTICATION),
        (
            {"code": "quota_not_enough", "message": '{"error": {"message": "no money"}}', "data": None},
            "no money [quota_not_enough]",
            Reason.QUOTA,
        ),
    ],
)
def test_an_error_within_the_stream_is_a_failure(body, message, reason):
    begun = stream(f"✅ {FIRST}\n", finish=None)
    events = read(begun + f"data: {json.dumps(body)}\n\n".encode())
    assert events == [VideoReady(1, FIRST), Failure(message, reason), End(False, None)]
    assert read(json.dumps(body).encode()) == [Failure(message, reason), End(False, None)]
    assert read(json.dumps(body, indent=2).encode()) == [Failure(message, reason), End(False, None)]


@pytest.mark.parametrize(
    ("body", "event"),
    [
        ({"code": "busy"}, Failure("[busy]", Reason.UNKNOWN)),
        ({"message": "busy"}, Failure("busy", Reason.UNKNOWN)),
        ({"url": FIRST}, VideoReady(1, FIRST)),
        ({"code": 200, "message": "ok", "choices": [{"delta": {"content": "50 %"}}]}, Progress(50.0)),
    ],
)
def test_an_object_without_choices_is_an_error_or_a_video(body, event):
    assert read(json.dumps(body).encode()) == [event, End(False, None)]


def test_an_answer_that_is_not_a_stream_is_read():
    message = {"role": "assistant", "content": f"✅ 第1个视频生成成功，[点击这里]({FIRST})"}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {"total_tokens": 5}}
    assert read(json.dumps(body).encode()) == [VideoReady(1, FIRST), Usage(0, 0, 5), End(True, "stop")]
    assert read(b"<html><title>Login</title></html>")[0] == Failure("Login", Reason.UNKNOWN)
    assert read(b"") == [End(False, None)]


def test_content_may_be_a_list_of_parts():
    parts = [{"type": "text", "text": "done"}, {"type": "video_url", "video_url": {"url": "https://cdn.example/v"}}]
    assert videos(read(stream(parts))) == [(1, "https://cdn.example/v")]


def test_a_content_filter_is_a_failure():
    assert read(stream(finish="content_filter")) == [
        Failure("finish_reason content_filter", Reason.MODERATION),
        End(True, "content_filter"),
    ]


NAMES = ("choices", "delta", "message", "content", "index", "finish_reason", "error", "code", "data", "url", "usage")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.binary(max_size=80) | JSON.map(lambda value: f"data: {json.dumps(value)}\n\n".encode()), max_size=8))
def test_garbage_never_breaks_the_reader(chunks):
    events = read(*chunks)
    assert isinstance(events[-1], End)
    assert all(event.url.startswith("http") for event in events if isinstance(event, VideoReady))


@given(st.text())
def test_any_text_is_read(text):
    assert isinstance(read(stream(text))[-1], End)


URLS = [f"https://cdn.example/v/{number}.mp4" for number in range(5)]


def left_out(events):
    return [(event.count, event.what) for event in events if isinstance(event, LeftOut)]


@pytest.mark.parametrize(("most", "what"), [(1, "the 1 video that was ordered"), (2, "the 2 videos that were ordered")])
def test_videos_beyond_the_ordered_ones_are_counted_once(most, what):
    lines = "\n".join(f"✅ 第{number}个视频 {url}" for number, url in enumerate(URLS * 2, 1))
    events = read(stream(lines), most=most)
    assert [url for _, url in videos(events)] == URLS[:most]
    assert left_out(events) == [(5 - most, f"addresses beyond {what}")]
    assert isinstance(events[-1], End)


def test_further_addresses_are_counted_up_to_a_limit():
    lines = "\n".join(f"https://cdn.example/{number}.mp4" for number in range(MOST_COUNTED + 5))
    assert left_out(read(stream(lines), most=1))[0][0] == MOST_COUNTED


def test_a_video_file_replaces_an_address_that_may_be_any_page():
    page = "https://cdn.example/watch/1"
    lines = f"✅ done: {page}\n✅ done: {page}/more\n[download]({FIRST})\n[download]({SECOND})\n{page}"
    events = read(stream(lines), most=1)
    assert [event for event in events if isinstance(event, VideoReady)] == [
        VideoReady(1, page),
        VideoReady(1, FIRST, instead_of=page),
    ]
    assert left_out(events) == [(3, "addresses beyond the 1 video that was ordered")]


def test_an_impossible_video_number_is_ignored():
    assert videos(read(stream(f"✅ 第7个视频 {FIRST}\n✅ 第0个视频 {SECOND}"), most=2)) == [(1, FIRST), (2, SECOND)]


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example/" + "x" * 8_200 + ".mp4",
        "https://cdn.example/half\ud83d.mp4",
        "https://cdn.example/\u202e.mp4",
    ],
)
def test_an_unusable_address_is_not_a_video(url):
    events = read(f"data: {json.dumps({'video_url': url})}\n\n".encode())
    assert not videos(events)
    assert left_out(events) in ([], [(1, "addresses that cannot be used")])


def test_the_beginning_of_an_endless_line_and_the_next_line_are_read():
    pieces = [f"✅ {FIRST} ", *["x" * 100_000] * 4, f" {SECOND}\n✅ {URLS[0]}\n"]
    events = read(stream(*pieces))
    assert [url for _, url in videos(events)] == [FIRST, URLS[0]]
    assert left_out(events) == [(1, f"ends of lines that have more than {LINE_LIMIT} characters")]


def test_an_endless_event_is_dropped_and_the_next_one_is_read():
    endless = b'data: {"choices": [{"delta": {"content": "' + b"x" * EVENT_LIMIT
    events = read(stream(f"✅ {FIRST}\n"), endless, b"\n\n", stream(f"✅ {SECOND}\n"))
    assert [url for _, url in videos(events)] == [FIRST, SECOND]
    assert left_out(events) == [(1, f"events of more than {EVENT_LIMIT} characters")]


def test_a_fence_that_never_ends_is_read_in_parts():
    lines = [f"✅ {FIRST}\n", *["x" * 999 + "\n"] * 600]
    reader = ChatReader(most=2)
    assert VideoReady(1, FIRST) in list(reader.feed(stream("```\n", *lines, finish=None)))
    rest = [*reader.feed(stream(f"✅ {SECOND}\n```\n✅ {FIRST}")), *reader.end()]
    assert videos(rest) == [(2, SECOND)]


def test_any_number_of_choices_is_read():
    choices = [{"index": number, "delta": {"content": f"✅ https://cdn.example/{number}.mp4"}} for number in range(99)]
    events = read(f"data: {json.dumps({'choices': choices})}\n\n".encode(), most=99)
    assert {url for _, url in videos(events)} == {f"https://cdn.example/{number}.mp4" for number in range(99)}
    halves = [{"index": number, "delta": {"content": half}} for half in (FIRST[:30], FIRST[30:]) for number in range(8)]
    assert videos(events_of(*halves)) == [(1, FIRST)]


def test_texts_of_the_server_are_clean_and_bounded():
    echo = {"prompt": "a cat\x00" + "x" * 20_000, "mode": "\x1b[31m" + "m" * 200}
    bad = "half an emoji \ud83d, NUL \x00, escape \x1b[31m, turned \u202e round "
    texts = [f"```\n{json.dumps(echo)}\n```\n", f"failed: {bad}\n", f"{bad}{'x' * 999}\n"]
    echo, failure, note, end = read(stream(*texts, finish="sto\x00p" + "p" * 999))
    assert ECHO_LIMIT <= len(echo.prompt) <= ECHO_LIMIT + 1  # there may be a mark where it is cut
    assert WORD_LIMIT <= len(echo.mode) <= WORD_LIMIT + 1
    assert failure.message.startswith("failed: half an emoji")
    assert MESSAGE_LIMIT <= len(note.text) <= MESSAGE_LIMIT + 1
    assert WORD_LIMIT <= len(end.finish_reason) <= WORD_LIMIT + 1
    for text in (echo.prompt, echo.mode, failure.message, note.text, end.finish_reason):
        assert not re.search("[\x00\x1b\ud83d\u202e]", text)


@pytest.mark.parametrize("count", [-1, 10**13, 2.5, True, "7"])
def test_an_unusable_token_count_is_zero(count):
    event = {"choices": [], "usage": {"prompt_tokens": 10**12, "total_tokens": count}}
    assert read(f"data: {json.dumps(event)}\n\n".encode()) == [Usage(10**12, 0, 0), End(False, None)]


def test_a_frame_in_the_order_costs_no_time():
    frame = "data:image/png;base64," + "https://" * 1000
    assert videos(read(stream("https://a.b/c.mp4 " * 1000), sent=(frame,))) == [(1, "https://a.b/c.mp4")]
