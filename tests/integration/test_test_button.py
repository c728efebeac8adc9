"""The Test button of a connection: it distinguishes a video API from other servers, and orders nothing."""

from __future__ import annotations

import json
import socket

import pytest

from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.hooks.veo import VeoHook
from tests.support.scripted_server import Reply, connect, every_dialect

HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}
MODELS = Reply(body={"object": "list", "data": [{"id": "veo-3.1", "object": "model"}]})
NOT_FOUND = Reply(404, {"detail": "Not Found"}, JSON)
PAGE = "<!doctype html><html><div id=root></div></html>"


def openai(status, message):
    return Reply(status, {"error": {"message": message, "type": "invalid_request_error", "code": None}}, JSON)


def by_path(models=NOT_FOUND, video=NOT_FOUND, videos=NOT_FOUND, other=NOT_FOUND):
    """Return a server's behaviour: its answers for models, an unknown video, all videos, and any other path."""

    def answer(request):
        assert request.method == "GET"
        if request.path == "/v1/models":
            return models
        if request.path == "/v1/videos":
            return videos
        return video if request.path.startswith("/v1/videos/") else other

    return answer


def echo(status, text):
    return lambda request: Reply(status, text % request.path, JSON if text.startswith("{") else HTML)


NO_VIDEO_API = {
    "nginx": lambda _: Reply(404, "<html><h1>404 Not Found</h1><hr>nginx/1.27</html>", HTML),
    "a web app": lambda _: Reply(200, PAGE, HTML),
    "a web app without a content type": lambda _: Reply(200, PAGE),
    "a JSON app with an empty object": lambda _: Reply(200, {}, JSON),
    "a JSON app with an empty list": lambda _: Reply(200, [], JSON),
    "a JSON app with null": lambda _: Reply(200, "null", JSON),
    "a JSON app that is well": lambda _: Reply(200, {"status": "ok"}, JSON),
    "a JSON app that knows no address": lambda _: NOT_FOUND,
    "a JSON app that refuses every address": lambda _: Reply(400, {"error": "bad request"}, JSON),
    "an API with a 404 in its 200": lambda _: Reply(200, {"code": 404, "message": "no such route"}, JSON),
    "Go": lambda _: Reply(404, "404 page not found\n", {"Content-Type": "text/plain"}),
    "Express": echo(404, "<pre>Cannot GET %s</pre>"),
    "Spring": echo(404, '{"timestamp": "2026-11-28T06:31:24Z", "status": 404, "error": "Not Found", "path": "%s"}'),
    "an API that quotes the address": echo(404, '{"message": "Unrecognized request URL (GET: %s)."}'),
    "PHP": lambda _: Reply(200, "", HTML),
    "a redirect to https": lambda request: Reply(301, "", {"Location": f"https://example.com{request.path}"}),
    "a login page": lambda _: Reply(302, "", {"Location": "/login"}),
    "a page that needs a password": lambda _: Reply(401, "<h1>401</h1>", HTML | {"WWW-Authenticate": "Basic"}),
    "a firewall": lambda _: Reply(403, "<h1>Access denied</h1>", HTML),
    "a proxy whose server is down": lambda _: Reply(502, "<h1>502 Bad Gateway</h1>", HTML),
    "a server that is broken": lambda _: Reply(500, {"error": "internal error"}, JSON),
    "a server that is busy": lambda _: openai(429, "slow down"),
    "a server of language models": by_path(models=MODELS),
    "a server of language models, in Go": by_path(
        MODELS, *3 * [Reply(404, "404 page not found", {"Content-Type": "text/plain"})]
    ),
}

VIDEO_APIS = {
    "SGLang": by_path(MODELS, Reply(404, {"detail": "Video not found"}, JSON), Reply(200, {"data": []}, JSON)),
    "a server without a list of models": by_path(video=Reply(404, {"detail": "Video not found"}, JSON)),
    "vLLM-Omni": by_path(MODELS, openai(404, "Video not found")),
    "new-api": by_path(
        MODELS,
        Reply(400, {"code": "task_not_exist", "message": "task_not_exist", "data": None}, JSON),
        other=openai(404, "Invalid URL (GET /v1/veo-connection-test/veo-connection-test)"),
    ),
    "LiteLLM": by_path(MODELS, openai(500, "litellm.APIError: OpenAIException - Video not found")),
    "a server that takes orders and has one answer for all other addresses": by_path(
        MODELS, videos=Reply(405, {"detail": "Method Not Allowed"}, JSON)
    ),
    "a gateway whose key may not list models": by_path(
        openai(403, "This key may not list models"), openai(404, "Video not found")
    ),
}


