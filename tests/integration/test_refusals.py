"""Number of requests for an order, for each answer to it: a server counts the requests of all tries of a task."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest

from airflow_provider_veo.api.errors import InvalidInputError, NotOrderedError, VideoTimeoutError
from airflow_provider_veo.decorators.video import VeoVideoDecoratedOperator
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.operators.chat import VeoChatCompletionOperator
from airflow_provider_veo.orders import sender
from airflow_provider_veo.orders.decision import MOST_POSTS
from airflow_provider_veo.orders.store import KEY
from tests.support.scripted_server import Reply, connect
from tests.support.task_driver import TaskDriver

SOON = {"Retry-After": "1"}
BUSY = {"error": {"message": "The server is overloaded"}}
NESTED = {"code": "fail_to_fetch_task", "message": json.dumps({"error": {"code": 504, "message": "no"}}), "data": None}
NOT_READ = {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": None}]}
DONE = {"id": "video_1", "status": "completed", "url": "https://x.example/1.mp4"}


def dropped():
    return ConnectionAbortedError("the server ends the connection without an answer")


# answers after which the upstream may have taken the order
TAKEN = [
    *(Reply(status, {"error": {"message": "no"}}, SOON) for status in (500, 502, 504, 507, 520, 522, 524, 529, 599)),
    *(Reply(status, {"error": {"message": "no"}}) for status in (406, 408, 409, 410, 418, 421, 423, 425, 499)),
    *(Reply(status, b"", {"Location": "/v1/videos/video_1"}) for status in (300, 301, 302, 303, 307, 308)),
    *(Reply(status, b"") for status in (200, 201, 202, 504)),
    Reply(503, b"", SOON),
    Reply(503, "<html>Error 503 Backend fetch failed</html>", SOON),
    Reply(503, "upstream connect error or disconnect/reset before headers"),
    Reply(503, {"message": "Service Unavailable"}),
    Reply(503, {"message": "Service Unavailable"}, SOON),
    Reply(200, {"code": 429, "message": "no", "data": {"taskId": "task_1"}}),
    Reply(502, "<html><h1>502 Bad Gateway</h1></html>"),
    *(
        Reply(200, {"code": code, "message": "no"})
        for code in (500, "502", 503, "504", 408, 409, 499, 0, 1, "error", 200)
    ),
    Reply(200, {"error": {"code": "500"}}),
    Reply(200, {"status": "504", "message": "no"}),
    Reply(200, NESTED),
    Reply(400, NESTED),
    Reply(400, {"code": 504, "message": "no"}),
    Reply(429, {"error": {"code": 504, "message": "no"}}, SOON),
    Reply(400, {"error": {"message": "litellm.APIError: OpenAIException - Error code: 502 - no"}}),
    Reply(400, {"code": "do_request_failed", "message": "context deadline exceeded", "data": None}),
    Reply(200, {"code": "do_request_failed", "message": "no", "data": None}),
    Reply(400, {"error": {"message": "Request timed out."}}),
    Reply(429, {"error": {"message": "请求超时"}}, SOON),
    Reply(429, {"error": {"message": "slow down. LiteLLM Retried: 2 times"}}, SOON),
    Reply(403, "<html>504 Gateway Time-out</html>"),
    Reply(400, {"error": {"message": "connection reset by peer"}}),
    Reply(400, {"error": {"message": "A request with this key is in progress"}}),
    Reply(422, {"error": {"message": "The task already exists"}}),
    Reply(400, {"error": {"message": "no"}, "id": "video_1"}),
    Reply(200, {"status": "queued"}),
    Reply(200, {"code": "success", "message": "提交成功，内容审核中"}),
    Reply(200, {"id": "", "status": "queued"}),
    Reply(200, {"id": None, "object": "video"}),
    Reply(200, {"id": ["video_1"], "status": "queued"}),
    Reply(200, []),
    Reply(200, "text"),
    Reply(200, "<html>welcome</html>"),
    Reply(200, '{"id": "video_'),
    Reply(200, b"\xff\xfe\x00"),
    Reply(200, DONE, close_early=10),
    Reply(200, DONE, close_early=0),
    Reply(429, BUSY, close_early=5),
    dropped,
]


def label_of(said):
    return said.__name__ if callable(said) else f"{said.status} {str(said.body)[:40]}"


def serving(serve, monkeypatch, said, then=None):
    """Start a server that answers each order in the same way; if `then` is given, only the first order."""

    def answer(request):
        now = then if then and len(server.requests) > 1 and request.method == "POST" else said
        if request.method == "GET":
            return Reply(200, DONE)
        if callable(now):
            raise now()
        return now

    server = serve(answer)
    connect(monkeypatch, server.url)
    return server


def posts(server):
    return [request for request in server.requests if request.method == "POST"]


@pytest.fixture
def pauses(monkeypatch):
    """Skip the pauses between two requests, and return their lengths."""
    taken = []
    monkeypatch.setattr(sender, "time", SimpleNamespace(time=time.time, sleep=taken.append))
    return taken


def create(retries=0, **arguments):
    return TaskDriver({"prompt": "p", "model": "veo-3.1", "deferrable": False} | arguments, retries)


def chat(retries=0, **arguments):
    return TaskDriver({"prompt": "p", "model": "veo-3.1"} | arguments, retries, operator=VeoChatCompletionOperator)


def decorated(**arguments):
    arguments = {"python_callable": lambda: "p", "model": "veo-3.1", "deferrable": False} | arguments
    return TaskDriver(arguments, operator=VeoVideoDecoratedOperator)


def test_the_table_has_at_least_forty_answers():
    assert len(TAKEN) >= 40


@pytest.mark.parametrize("said", TAKEN, ids=label_of)
def test_an_order_that_may_have_been_taken_is_sent_once(serve, monkeypatch, pauses, said):
    server = serving(serve, monkeypatch, said)
    driver = create(retries=3)
    for _ in range(2):  # first Airflow's retries, then a manual one
        error = driver.run()
        assert isinstance(error, VeoFailException), error
        (post,) = posts(server)
        for words in (
            "It is unknown",
            "Look in the gateway's console",
            server.url,
            "veo_default",
            "model veo-3.1",
            post.headers["idempotency-key"],
            "sent 20",
            "VeoDownloadOperator",
        ):
            assert words in str(error)
    assert not pauses


# a chat call that is answered with a success has begun
REFUSED_CHATS = [said for said in TAKEN if callable(said) or (said.status >= 300 and said.close_early is None)]


@pytest.mark.parametrize("said", REFUSED_CHATS, ids=label_of)
def test_a_chat_call_that_may_have_been_taken_is_sent_once(serve, monkeypatch, pauses, said):
    server = serving(serve, monkeypatch, said)
    driver = chat(retries=3)
    for _ in range(2):
        error = driver.run()
        assert isinstance(error, VeoFailException), error
        assert "It is unknown" in str(error)
        assert len(posts(server)) == 1
    assert not pauses


# the answer, the number of requests of one try, and that of four tries
REFUSALS = [
    (Reply(429, BUSY), 4, 16),
    (Reply(429, BUSY, SOON), 4, 16),
    (Reply(429, b"", SOON), 4, 16),
    (Reply(429, b"", {"Retry-After": "31"}), 1, 4),
    (Reply(429, b""), 1, 4),
    (Reply(429, "<html>429 Too Many Requests</html>"), 1, 4),
    (Reply(503, BUSY), 4, 16),
    (Reply(503, {"error": {"message": "Service unavailable"}}, SOON), 4, 16),
    (Reply(200, {"code": 429, "message": "slow down"}), 4, 16),
    (Reply(503, {"error": {"message": "no available channels"}}), 1, 1),
    (Reply(429, {"error": {"code": "insufficient_quota", "message": "no"}}), 1, 1),
    (Reply(400, {"error": {"message": "Content policy violation"}}), 1, 1),
    *((Reply(status, {"error": {"message": "no"}}), 1, 1) for status in (400, 401, 402, 403, 404, 413, 422)),
    (Reply(415, b""), 2, 2),
    (Reply(422, NOT_READ), 2, 2),
    (Reply(200, {"code": 400, "message": "no"}), 1, 1),
    (Reply(200, {"code": "quota_not_enough", "message": "no"}), 1, 1),
]


@pytest.mark.parametrize(
    ("said", "first", "all_tries"), REFUSALS, ids=lambda value: label_of(value) if isinstance(value, Reply) else ""
)
def test_each_refused_order_is_sent_as_often_as_the_table_says(serve, monkeypatch, pauses, said, first, all_tries):
    server = serving(serve, monkeypatch, said)
    assert "It is unknown" not in str(create().run())
    assert len(posts(server)) == first
    server.requests.clear()
    assert "It is unknown" not in str(create(retries=3).run())
    assert len(posts(server)) == all_tries
    assert all(0 < pause <= 30 for pause in pauses)


def test_at_most_sixteen_requests_are_sent_before_a_clear(serve, monkeypatch, pauses):
    server = serving(serve, monkeypatch, Reply(429, BUSY))
    driver = create(retries=9)
    error = driver.run()
    assert "has sent 16 requests to order" in str(error)
    assert isinstance(error, VeoFailException)
    assert len(posts(server)) == MOST_POSTS
    assert (driver.store.values[KEY]["posts"], driver.store.values[KEY]["submissions"]) == (16, 0)
    driver.clear().run()
    assert len(posts(server)) == 2 * MOST_POSTS


def test_a_long_rate_limit_is_waited_for_over_retries(serve, monkeypatch, pauses):
    refusals = iter([Reply(429, BUSY, {"Retry-After": "60"})] * 3)
    server = serve(lambda request: next(refusals, Reply(200, DONE)))
    connect(monkeypatch, server.url)
    assert create(retries=3).run()["submissions"] == 1
    assert len(posts(server)) == 4
    assert not pauses


def test_an_unreachable_server_is_tried_a_bounded_number_of_times(serve, monkeypatch, pauses):
    server = serve(lambda request: Reply(200, DONE))
    server.close()
    connect(monkeypatch, server.url)
    driver = create(retries=9)
    assert "has sent 16 requests to order" in str(driver.run())
    assert pauses == [1.0, 2.0, 4.0] * 4


def test_an_order_as_a_form_counts_as_a_second_request(serve, monkeypatch, pauses):
    server = serving(serve, monkeypatch, Reply(415, b""), then=Reply(200, DONE))
    driver = create()
    assert driver.run()["submissions"] == 1
    assert driver.store.values[KEY]["posts"] == len(posts(server)) == 2


def test_no_pause_extends_past_the_deadline(serve, monkeypatch, pauses):
    server = serving(serve, monkeypatch, Reply(429, BUSY, {"Retry-After": "20"}))
    create(timeout=timedelta(seconds=19)).run()
    create(execution_timeout=timedelta(seconds=19)).run()
    assert len(posts(server)) == 2
    assert not pauses


def test_no_request_is_sent_after_the_deadline(serve, monkeypatch):
    server = serving(serve, monkeypatch, Reply(429, BUSY))
    clock = SimpleNamespace(now=time.time())
    stand_in = SimpleNamespace(time=lambda: clock.now, sleep=lambda _pause: setattr(clock, "now", clock.now + 1000))
    monkeypatch.setattr(sender, "time", stand_in)
    error = create(timeout=timedelta(seconds=600)).run()
    assert len(posts(server)) == 1
    assert "the time for another one" in str(error)


class Killed(BaseException):
    """Stands for SIGKILL: the provider runs no code after it."""


def test_a_worker_that_dies_in_a_pause_leaves_no_unknown_order(serve, monkeypatch):
    server = serving(serve, monkeypatch, Reply(429, BUSY), then=Reply(200, DONE))

    def die(_pause):
        raise Killed

    driver = create()
    monkeypatch.setattr(sender, "time", SimpleNamespace(time=time.time, sleep=die))
    with pytest.raises(Killed):
        driver.run()
    assert driver.store.values[KEY]["state"] == "refused"
    assert driver.run()["submissions"] == 1
    assert [request.headers["idempotency-key"] for request in posts(server)] == 2 * [
        driver.store.values[KEY]["idempotency_key"]
    ]


def test_a_worker_that_dies_in_a_repeated_request_leaves_an_unknown_order(serve, monkeypatch, pauses):
    server = serving(serve, monkeypatch, Reply(429, BUSY))
    driver = create()
    write = driver.store.set

    def die_after_the_third(key, value, **more):
        write(key, value, **more)
        if value["posts"] == 3 and value["state"] == "intent":
            raise Killed

    driver.store.set = die_after_the_third
    with pytest.raises(Killed):
        driver.run()
    assert len(posts(server)) == 2
    driver.store.set = write
    assert "The task ended between the order and the answer" in str(driver.run())
    assert len(posts(server)) == 2


@pytest.mark.parametrize("make", [create, lambda **more: create(deferrable=True, **more), chat, decorated])
@pytest.mark.parametrize("name", ["timeout", "execution_timeout"])
@pytest.mark.parametrize("seconds", [0, -5])
def test_a_timeout_that_is_not_positive_prevents_the_order(serve, monkeypatch, make, name, seconds):
    server = serving(serve, monkeypatch, Reply(200, DONE))
    driver = make(**{name: timedelta(seconds=seconds)})
    driver.retries = 2
    error = driver.run()
    assert isinstance(error, (VeoFailException, InvalidInputError))  # the second one if the Dag is parsed
    assert f"{name} is " in str(error)
    assert server.requests == []


@pytest.mark.parametrize("make", [create, chat, decorated])
@pytest.mark.parametrize("number", [float("nan"), True, 1.5, "three", 0, -1])
def test_a_wrong_max_submissions_is_refused_before_the_order(serve, monkeypatch, make, number):
    server = serving(serve, monkeypatch, Reply(200, DONE))
    assert "max_submissions is" in str(make(max_submissions=number).run())
    assert server.requests == []


def test_a_clear_with_a_changed_prompt_names_the_video_that_it_leaves(serve, monkeypatch, mocker):
    queued = Reply(200, {"id": "video_left", "status": "queued"})
    server = serve(lambda request: queued if len(posts(server)) == 1 else Reply(200, DONE))
    connect(monkeypatch, server.url)
    driver = create(timeout=timedelta(seconds=0.3))
    assert isinstance(driver.run(), VideoTimeoutError)
    driver.arguments |= {"prompt": "q", "timeout": timedelta(seconds=60)}
    log = mocker.patch("airflow_provider_veo.operators.create.VeoCreateVideoOperator.log")
    assert driver.clear().run()["submissions"] == 1
    said = " ".join(str(call.args[0]) % call.args[1:] for call in log.warning.call_args_list)
    assert "VeoDownloadOperator(video_id='video_left')" in said
    assert "no task collects it" in said


def test_an_order_record_that_cannot_be_written_prevents_the_order(serve, monkeypatch):
    server = serving(serve, monkeypatch, Reply(200, DONE))
    driver = create()
    driver.store.broken = {"set"}
    assert isinstance(driver.run(), NotOrderedError)
    assert server.requests == []
