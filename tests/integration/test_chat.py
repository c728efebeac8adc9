"""The chat call: the client against the emulator, and the operator against servers that break off."""

from __future__ import annotations

import json
import re
import time

import pytest

from airflow_provider_veo.api.chat.events import Accepted, End, Progress, VideoReady
from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import (
    ApiError,
    ChatIncompleteError,
    NotOrderedError,
    NotSentError,
    Reason,
    UnknownSubmissionError,
)
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import ChatSpec
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.observability import page
from airflow_provider_veo.observability.keys import OUTCOME_KEY
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.version_compat import AIRFLOW_V_3_1_PLUS
from tests.support.pictures import picture
from tests.support.scripted_server import KEY, Reply, connect
from tests.support.task_driver import TaskDriver
from tests.support.task_state_store import FakeTaskStateStore

URLS = [f"https://cdn.example/{number}.mp4?sig=canary-5d" for number in range(1, 9)]


def stream(*lines, done=True):
    chunks = [{"choices": [{"index": 0, "delta": {"content": line + "\n"}}]} for line in lines]
    end = [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}] if done else []
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks + end)


def ready(index, url):
    return f"> ✅ 第{index}个视频生成成功，[点击这里]({url}) 查看视频~~~\n"


def events_of(url, spec, timeout=60.0):
    with VeoClient(ClientSettings(url, KEY)) as client:
        return list(client.stream_chat(spec, timeout=timeout))


def test_a_chat_call_makes_two_videos(emulator):
    events = events_of(emulator.url, ChatSpec("画只猪在天上飞", "veo-3.1-fast", n=2))
    assert isinstance(events[0], Accepted)
    assert len([event for event in events if isinstance(event, Progress)]) == 10
    assert [event.index for event in events if isinstance(event, VideoReady)] == [1, 2]
    assert events[-1] == End(True, "stop")
    assert emulator.jobs.report()["chat_usd"] == pytest.approx(0.30)


def test_a_refused_call_raises_before_the_first_event(emulator, serve):
    with pytest.raises(ApiError) as caught:
        events_of(emulator.url, ChatSpec("p", "nosuch"))
    assert caught.value.reason is Reason.MODEL_UNAVAILABLE
    server = serve(lambda request: Reply(401, {"error": {"message": f"bad key {request.headers['authorization']}"}}))
    with pytest.raises(ApiError, match=r"bad key Bearer \*\*\*") as caught:
        events_of(server.url, ChatSpec("p", "m"))
    assert len(server.requests) == 1
    with pytest.raises(NotSentError):
        events_of("http://127.0.0.1:1", ChatSpec("p", "m"))


def test_the_key_is_removed_from_the_servers_text(serve):
    server = serve(Reply(body=stream(f"error: key {KEY} is blocked", f"hello {KEY}")))
    assert KEY not in repr(events_of(server.url, ChatSpec("p", "m")))


def test_the_hook_streams_the_events_of_the_client(veo_default):
    spec = ChatSpec("p", "veo-3.1-fast")
    events = list(VeoHook().stream_chat(spec))
    assert isinstance(events[0], Accepted)
    assert events[-1] == End(True, "stop")


# --- the operator


def task(n=1, retries=0, **arguments):
    return TaskDriver({"prompt": "p", "model": "veo-3.1-fast", "n": n, **arguments}, retries, VeoChatCompletionOperator)


def asked(server):
    return [json.loads(request.body)["n"] for request in server.requests]


@pytest.fixture
def server_of(serve, monkeypatch):
    def start(*script):
        server = serve(*script)
        connect(monkeypatch, server.url)
        return server

    return start


@pytest.fixture
def output(capsys, caplog):
    """Return a function that returns the log, which Airflow writes to stdout or to the `logging` module."""
    caplog.set_level("INFO")
    return lambda: capsys.readouterr().out + caplog.text


