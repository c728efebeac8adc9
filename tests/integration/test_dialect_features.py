"""Features of some servers: lists, deletion, odd ids, prices, and OpenAI's official client."""

from __future__ import annotations

import json

import openai
import pytest

from airflow_provider_veo.api.backends.backend import Cancellation
from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import Reason
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.emulator.dialects import OPENAI_DIALECTS
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from tests.support.dialect_server import (
    FASTVIDEO,
    FIELDS,
    LITELLM,
    LONG,
    NEW_API,
    OPENAI,
    RELAY,
    SGLANG,
    VEO_GATEWAY,
    VLLM,
    DialectServer,
    every_dialect_server,
)
from tests.support.pictures import picture_of
from tests.support.scripted_server import KEY

IDS = {"veo-3.1": 230, "veo-3.1-generate-preview": 290, "veo-3.1-generate-001": 394, "veo-3.1-fast-generate-001": 394}


@pytest.mark.parametrize("dialect", [LITELLM])
@pytest.mark.parametrize("model", IDS)
def test_ids_of_a_proxy_are_too_long_for_a_file_name(dialect_server, dialect, model):
    video_id = dialect_server.order(model=model).json()["id"]
    assert IDS[model] <= len(video_id) <= 410
    dialect_server.now += LONG
    assert dialect_server.parsed(video_id).id == video_id
    assert dialect_server.content(video_id=video_id)[4:8] == b"ftyp"


@pytest.mark.parametrize("dialect", [VEO_GATEWAY, LITELLM])
def test_content_may_be_json_with_an_address(dialect):
    with DialectServer(dialect, content_as_link=True) as dialect_server:
        video_id = dialect_server.job()
        dialect_server.now += LONG
        answer = dialect_server.get(video_id, "/content")
        label = "video/mp4" if dialect == LITELLM else "application/json"
        assert (answer.headers["content-type"], answer.json()["status"]) == (label, "completed")
        assert dialect_server.content(video_id=video_id)[4:8] == b"ftyp"


@pytest.mark.parametrize("dialect", [SGLANG])
def test_content_in_cloud_storage_is_found_by_the_status(dialect):
    with DialectServer(dialect, content_as_link=True) as dialect_server:
        video_id = dialect_server.job()
        assert dialect_server.get(video_id).json()["url"] is None
        dialect_server.now += LONG
        answer, url = dialect_server.get(video_id, "/content"), dialect_server.get(video_id).json()["url"]
        said = f"Video has been uploaded to cloud storage. Please use the cloud URL: {url}"
        assert (answer.status_code, answer.json()) == (400, {"detail": said})
        assert dialect_server.parsed(video_id).url == url
        assert dialect_server.content(url=url)[4:8] == b"ftyp"


METADATA = {"resolution": "1080p", "aspectRatio": "9:16", "durationSeconds": 6, "seed": 7}


@pytest.mark.parametrize("dialect", [NEW_API, RELAY])
def test_metadata_is_nested_in_json_and_flat_in_a_form(dialect_server, dialect):
    for answer in (
        dialect_server.http.post("/v1/videos", json=FIELDS | {"metadata": METADATA}),
        dialect_server.order(**{name: str(value) for name, value in METADATA.items()}),
    ):
        job = dialect_server.jobs.get(answer.json()["id"])
        assert (job.options, job.model.size, job.model.seconds) == (METADATA, "1080x1920", 6)


@pytest.mark.parametrize("dialect", [NEW_API, RELAY])
def test_metadata_as_a_field_of_a_form_is_ignored_silently(dialect_server, dialect):
    job = dialect_server.jobs.get(dialect_server.order(metadata=json.dumps(METADATA)).json()["id"])
    assert (job.options, job.model.size, job.model.seconds) == ({}, "128x128", 1)


@pytest.mark.parametrize("dialect", [NEW_API])
def test_another_value_of_an_option_makes_another_video(dialect_server, dialect):
    videos = set()
    for seed in ("7", "8"):
        video_id = dialect_server.order(seed=seed).json()["id"]
        dialect_server.now += LONG
        videos.add(dialect_server.content(video_id=video_id))
    assert len(videos) == 2


