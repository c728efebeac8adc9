"""The official clients in front of the emulator, unchanged: order, poll, download. A missing client is skipped.

`openai` is tried in `test_emulator.py` and `test_dialect_features.py`.
"""

from __future__ import annotations

import time

import pytest

from airflow_provider_veo.api.formats import mp4
from airflow_provider_veo.emulator.jobs import FILTERED, Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from tests.support.scripted_server import KEY

LITE = "veo-3.1-lite-generate-001"
OMNI = "gemini-omni-1.2-flash"
CAT = "a paper boat"
OMNI_FORM = {"type": "video", "resolution": "360p", "duration": "3s"}


@pytest.fixture
def server(dialect):
    with EmulatorServer(Settings(dialect=dialect, api_key=KEY, generation_seconds=0.5)) as server:
        yield server


@pytest.fixture
def genai():
    return pytest.importorskip("google.genai", reason="google-genai is not installed")


def until(is_done, ask):
    """Ask until an answer is the last one, and return it."""
    give_up_at = time.monotonic() + 60
    while not is_done(answer := ask()):
        assert time.monotonic() < give_up_at, answer
        time.sleep(0.1)
    return answer


# --- google-genai on Google Cloud


@pytest.fixture
def cloud(genai, server):
    service_account = pytest.importorskip("google.oauth2.service_account")
    from airflow_provider_veo.emulator.google_cloud import PROJECT, make_key

    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    credentials = service_account.Credentials.from_service_account_info(make_key(server.url), scopes=scopes)

    def connect(location):
        options = genai.types.HttpOptions(base_url=server.url)
        return genai.Client(
            vertexai=True, project=PROJECT, location=location, credentials=credentials, http_options=options
        )

    return connect


def make_veo(genai, client, **config):
    options = genai.types.GenerateVideosConfig(**{"duration_seconds": 4} | config)
    source = genai.types.GenerateVideosSource(prompt=CAT)
    operation = client.models.generate_videos(model=LITE, source=source, config=options)
    return until(lambda found: found.done, lambda: client.operations.get(operation))


vertex = pytest.mark.parametrize("dialect", ["vertex"])
gemini = pytest.mark.parametrize("dialect", ["gemini"])


@vertex
def test_google_genai_gets_a_video_in_the_answer(genai, cloud, server):
    done = make_veo(genai, cloud("us-central1"))
    (made,) = done.result.generated_videos
    assert mp4.is_video(made.video.video_bytes)
    assert server.jobs.report()["charged"] == 1


@vertex
def test_google_genai_gets_a_video_in_a_bucket(genai, cloud):
    done = make_veo(genai, cloud("us-central1"), output_gcs_uri="gs://bucket/day/", number_of_videos=2)
    uris = [made.video.uri for made in done.result.generated_videos]
    assert [uri.rpartition("/")[2] for uri in uris] == ["sample_0.mp4", "sample_1.mp4"]
    assert all(uri.startswith("gs://bucket/day/") for uri in uris)


@vertex
def test_google_genai_sees_a_filter_and_a_wrong_length(genai, cloud, server):
    server.jobs.fail_next("Veo could not generate videos.", FILTERED)
    filtered = make_veo(genai, cloud("us-central1"))
    assert filtered.error is None
    assert filtered.result.rai_media_filtered_reasons == ["Veo could not generate videos."]
    wrong = make_veo(genai, cloud("us-central1"), duration_seconds=5)
    assert wrong.error["code"] == 3
    assert server.jobs.report()["charged"] == 0


@gemini
def test_google_genai_uses_interactions_of_the_platform(genai, cloud, server):
    client = cloud("global")
    created = client.interactions.create(model=OMNI, input=CAT, background=True, response_format=OMNI_FORM)
    done = until(lambda found: found.status == "completed", lambda: client.interactions.get(created.id))
    assert done.output_video.mime_type == "video/mp4"
    assert server.jobs.report()["charged"] == 1


# --- google-genai with a key


@pytest.fixture
def keyed(genai, server):
    return genai.Client(api_key=KEY, http_options=genai.types.HttpOptions(base_url=server.url))


@gemini
def test_google_genai_downloads_a_file(keyed, server):
    form = OMNI_FORM | {"delivery": "uri"}
    created = keyed.interactions.create(model=OMNI, input=CAT, background=True, response_format=form)
    assert created.status == "in_progress"
    done = until(lambda found: found.status == "completed", lambda: keyed.interactions.get(created.id))
    uri = done.output_video.uri
    file = keyed.files.get(name=uri.rpartition("/")[2])
    assert (file.state.name, file.size_bytes > 0) == ("ACTIVE", True)
    assert mp4.is_video(keyed.files.download(file=file.name))  # of an address, it takes https alone
    assert done.usage.total_output_tokens > 3 * 1931
    assert server.jobs.report()["charged"] == 1


@gemini
def test_google_genai_cancels_and_deletes(keyed, server):
    server.jobs.hold()
    created = keyed.interactions.create(model=OMNI, input=CAT, background=True, response_format=OMNI_FORM)
    assert keyed.interactions.cancel(created.id).status == "cancelled"
    keyed.interactions.delete(created.id)
    assert server.jobs.report()["cancelled"] == 1


@gemini
def test_google_genai_waits_without_background(keyed):
    done = keyed.interactions.create(model=OMNI, input=CAT, response_format=OMNI_FORM)
    assert (done.status, done.output_video.mime_type) == ("completed", "video/mp4")


# --- openrouter


@pytest.fixture
def router(server):
    openrouter = pytest.importorskip("openrouter", reason="openrouter is not installed")
    with openrouter.OpenRouter(api_key=KEY, server_url=f"{server.url}/v1") as client:
        yield client.video_generation


@pytest.mark.parametrize("dialect", ["openrouter"])
def test_openrouter_downloads_a_video(router, server):
    created = router.generate(model="google/veo-3.1-lite", prompt=CAT, duration=4, resolution="720p")
    assert created.status == "pending"
    done = until(lambda found: found.status == "completed", lambda: router.get_generation(job_id=created.id))
    assert done.usage.cost == 0.2
    content = router.get_video_content(job_id=created.id, index=0)
    assert mp4.is_video(content.read())
    assert server.jobs.report()["charged"] == 1


@pytest.mark.parametrize("dialect", ["openrouter"])
def test_openrouter_lists_models_and_sees_a_failure(router, server):
    assert "google/veo-3.1" in [model.id for model in router.list_videos_models().data]
    server.jobs.fail_next("The prompt was blocked by the provider's content filter.", FILTERED)
    created = router.generate(model="google/veo-3.1-lite", prompt=CAT, duration=4)
    failed = until(lambda found: found.status == "failed", lambda: router.get_generation(job_id=created.id))
    assert failed.error == "The prompt was blocked by the provider's content filter."