def test_the_result_is_a_list_of_addresses(veo_default, output):
    result = task(n=2).run()
    assert [video["index"] for video in result] == [1, 2]
    assert len({video["url"] for video in result}) == 2
    log = output()
    assert "Ordering 2 of 2 videos from" in log
    assert "(model veo-3.1-fast, call 1 of at most 2): $0.30" in log
    assert len(set(re.findall(r"Progress: [\d.]+ %", log))) == 10


def test_progress_is_shown(veo_default):
    driver = task()
    driver.run()
    shown = [value for key, value in driver.xcoms if key == "progress"]
    assert len(shown) == 10
    assert all(re.fullmatch(r"processing [\d.]+ %", value) for value in shown)


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="before Airflow 3.1 there is no page for page entries")
def test_the_page_finds_videos_of_a_chat_task_that_download_tasks_stored(veo_default, mocker, tmp_path):
    written = []
    mocker.patch.object(page, "write_xcom_past_backend", lambda _ti, key, record: written.append((key, record)))
    urls = [video["url"] for video in task(n=2).run()]
    for number, url in enumerate(urls):
        arguments = {"url": {"index": number, "url": url}, "destination": str(tmp_path / f"{number}.mp4")}
        TaskDriver(arguments, operator=VeoDownloadOperator).run()
    outcomes = [record for key, record in written if key == OUTCOME_KEY]
    assert outcomes[0]["videos"] == [stored["of"] for stored in outcomes[1:]]
    assert len(set(outcomes[0]["videos"])) == 2