@pytest.mark.parametrize("dialect", [RELAY])
def test_the_relay_charges_its_own_prices(dialect):
    with DialectServer(dialect) as dialect_server:
        for model in ("veo-3.1-generate-preview", "veo-3.1-fast-generate-preview", "another"):
            dialect_server.order(model=model)
        dialect_server.now += LONG
        assert (dialect_server.jobs.report()["charged"], dialect_server.jobs.report()["charged_usd"]) == (3, 1.5)


@pytest.mark.parametrize("dialect", [RELAY, VLLM, FASTVIDEO, SGLANG])
def test_each_server_reports_its_own_progress_values(dialect_server, dialect):
    video_id = dialect_server.job()
    seen = []
    for moment in range(0, 101, 10):
        dialect_server.now = dialect_server.jobs.get(video_id).created + moment
        seen.append(dialect_server.parsed(video_id).progress)
    steps = {RELAY: [0, 50, 100], SGLANG: [*range(0, 101, 10)]}
    assert sorted(set(seen)) == steps.get(dialect, [0, 100])


FORGETS = (SGLANG, FASTVIDEO)


@pytest.mark.parametrize("dialect", [VLLM, SGLANG, FASTVIDEO, OPENAI])
@pytest.mark.parametrize("moment", [0.0, LONG])
def test_a_deleted_job_is_unknown_afterwards(dialect_server, dialect, moment):
    video_id = dialect_server.job()
    dialect_server.now += moment
    body = dialect_server.http.delete(f"/v1/videos/{video_id}").json()
    deleted = {"status": "deleted"} if dialect in FORGETS else {"object": "video.deleted", "deleted": True}
    assert deleted.items() <= body.items()
    assert dialect_server.get(video_id).status_code == 404
    assert dialect_server.client.cancel_video(video_id) is Cancellation.IMPOSSIBLE


@pytest.mark.parametrize("dialect", [VLLM, SGLANG, FASTVIDEO, OPENAI])
def test_some_servers_finish_a_deleted_job(dialect_server, dialect):
    video_id, stopped = dialect_server.job(), dialect_server.jobs.report()["cancelled"]
    assert dialect_server.client.cancel_video(video_id) is Cancellation.ACCEPTED
    dialect_server.now += LONG
    assert dialect_server.jobs.report()["cancelled"] - stopped == (0 if dialect in FORGETS else 1)
    assert (video_id in [job.id for job in dialect_server.jobs.charged()]) is (dialect in FORGETS)


@pytest.mark.parametrize("dialect", [VEO_GATEWAY, RELAY, NEW_API])
def test_a_server_that_reports_a_cancelled_job_has_stopped_it(dialect):
    with DialectServer(dialect, can_cancel=True) as dialect_server:
        video_id = dialect_server.job()
        assert dialect_server.client.cancel_video(video_id) is Cancellation.STOPPED
        dialect_server.now += LONG
        assert dialect_server.jobs.charged() == []


@pytest.mark.parametrize(("dialect", "status"), [(VEO_GATEWAY, 405), (RELAY, 404), (NEW_API, 404), (LITELLM, 405)])
def test_a_server_without_deletion_keeps_the_job(dialect_server, dialect, status):
    video_id = dialect_server.job()
    assert dialect_server.http.delete(f"/v1/videos/{video_id}").status_code == status
    assert dialect_server.client.cancel_video(video_id) is Cancellation.IMPOSSIBLE
    assert dialect_server.jobs.get(video_id) is not None


@pytest.mark.parametrize("dialect", [SGLANG])
def test_a_page_of_a_list_has_twenty_jobs(dialect):
    with DialectServer(dialect) as dialect_server:
        ids = [dialect_server.job() for _ in range(21)]
        page = dialect_server.http.get("/v1/videos").json()
        assert (len(page["data"]), page["has_more"], page["last_id"]) == (20, True, ids[1])