@pytest.mark.parametrize("kind", NO_VIDEO_API)
def test_another_server_fails_with_advice(kind, serve, monkeypatch):
    server = serve(NO_VIDEO_API[kind])
    connect(monkeypatch, server.url)
    ok, message = VeoHook().test_connection()
    assert not ok
    assert server.url in message
    assert "heck" in message or "Lower the number" in message or "HTTP 50" in message


@pytest.mark.parametrize("kind", VIDEO_APIS)
def test_a_video_api_passes(kind, serve, monkeypatch):
    server = serve(VIDEO_APIS[kind])
    connect(monkeypatch, server.url)
    assert VeoHook().test_connection() == (True, f"{server.url} answers and accepts the key.")


def test_a_server_of_language_models_has_its_own_message(serve, monkeypatch):
    server = serve(NO_VIDEO_API["a server of language models"])
    connect(monkeypatch, server.url)
    assert "lists models, but has no videos" in VeoHook().test_connection()[1]


@every_dialect
def test_a_wrong_key_passes_only_if_the_server_has_no_keys(veo_default, monkeypatch):
    connect(monkeypatch, veo_default.url, key="sk-wrong-0123456789")
    ok, message = VeoHook().test_connection()
    with pytest.raises(ApiError) as caught:
        VeoHook().get_video("video_nosuch")
    assert ok is (caught.value.reason is not Reason.AUTHENTICATION)
    assert ok or "Check the API key" in message
    assert "sk-wrong" not in message
    assert veo_default.jobs.report()["orders"] == 0


@every_dialect
@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/videos", "/v1/chat/completions"])
def test_a_base_url_that_names_a_route_is_read_as_its_root(veo_default, monkeypatch, path):
    connect(monkeypatch, veo_default.url + path)
    assert VeoHook().test_connection() == (True, f"{veo_default.url} answers and accepts the key.")


@every_dialect
@pytest.mark.parametrize("path", ["/v1/videos/generations", "/api", "/docs/index.html"])
def test_a_base_url_with_another_path_fails(veo_default, monkeypatch, path):
    connect(monkeypatch, veo_default.url + path)
    ok, message = VeoHook().test_connection()
    assert not ok
    assert "Check that the connection's host is the base URL of the API" in message


def test_a_server_behind_a_path_is_found(serve, monkeypatch):
    def answer(request):
        assert request.path.startswith("/proxy/v1/")
        return VIDEO_APIS["SGLang"](type(request)(request.method, request.path.removeprefix("/proxy"), {}, b""))

    server = serve(answer)
    connect(monkeypatch, f"{server.url}/proxy/v1")
    assert VeoHook().test_connection()[0]


def test_the_text_of_a_hostile_server_is_cleaned(serve, monkeypatch):
    server = serve(
        lambda request: Reply(404, f"\x1b[31m{request.headers['Authorization']}\u202e", {"Content-Type": "a" * 900})
    )
    connect(monkeypatch, server.url, key="sk-canary-0123456789")
    ok, message = VeoHook().test_connection()
    assert not ok
    assert "canary" not in message
    assert message.isprintable()
    assert len(message) < 1_000


def test_a_missing_server_advises_to_check_host_and_port(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    connect(monkeypatch, url)
    ok, message = VeoHook().test_connection()
    assert not ok
    assert "ConnectError" in message
    assert "Check the connection's host and port" in message
    assert "connection 'veo_default'" in message


def test_the_message_mentions_no_key_if_none_is_sent(serve, monkeypatch):
    server = serve(VIDEO_APIS["SGLang"])
    monkeypatch.setenv("AIRFLOW_CONN_VEO_DEFAULT", json.dumps({"conn_type": "veo", "host": server.url}))
    assert VeoHook().test_connection() == (True, f"{server.url} answers.")
