"""A server that quotes the API key: no text, record or result shows it, in any spelling."""

from __future__ import annotations

import dataclasses
import html
import json
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from airflow_provider_veo.api.chat.events import Echo, VideoReady
from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import ContentError, VeoError
from airflow_provider_veo.api.polling.decision import WaitPolicy, WaitState, observe
from airflow_provider_veo.api.polling.outcome import Outcome
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import ChatSpec
from tests.support.contents import open_content
from tests.support.scripted_server import Reply

KEYS = ["sk-canary-7f3a90", "sk-can/ary+7f=3a&90\"'", "sk-canäry-große-😀-7f3a"]
WAYS = {
    "plain": str,
    "JSON": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "all escapes": lambda key: "".join(f"\\u{ord(c):04X}" if ord(c) < 0x10000 else c for c in key),
    "address": lambda key: quote(key, safe=""),
    "HTML": html.escape,
}
every_key = pytest.mark.parametrize("key", KEYS)
every_way = pytest.mark.parametrize("way", WAYS)


def shows(key, text):
    return any(spelled(key) in text for spelled in WAYS.values()) or "7f3a" in text


@every_key
@pytest.mark.parametrize("scheme", ["bearer", "raw"])
def test_the_key_is_sent_unchanged(serve, key, scheme):
    server = serve(Reply(body={"id": "v", "status": "queued"}))
    with VeoClient(ClientSettings(server.url, key, scheme)) as client:
        client.get_video("v")
    sent = server.requests[0].headers["authorization"].encode("latin-1").decode()
    assert sent == (f"Bearer {key}" if scheme == "bearer" else key)


@every_key
@every_way
@pytest.mark.parametrize("status", [200, 401, 500])
def test_no_answer_shows_the_key(serve, key, way, status):
    quoted = f"your key {WAYS[way](key)} is odd"
    server = serve(
        lambda _request: Reply(
            status, {"status": "failed", "error": {"message": quoted, "code": quoted}, "model": quoted}
        )
    )
    with VeoClient(ClientSettings(server.url, key)) as client:
        try:
            video = client.get_video("v")
            texts = [dataclasses.asdict(video), Outcome.of(video).to_event()]
        except VeoError as error:
            _, outcome = observe(
                WaitPolicy(0.0, 1e10, failure_budget=0.0, failure_count=1), WaitState(), "v", error, 1e9, 0.5
            )
            texts = [str(error), repr(error), error.detail, outcome.to_event()]
    assert "***" in str(texts)
    assert not shows(key, str(texts))


@every_key
@every_way
def test_no_redirect_shows_the_key(serve, key, way):
    location = f"file:///{WAYS[way](key)}".encode().decode("latin-1")
    server = serve(Reply(302, headers={"Location": location}))
    with VeoClient(ClientSettings(server.url, key)) as client, pytest.raises(ContentError) as caught:
        open_content(client, video_id="v").__enter__()
    assert not shows(key, str(caught.value))


@every_key
def test_a_chat_shows_no_key_and_its_video_can_be_fetched(serve, key):
    def answer(request):
        if request.path.startswith("/videos"):
            return Reply(body=b"\0\0\0\x18ftypisom" + bytes(100))
        lines = (
            f'```\n{{"prompt": "a cat", "mode": {json.dumps("mode " + key)}}}\n```\n',
            f"> error: {key} is odd\n",
            f"> a word about {key}\n",
            f"> ✅ 第1个视频生成成功，[点击这里]({server.url}/videos/1.mp4?key={quote(key, safe='')})\n",
        )
        chunks = [json.dumps({"choices": [{"index": 0, "delta": {"content": line}}]}) for line in lines]
        return Reply(body="".join(f"data: {chunk}\n\n" for chunk in chunks) + "data: [DONE]\n\n")

    server = serve(answer)
    with VeoClient(ClientSettings(server.url, key)) as client:
        events = list(client.stream_chat(ChatSpec(prompt="a dog", model="m")))
        assert any(isinstance(event, Echo) and event.mode == "mode ***" for event in events)
        assert not any(shows(key, str(event)) for event in events)
        (url,) = (event.url for event in events if isinstance(event, VideoReady))
        with open_content(client, url=url) as stream:
            assert b"ftyp" in b"".join(stream.chunks)
        assert parse_qs(urlsplit(server.requests[-1].path).query) == {"key": [key]}

        with pytest.raises(ContentError, match="held the API key") as caught:
            open_content(client, url=url.replace("127.0.0.1", "localhost")).__enter__()
        assert not shows(key, str(caught.value))