def test_frames_are_sent_with_the_prompt(server_of, tmp_path):
    server = server_of(Reply(body=stream(ready(1, URLS[0]))))
    (tmp_path / "a.png").write_bytes(picture("PNG", 160, 90))
    first = "https://cdn.example/frame.png?sig=1"
    task(model="veo-3.1-landscape-fast-fl", first_frame=first, last_frame=str(tmp_path / "a.png")).run()
    content = json.loads(server.requests[0].body)["messages"][0]["content"]
    assert content[1]["image_url"]["url"] == first
    assert content[2]["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize("broken", ["cut", "error", "short", "end"])
def test_a_retry_orders_only_the_missing_videos(server_of, output, broken):
    begun = stream("Progress: 50%", ready(1, URLS[0]), done=False)
    first = {
        "cut": Reply(body=begun, headers={"Content-Length": "99999"}, close_early=len(begun)),
        "error": Reply(body=begun + 'data: {"error": {"message": "upstream busy"}}\n\n'),
        "short": Reply(body=stream(ready(1, URLS[0]))),
        "end": Reply(body=begun),
    }[broken]
    server = server_of(first, Reply(body=stream(ready(1, URLS[1]), ready(2, URLS[2]))))
    driver = task(n=3, retries=1)
    result = driver.run()
    assert asked(server) == [3, 2]
    assert [video["url"] for video in result] == URLS[:3]
    assert isinstance(driver.errors[0], ChatIncompleteError)
    assert "1 of 3 videos arrived" in str(driver.errors[0])
    assert "a retry orders the other 2 only: $0.30" in str(driver.errors[0])
    log = output()
    assert "Ordering 2 of 3 videos from" in log
    assert "(model veo-3.1-fast, call 2 of at most 2): $0.30, charged even if the call fails" in log
    assert "canary-5d" not in log + str(driver.errors)


def test_each_video_is_recorded_before_the_next_one_arrives(server_of):
    store = FakeTaskStateStore()
    seen = []
    keep = store.set

    def watching(key, value, **more):
        seen.append((value["state"], list(value["urls"])))
        keep(key, value, **more)

    store.set = watching
    server_of(Reply(body=stream(ready(1, URLS[0]), ready(2, URLS[1]))))
    driver = task(n=2)
    driver.store = store
    driver.run()
    assert seen == [
        ("intent", []),
        ("submitted", []),
        ("submitted", URLS[:1]),
        ("submitted", URLS[:2]),
        ("delivered", URLS[:2]),
    ]


def test_a_connection_that_breaks_after_the_last_video_does_not_fail_the_task(server_of):
    body = stream(ready(1, URLS[0]), done=False)
    server_of(Reply(body=body, headers={"Content-Length": "99999"}, close_early=len(body)))
    assert task().run() == [{"index": 1, "url": URLS[0]}]


def test_a_task_that_fails_after_the_last_video_orders_nothing_again(server_of):
    server = server_of(Reply(body=stream(ready(1, URLS[0]))), Reply(body=stream(ready(1, URLS[1]))))
    driver = task(retries=1)
    driver.fails_afterwards = 3
    assert isinstance(driver.run(), RuntimeError)
    assert driver.clear().run() == [{"index": 1, "url": URLS[0]}]
    assert (driver.tries, driver.fails_afterwards) == (4, 0)
    assert driver.run() == [{"index": 1, "url": URLS[0]}]  # a retry of a task that has succeeded
    assert len(server.requests) == 1
    assert driver.clear().run() == [{"index": 1, "url": URLS[1]}]


def test_a_clear_of_a_finished_task_orders_new_videos(server_of):
    server = server_of(*(Reply(body=stream(ready(1, url))) for url in URLS[:2]))
    driver = task()
    assert driver.run() == [{"index": 1, "url": URLS[0]}]
    assert driver.clear().run() == [{"index": 1, "url": URLS[1]}]
    assert asked(server) == [1, 1]


def test_a_clear_after_a_broken_stream_orders_only_the_missing_videos(server_of):
    server = server_of(*(Reply(body=stream(ready(1, url))) for url in URLS[:2]))
    driver = task(n=2)
    assert isinstance(driver.run(), ChatIncompleteError)
    assert [video["url"] for video in driver.clear().run()] == URLS[:2]
    assert asked(server) == [2, 1]


def test_addresses_older_than_a_day_are_not_returned(server_of):
    server = server_of(Reply(body=stream(ready(1, URLS[0]))), Reply(body=stream(ready(1, URLS[1]), ready(2, URLS[2]))))
    driver = task(n=2)
    driver.run()
    driver.store.values["veo_submission"]["sent_at"] = time.time() - 25 * 3600
    assert [video["url"] for video in driver.clear().run()] == URLS[1:3]
    assert asked(server) == [2, 2]


def test_max_submissions_limits_the_chat_calls(server_of):
    server = server_of(lambda _request: Reply(body=stream("Progress: 10%")))
    driver = task(retries=3)
    assert isinstance(driver.run(), NotOrderedError | VeoFailException)
    assert "has sent 2 orders" in str(driver.errors[-1])
    assert asked(server) == [1, 1]


@pytest.mark.parametrize(
    ("line", "reason"), [("❌ 视频生成失败：内容违规", "内容违规"), ("抱歉，余额不足", "余额不足")]
)
def test_a_permanent_failure_fails_without_retries(server_of, line, reason):
    server = server_of(lambda _request: Reply(body=stream(line)))
    error = task(retries=3).run()
    assert isinstance(error, VeoFailException)
    assert reason in str(error)
    assert len(server.requests) == 1


def test_a_call_without_an_answer_is_an_unknown_order(server_of):
    server = server_of(lambda _request: Reply(body=b"", headers={"Content-Length": "5"}, close_early=0, status=504))
    error = task(retries=2).run()
    assert isinstance(error.cause, UnknownSubmissionError)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"model": "veo-3.1-fl", "first_frame": "/no/such.png"}, "first_frame '/no/such.png' cannot be read"),
        ({"model": "veo-3.1-fl", "first_frame": "https://"}, "first_frame 'https://' is not a usable"),
    ],
)
def test_bad_input_sends_no_request(veo_default, arguments, complaint):
    error = task(retries=2, **arguments).run()
    assert isinstance(error, VeoFailException)
    assert complaint in str(error)
    assert list(veo_default.jobs.requests) == []