@pytest.mark.parametrize("dialect", [FASTVIDEO])
def test_a_list_may_have_no_pages(dialect):
    with DialectServer(dialect) as dialect_server:
        ids = [dialect_server.job() for _ in range(2)]
        page = dialect_server.http.get("/v1/videos").json()
        assert (set(page), [video["id"] for video in page["data"]]) == ({"data", "object"}, ids[::-1])


@every_dialect_server
def test_models_are_listed(dialect_server, dialect):
    listed = [model["id"] for model in dialect_server.http.get("/v1/models").json()["data"]]
    assert listed
    assert ("veo-3.1" in listed) is (dialect not in (RELAY, NEW_API, OPENAI))


@pytest.mark.parametrize("dialect", [VLLM, SGLANG, OPENAI])
def test_jobs_are_listed_in_pages(dialect):
    with DialectServer(dialect) as dialect_server:
        ids = [dialect_server.job() for _ in range(3)]
        newest = dialect_server.http.get("/v1/videos", params={"limit": 2}).json()
        assert [video["id"] for video in newest["data"]] == [ids[2], ids[1]]
        assert (newest["object"], newest["has_more"]) == ("list", True)
        rest = dialect_server.http.get("/v1/videos", params={"after": newest["last_id"]}).json()
        assert ([video["id"] for video in rest["data"]], rest["has_more"]) == ([ids[0]], False)
        oldest = dialect_server.http.get("/v1/videos", params={"order": "asc"}).json()
        assert (oldest["first_id"], oldest["last_id"]) == (ids[0], ids[2])
        dialect_server.http.delete(f"/v1/videos/{ids[1]}")
        assert [video["id"] for video in dialect_server.http.get("/v1/videos").json()["data"]] == [ids[2], ids[0]]


@pytest.mark.parametrize(("dialect", "status"), [(VEO_GATEWAY, 405), (RELAY, 404), (NEW_API, 404), (LITELLM, 400)])
def test_a_server_may_have_no_list(dialect_server, dialect, status):
    assert dialect_server.http.get("/v1/videos").status_code == status


@pytest.mark.parametrize("dialect", [name for name in OPENAI_DIALECTS if name != VEO_GATEWAY])
def test_only_the_veo_gateway_makes_videos_by_chat(dialect_server, dialect):
    request = {"messages": [{"role": "user", "content": "p"}], "model": "veo-3.1"}
    assert dialect_server.http.post("/v1/chat/completions", json=request).status_code == 404


@pytest.mark.parametrize("dialect", [OPENAI])
def test_a_frame_must_have_the_size_of_the_video(dialect_server, dialect):
    fields = [(name, (None, value)) for name, value in FIELDS.items()]
    frame = ("input_reference", ("a.png", picture_of("red", size=(64, 64)), "image/png"))
    answer = dialect_server.http.post("/v1/videos", files=[*fields, frame])
    assert (answer.status_code, "must match the requested width and height" in answer.text) == (400, True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_official_client_works_with_the_openai_dialect(tmp_path):
    settings = Settings(dialect=OPENAI, api_key=KEY, generation_seconds=0.3)
    with EmulatorServer(settings) as server, openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1") as client:
        frame = ("a.png", picture_of("red"), "image/png")
        # poll_interval_ms is not given: the client follows the server's header openai-poll-after-ms
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
def test_the_official_client_gets_the_reason_of_a_failed_job():
    settings = Settings(dialect=OPENAI, api_key=KEY, generation_seconds=0)
    with EmulatorServer(settings) as server, openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1") as client:
        server.jobs.fail_next("Your request was blocked", "moderation_blocked")
        video = client.videos.create_and_poll(prompt="a cat")
        assert (video.status, video.error.code, video.model) == ("failed", "moderation_blocked", "sora-2")
        with VeoClient(ClientSettings(server.url, KEY)) as ours:
            assert ours.get_video(video.id).reason is Reason.MODERATION
