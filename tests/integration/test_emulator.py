"""The emulator as users see it: with the official client, with plain HTTP requests, and in a player."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from array import array
from base64 import b64encode
from pathlib import Path

import av
import httpx
import openai
import pytest

from tests.support.pictures import ends, picture_of, psnr
from tests.support.scripted_server import KEY

DOCUMENTED_STREAM = Path(__file__).parents[1] / "data" / "veo_gateway_chat_stream.txt"


@pytest.fixture
def http(emulator):
    with httpx.Client(base_url=emulator.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as client:
        yield client


def finished(http, video_id):
    for _ in range(600):
        body = http.get(f"/v1/videos/{video_id}").json()
        if body["status"] in ("completed", "failed"):
            return body
        time.sleep(0.05)
    raise AssertionError(f"{video_id} did not finish")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_works_unchanged(emulator, tmp_path):
    client = openai.OpenAI(api_key=KEY, base_url=f"{emulator.url}/v1", max_retries=0)
    video = client.videos.create(prompt="A cat on a piano", model="veo-3.1-landscape")
    assert video.id.startswith("video_")
    assert video.status == "queued"
    while client.videos.retrieve(video.id).status not in ("completed", "failed"):
        time.sleep(0.05)
    client.videos.download_content(video.id).write_to_file(tmp_path / "cat.mp4")
    assert_is_video(tmp_path / "cat.mp4", 1280, 720)
    assert emulator.jobs.report()["charged"] == 1


def assert_is_video(file, width, height):
    with av.open(file) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height) == (width, height)
        assert container.duration / av.time_base == pytest.approx(8.0, abs=0.1)
        loudest = max(max(samples(frame)) for frame in container.decode(audio))
    assert 0.1 < loudest < 1.0


def samples(frame):
    return array("f", bytes(frame.planes[0])[: 4 * frame.samples])


@pytest.mark.parametrize(("model", "width", "height"), [("veo-3.1-fast", 720, 1280), ("veo-3.1-landscape", 1280, 720)])
def test_the_three_documented_calls_work(emulator, model, width, height):
    # the documentation sends the bare key
    with httpx.Client(base_url=emulator.url, headers={"Authorization": KEY}, timeout=60) as http:
        created = http.post("/v1/videos", json={"prompt": "画小猫", "model": model}).json()
        assert created | {"id": "", "created": 0} == {
            "id": "",
            "object": "video",
            "created": 0,
            "status": "queued",
            "model": model,
        }
        done = finished(http, created["id"])
        assert (done["model"], done["seconds"], done["size"]) == ("sora2_video_generation", "4", f"{width}x{height}")
        content = http.get(f"/v1/videos/{created['id']}/content")
        assert content.headers["content-type"] == "video/mp4"
        assert_is_video(io.BytesIO(content.content), width, height)
        assert httpx.get(done["url"]).content == content.content


def test_a_video_is_rendered_once_and_can_be_read_in_parts(http):
    first = http.post("/v1/videos", json={"prompt": "same", "model": "veo-3.1"}).json()["id"]
    second = http.post("/v1/videos", json={"prompt": "same", "model": "veo-3.1"}).json()["id"]
    finished(http, first)
    finished(http, second)
    whole = http.get(f"/v1/videos/{first}/content").content
    part = http.get(f"/v1/videos/{second}/content", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])


def test_frames_are_accepted_as_files(http, emulator):
    png = ("a.png", picture_of("red"), "image/png")
    fields = {"prompt": (None, "p"), "model": (None, "veo-3.1-fl")}
    answer = http.post("/v1/videos", files=[*fields.items(), ("input_reference", png), ("input_reference", png)])
    assert answer.status_code == 200
    assert len(emulator.jobs.get(answer.json()["id"]).frames) == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "veo-3.1"}, 400, "invalid_request"),
        ({"prompt": " ", "model": "veo-3.1"}, 400, "invalid_request"),
        ({"prompt": "p"}, 400, "missing_model"),
        ({"prompt": "p", "model": "nosuch"}, 503, "model_not_found"),
        ({"prompt": "p", "model": "veo-3.1-fl"}, 400, "invalid_request"),
        ([], 400, "invalid_json"),
    ],
)
def test_a_wrong_order_is_refused_and_makes_no_job(http, emulator, body, status, code):
    answer = http.post("/v1/videos", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert emulator.jobs.report()["orders"] == 0


@pytest.mark.parametrize("path", ["/v1/models", "/v1/videos/v", "/v1/videos/v/content"])
@pytest.mark.parametrize("key", ["", "Bearer wrong", "Basic x"])
def test_a_wrong_key_is_refused(emulator, path, key):
    answer = httpx.get(emulator.url + path, headers={"Authorization": key})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


def test_an_unknown_video_is_not_found(http):
    assert http.get("/v1/videos/nosuch").status_code == 404


def test_content_of_a_running_job_is_refused(http):
    video_id = http.post("/v1/videos", json={"prompt": "p", "model": "veo-3.1"}).json()["id"]
    answer = http.get(f"/v1/videos/{video_id}/content")
    assert (answer.status_code, "not completed yet" in answer.text) == (400, True)


def test_a_job_can_be_made_to_fail(http, emulator):
    emulator.jobs.fail_next("Content policy violation")
    video_id = http.post("/v1/videos", json={"prompt": "p", "model": "veo-3.1"}).json()["id"]
    body = finished(http, video_id)
    assert (body["status"], body["error"]) == ("failed", "Content policy violation")
    assert emulator.jobs.report()["charged"] == 0


def test_the_chat_stream_equals_the_documented_one(http):
    request = {
        "messages": [{"role": "user", "content": "画只猪在天上飞"}],
        "model": "veo-3.1-fast",
        "stream": True,
        "n": 2,
    }
    with http.stream("POST", "/v1/chat/completions", json=request) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = answer.read().decode()
    assert masked(text) == masked(DOCUMENTED_STREAM.read_text())
    urls = re.findall(r"\(((?:http)[^)]*\.mp4)\)", text)
    assert len(set(urls)) == 2
    assert_is_video(io.BytesIO(httpx.get(urls[1], timeout=60).content), 720, 1280)


def masked(stream):
    """Mask the parts that differ from call to call: ids, times, addresses, and the token count of the answer."""
    stream = re.sub(r"foaicmpl-[0-9a-f-]+", "ID", stream)
    stream = re.sub(r'"created":\d+', '"created":0', stream)
    stream = re.sub(r"https?://[^)]*\.mp4", "URL", stream)
    return re.sub(r'"usage":\{[^}]*\}', "USAGE", stream)


def test_a_chat_call_may_have_frames_and_no_stream(http, emulator):
    image = {"type": "image_url", "image_url": {"url": data_uri("red")}}
    request = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "过渡"}, image, image]}],
        "model": "veo-3.1-landscape-fast-fl",
    }
    body = http.post("/v1/chat/completions", json=request).json()
    assert "横屏模式" in body["choices"][0]["message"]["content"]
    assert emulator.jobs.report()["chat_usd"] == pytest.approx(0.15)


def data_uri(what):
    return f"data:image/png;base64,{b64encode(picture_of(what)).decode()}"


def clip_by_chat(http, *addresses):
    """Order one clip between frames by chat, and return its bytes."""
    parts = [{"type": "image_url", "image_url": {"url": address}} for address in addresses]
    message = {"role": "user", "content": [{"type": "text", "text": "过渡"}, *parts]}
    answer = http.post("/v1/chat/completions", json={"messages": [message], "model": "veo-3.1-fl"})
    url = re.search(r"\((http[^)]*\.mp4)\)", answer.json()["choices"][0]["message"]["content"]).group(1)
    return http.get(url).content


def clip_by_order(http, *frames):
    """Order one clip between frames, and return its bytes."""
    fields = {"prompt": (None, "chain"), "model": (None, "veo-3.1-fl" if frames else "veo-3.1")}
    files = [("input_reference", ("a.png", picture_of(frame), "image/png")) for frame in frames]
    video_id = http.post("/v1/videos", files=[*fields.items(), *files]).json()["id"]
    finished(http, video_id)
    return http.get(f"/v1/videos/{video_id}/content").content


def test_a_clip_begins_and_ends_with_its_frames(http):
    one, other = ends(clip_by_order(http))
    first, last = ends(clip_by_order(http, one, other))
    assert psnr(first, one) > 40
    assert psnr(last, other) > 40
    assert psnr(first, last) < 30
    first, last = ends(clip_by_chat(http, data_uri(other), data_uri(one)))
    assert psnr(first, other) > 40
    assert psnr(last, one) > 40


def test_the_emulator_draws_the_address_of_a_frame_that_it_cannot_fetch(http):
    first, last = ends(clip_by_chat(http, "https://example.com/first.png", "https://example.com/last.png"))
    text, _ = ends(clip_by_chat(http, "https://example.com/first.png"))
    assert psnr(first, text) > 40
    assert psnr(first, last) < 30


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", picture_of("red")[:60], b"GIF89a"])
def test_a_frame_that_cannot_be_read_is_refused(http, emulator, content):
    fields = {"prompt": (None, "p"), "model": (None, "veo-3.1-fl")}
    answer = http.post("/v1/videos", files=[*fields.items(), ("input_reference", ("a.png", content, "image/png"))])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert emulator.jobs.report()["orders"] == 0


@pytest.mark.parametrize("url", ["data:image/png;base64,AAAA", "data:image/png;base64,%", "data:"])
def test_a_frame_of_the_chat_that_cannot_be_read_is_refused(http, emulator, url):
    part = {"type": "image_url", "image_url": {"url": url}}
    message = {"role": "user", "content": [{"type": "text", "text": "过渡"}, part]}
    answer = http.post("/v1/chat/completions", json={"messages": [message], "model": "veo-3.1-fl"})
    assert (answer.status_code, "not a picture" in answer.text or "base64" in answer.text) == (400, True)
    assert emulator.jobs.report()["chat_requests"] == 0


@pytest.mark.parametrize("n", [0, 5, "2", None])
def test_the_chat_makes_one_to_four_videos(http, n):
    request = {"messages": [{"role": "user", "content": "p"}], "model": "veo_3_1", "n": n}
    assert http.post("/v1/chat/completions", json=request).status_code == 400


def test_the_emulators_page_counts_orders_and_escapes_prompts(http, emulator):
    http.post("/v1/videos", json={"prompt": "<script>alert(1)</script>", "model": "veo-3.1"})
    page = httpx.get(emulator.url).text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert httpx.get(f"{emulator.url}/counters").json()["orders"] == 1


def test_an_occupied_port_is_reported_in_one_sentence(emulator):
    port = emulator.url.rpartition(":")[2]
    command = [sys.executable, "-m", "airflow_provider_veo.emulator", "--port", port]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert re.fullmatch(rf"Port {port} cannot be used: .*\. Choose another one with --port\.\n", result.stderr)


def test_the_command_line_starts_a_server():
    command = [sys.executable, "-m", "airflow_provider_veo.emulator", "--port", "0", "--api-key", "sk-x"]
    command += ["--dialect", "relay"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http://\S+", process.stdout.readline()).group()
        models = httpx.get(f"{url}/v1/models", headers={"Authorization": "Bearer sk-x"}).json()
        assert [model["id"] for model in models["data"]] == [
            "veo-3.1-generate-preview",
            "veo-3.1-fast-generate-preview",
        ]
        assert "<b>relay</b>" in httpx.get(url).text
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0
