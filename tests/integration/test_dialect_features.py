"""What only some servers have: lists, deletion, odd ids, prices, and the client that OpenAI ships."""

from __future__ import annotations

import openai
import pytest
from bench import FIELDS, LITELLM, LONG, NEW_API, OPENAI, RELAY, SEED, SGLANG, VLLM, Bench
from pictures import picture_of
from servers import KEY

from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.emulator.dialects import DIALECTS
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer


@pytest.mark.parametrize("dialect", [LITELLM])
def test_another_id_in_every_status_answer(bench, dialect):
    video_id = bench.job()
    polled = bench.said(video_id).json()["id"]
    assert polled != video_id
    assert bench.said(polled).status_code == 500
    assert bench.seen(video_id).id == video_id


@pytest.mark.parametrize("dialect", [SEED, LITELLM])
def test_content_that_is_json_with_an_address(dialect):
    with Bench(dialect, content_as_link=True) as bench:
        video_id = bench.job()
        bench.now += LONG
        answer = bench.said(video_id, "/content")
        label = "video/mp4" if dialect == LITELLM else "application/json"
        assert (answer.headers["content-type"], answer.json()["status"]) == (label, "completed")
        assert bench.content(video_id=video_id)[4:8] == b"ftyp"


@pytest.mark.parametrize("dialect", [RELAY])
def test_prices_of_the_relay(dialect):
    with Bench(dialect) as bench:
        for model in ("veo-3.1-generate-preview", "veo-3.1-fast-generate-preview", "another"):
            bench.order(model=model)
        bench.now += LONG
        assert (bench.jobs.report()["charged"], bench.jobs.report()["charged_usd"]) == (3, 1.5)


@pytest.mark.parametrize("dialect", [RELAY, SGLANG])
def test_progress_in_leaps(bench, dialect):
    video_id = bench.job()
    seen = []
    for moment in range(0, 101, 10):
        bench.now = bench.jobs.get(video_id).created + moment
        seen.append(bench.seen(video_id).progress)
    assert sorted(set(seen)) == ([0, 50, 100] if dialect == RELAY else [0, 100])


@pytest.mark.parametrize("dialect", [VLLM, SGLANG, OPENAI])
@pytest.mark.parametrize("moment", [0.0, LONG])
def test_delete(bench, dialect, moment):
    video_id = bench.job()
    bench.now += moment
    body = bench.http.delete(f"/v1/videos/{video_id}").json()
    deleted = {"status": "deleted"} if dialect == SGLANG else {"object": "video.deleted", "deleted": True}
    assert deleted.items() <= body.items()
    assert bench.said(video_id).status_code == 404
    assert bench.client.cancel_video(video_id) is False


@pytest.mark.parametrize(("dialect", "status"), [(SEED, 405), (RELAY, 404), (NEW_API, 404), (LITELLM, 405)])
def test_no_delete(bench, dialect, status):
    video_id = bench.job()
    assert bench.http.delete(f"/v1/videos/{video_id}").status_code == status
    assert bench.client.cancel_video(video_id) is False
    assert bench.jobs.get(video_id) is not None


@pytest.mark.parametrize("dialect", [VLLM, OPENAI])
def test_list(dialect):
    with Bench(dialect) as bench:
        ids = [bench.job() for _ in range(3)]
        newest = bench.http.get("/v1/videos", params={"limit": 2}).json()
        assert [video["id"] for video in newest["data"]] == [ids[2], ids[1]]
        assert (newest["object"], newest["has_more"]) == ("list", True)
        rest = bench.http.get("/v1/videos", params={"after": newest["last_id"]}).json()
        assert ([video["id"] for video in rest["data"]], rest["has_more"]) == ([ids[0]], False)
        oldest = bench.http.get("/v1/videos", params={"order": "asc"}).json()
        assert (oldest["first_id"], oldest["last_id"]) == (ids[0], ids[2])
        bench.http.delete(f"/v1/videos/{ids[1]}")
        assert [video["id"] for video in bench.http.get("/v1/videos").json()["data"]] == [ids[2], ids[0]]


@pytest.mark.parametrize(
    ("dialect", "status"), [(SEED, 405), (RELAY, 404), (NEW_API, 404), (LITELLM, 400), (SGLANG, 405)]
)
def test_no_list(bench, dialect, status):
    assert bench.http.get("/v1/videos").status_code == status


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != SEED])
def test_only_the_seeds_gateway_makes_videos_by_chat(bench, dialect):
    request = {"messages": [{"role": "user", "content": "p"}], "model": "veo-3.1"}
    assert bench.http.post("/v1/chat/completions", json=request).status_code == 404


@pytest.mark.parametrize("dialect", [OPENAI])
def test_a_frame_must_have_the_size_of_the_video(bench, dialect):
    fields = [(name, (None, value)) for name, value in FIELDS.items()]
    frame = ("input_reference", ("a.png", picture_of("red", size=(64, 64)), "image/png"))
    answer = bench.http.post("/v1/videos", files=[*fields, frame])
    assert (answer.status_code, "must match the requested width and height" in answer.text) == (400, True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_on_the_official_dialect(tmp_path):
    settings = Settings(dialect=OPENAI, api_key=KEY, generation_seconds=0.3)
    with EmulatorServer(settings) as server, openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1") as client:
        frame = ("a.png", picture_of("red"), "image/png")
        # poll_interval_ms is not given: the server's header openai-poll-after-ms says it
        video = client.videos.create_and_poll(
            prompt="a cat", model="sora-2", seconds="4", size="128x128", input_reference=frame
        )
        assert (video.status, video.progress, video.seconds, video.error) == ("completed", 100, "4", None)
        assert video.expires_at == video.completed_at + 3600
        client.videos.download_content(video.id, variant="video").write_to_file(tmp_path / "a.mp4")
        assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"
        with pytest.raises(openai.BadRequestError, match="variant"):
            client.videos.download_content(video.id, variant="thumbnail")
        assert [one.id for one in client.videos.list()] == [video.id]
        assert client.videos.delete(video.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.videos.retrieve(video.id)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_sees_why_a_job_failed():
    settings = Settings(dialect=OPENAI, api_key=KEY, generation_seconds=0)
    with EmulatorServer(settings) as server, openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1") as client:
        server.jobs.fail_next("Your request was blocked", "moderation_blocked")
        video = client.videos.create_and_poll(prompt="a cat")
        assert (video.status, video.error.code, video.model) == ("failed", "moderation_blocked", "sora-2")
        with VeoClient(ClientSettings(server.url, KEY)) as ours:
            assert ours.get_video(video.id).reason is Reason.MODERATION
