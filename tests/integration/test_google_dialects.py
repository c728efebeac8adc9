"""The dialects `vertex`, `gemini` and `openrouter`: their own calls, and our client in front of them."""

from __future__ import annotations

import base64
import time
from contextlib import ExitStack
from urllib.parse import quote

import httpx
import pytest

pytest.importorskip("google.auth", reason="the extra google is not installed")

from airflow_provider_veo.api.backends.backend import Cancellation
from airflow_provider_veo.api.backends.gemini.backend import GeminiBackend
from airflow_provider_veo.api.backends.openrouter.backend import OpenRouterBackend
from airflow_provider_veo.api.backends.vertex.backend import VertexBackend
from airflow_provider_veo.api.client import VeoClient
from airflow_provider_veo.api.errors import ApiError, Reason
from airflow_provider_veo.api.formats import mp4
from airflow_provider_veo.api.formats.frames import Frame
from airflow_provider_veo.api.polling.decision import WaitPolicy
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.api.video import VideoStatus
from airflow_provider_veo.emulator.faults import Fault, Trouble
from airflow_provider_veo.emulator.google_cloud import PROJECT, make_key
from airflow_provider_veo.emulator.jobs import FILTERED, Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.hooks.google import GoogleAccess, get_tokens
from tests.support.contents import open_content
from tests.support.pictures import picture
from tests.support.scripted_server import KEY

LONG = 100.0
LITE = "veo-3.1-lite-generate-001"
OMNI = "gemini-omni-1.2-flash"
SPECS = {
    "vertex": VideoSpec("a cat", LITE, seconds=4),
    "gemini": VideoSpec("a cat", OMNI, seconds=3, size="640x360"),
    "gemini-cloud": VideoSpec("a cat", OMNI, seconds=3, size="640x360"),
    "openrouter": VideoSpec("a cat", "google/veo-3.1-lite", seconds=4),
}
PRICES = {"vertex": 0.2, "openrouter": 0.2}
OMNI_PRICE = pytest.approx(18 * 1.5e-6 + 3 * 1931 * 12e-6 + 299 * 9e-6, abs=1e-6)
every_backend = pytest.mark.parametrize("backend", SPECS)


@pytest.fixture
def dialect(request):
    return getattr(request, "param", "vertex")


@pytest.fixture
def settings():
    return {}


@pytest.fixture
def server(dialect, settings):
    with EmulatorServer(
        Settings(**{"dialect": dialect, "api_key": KEY, "generation_seconds": LONG} | settings)
    ) as server:
        server.now = 1_790_000_000.0
        server.jobs.clock = lambda: server.now
        yield server


class Api:
    """An emulator and our client for a backend; the clock of the emulator stands still."""

    def __init__(self, backend, output_uri=None, seconds=LONG):
        self.name = backend
        name = backend.removesuffix("-cloud")
        self.server = EmulatorServer(Settings(dialect=name, api_key=KEY, generation_seconds=seconds))
        self.now = 1_790_000_000.0
        self.server.jobs.clock = lambda: self.now
        url = self.server.url
        tokens = get_tokens(GoogleAccess.read({"keyfile_dict": make_key(url)}))[0]
        settings = {
            "vertex": {"tokens": tokens, "backend": VertexBackend(PROJECT, "us-central1", output_uri)},
            "gemini": {"api_key": KEY, "backend": GeminiBackend()},
            "gemini-cloud": {"tokens": tokens, "backend": GeminiBackend(PROJECT, output_uri=output_uri)},
            "openrouter": {"api_key": KEY, "backend": OpenRouterBackend()},
        }[backend]
        self.client = VeoClient(ClientSettings(url, **settings))
        self.jobs = self.server.jobs

    def order(self, **changes):
        spec = SPECS[self.name]
        fields = {name: getattr(spec, name) for name in ("prompt", "model", "seconds", "size")}
        return self.client.create_video(VideoSpec(**(fields | changes)))

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        self.client.close()
        self.server.__exit__(None, None, None)


@pytest.fixture
def api(request, backend):
    with Api(backend) as api:
        yield api


# --- our client


@every_backend
def test_a_job_is_ordered_waited_for_and_fetched(api, backend):
    video = api.order()
    assert video.status in (VideoStatus.QUEUED, VideoStatus.RUNNING)
    api.now += 50
    assert api.client.get_video(video.id).status is VideoStatus.RUNNING
    api.now += 50
    done = api.client.get_video(video.id)
    assert (done.id, done.status, done.reason) == (video.id, VideoStatus.COMPLETED, None)
    with open_content(api.client, video_id=video.id) as stream:
        content = b"".join(stream.chunks)
    assert mp4.is_video(content)
    job = api.jobs.get(video.id)
    assert (job.prompt, api.jobs.report()["charged"]) == ("a cat", 1)
    assert job.model.price_usd == PRICES.get(backend, OMNI_PRICE)
    assert done.cost_usd == (None if backend == "vertex" else pytest.approx(job.model.price_usd, abs=1e-6))


@every_backend
def test_the_estimate_is_the_price(api, backend):
    estimate = api.client.settings.backend.estimate_cost(SPECS[backend])
    price = PRICES.get(backend, OMNI_PRICE.expected)
    # the estimate of Omni leaves the input and the thoughts out; OpenRouter's prices are in a list, which is not asked
    assert estimate == (None if backend == "openrouter" else pytest.approx(price, abs=0.003))


@every_backend
def test_a_wait_ends_with_the_job(backend):
    with Api(backend, seconds=0.2) as api:
        api.jobs.clock = time.time
        video = api.order()
        policy = WaitPolicy(time.time(), deadline=time.time() + 20, poll_interval=0.05)
        outcome = api.client.wait_for_video(video.id, policy, lambda _news: None)
        assert (outcome.video_id, outcome.status) == (video.id, VideoStatus.COMPLETED)


@every_backend
def test_a_filtered_job_has_failed_and_costs_nothing(api, backend):
    words = "The prompt was blocked by the content filter. You will not be charged for this request."
    api.jobs.fail_next(words, FILTERED)
    video = api.order()
    api.now += 100
    done = api.client.get_video(video.id)
    assert (done.status, done.reason, done.message) == (VideoStatus.FAILED, Reason.MODERATION, words)
    assert api.jobs.report()["charged"] == 0


@pytest.mark.parametrize("backend", ["vertex", "gemini", "gemini-cloud"])
def test_a_filter_may_say_nothing(api):
    api.jobs.fail_next("", FILTERED)
    video = api.order()
    api.now += 100
    done = api.client.get_video(video.id)
    assert (done.status, done.reason) == (VideoStatus.FAILED, Reason.MODERATION)


@every_backend
def test_a_failed_job_has_its_reason(api, backend):
    api.jobs.fail_next("Internal error encountered.")
    video = api.order()
    api.now += 100
    done = api.client.get_video(video.id)
    assert (done.status, done.reason) == (VideoStatus.FAILED, Reason.SERVER if backend == "vertex" else Reason.UNKNOWN)
    assert "Internal error encountered." in done.message


@every_backend
def test_only_interactions_can_be_cancelled(api, backend):
    video = api.order()
    can_cancel = backend.startswith("gemini")
    assert api.client.cancel_video(video.id) is (Cancellation.STOPPED if can_cancel else Cancellation.IMPOSSIBLE)
    api.now += 100
    done = api.client.get_video(video.id)
    assert done.status is (VideoStatus.CANCELLED if can_cancel else VideoStatus.COMPLETED)
    assert api.client.cancel_video(video.id) is Cancellation.IMPOSSIBLE
    assert api.jobs.report()["cancelled"] == int(can_cancel)


@every_backend
def test_the_test_button_accepts_the_api(api):
    assert api.client.check_api()[0]
    assert api.jobs.report()["orders"] == 0


@every_backend
@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (Trouble.NO_MONEY, Reason.QUOTA),
        (Trouble.RATE_LIMIT, Reason.RATE_LIMITED),
        (Trouble.ERROR, Reason.SERVER),
        (Trouble.BAD_GATEWAY, Reason.SERVER),
    ],
)
def test_a_fault_of_an_order_has_its_reason(api, trouble, reason):
    api.server.faults.add("order", Fault(trouble, seconds=7))
    with pytest.raises(ApiError) as caught:
        api.order()
    assert caught.value.reason is reason
    assert caught.value.retry_after == (7 if trouble is Trouble.RATE_LIMIT else None)
    assert api.jobs.report()["orders"] == 0


@every_backend
def test_a_fault_of_a_status_call_is_not_one_of_the_order(api):
    api.server.faults.add("status", Fault(Trouble.ERROR))
    video = api.order()
    with pytest.raises(ApiError):
        api.client.get_video(video.id)
    assert api.client.get_video(video.id).status in (VideoStatus.QUEUED, VideoStatus.RUNNING)


@every_backend
def test_frames_are_read(api, backend):
    first, last = (Frame(picture(width=width), "image/png", width, 128) for width in (72, 80))
    changes = {"seconds": 4, "size": None} if backend == "vertex" else {}
    video = api.order(first_frame=first, last_frame=last, **changes)
    assert api.jobs.get(video.id).frames == (first.content, last.content)


@every_backend
def test_a_broken_frame_is_refused(api):
    with pytest.raises(ApiError) as caught:
        api.order(first_frame=Frame(b"\x89PNG\r\n\x1a\nbroken", "image/png", 72, 128))
    assert (caught.value.reason, api.jobs.report()["orders"]) == (Reason.BAD_REQUEST, 0)


ODD_VALUES = (None, True, 7, 0.5, "x", [], [1], {}, {"a": 1})


@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
@pytest.mark.parametrize("dialect", ["vertex", "gemini", "openrouter"], indirect=True)
def test_an_odd_value_is_no_error_of_the_server(server, dialect, value):
    path, fields, body = ODD_ORDERS[dialect]
    headers = {"authorization": f"Bearer {KEY}", "x-goog-api-key": KEY}
    if dialect == "vertex":
        headers["authorization"] = token_of(server)
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as http:
        for place in fields:
            assert http.post(path, json=put(body, place, value)).status_code < 500, place


def put(body, place, value):
    """Return a body with a value at a place, such as `a.b`."""
    name, _, rest = place.partition(".")
    if isinstance(body, list):
        return [put(body[0], place, value)]
    return body | {name: put(body.get(name, {}), rest, value) if rest else value}


# --- vertex

MODEL = f"projects/{PROJECT}/locations/us-central1/publishers/google/models/{LITE}"


ODD_ORDERS = {
    "vertex": (
        f"/v1/{MODEL}:predictLongRunning",
        (
            *("instances", "parameters", "labels", "instances.prompt", "instances.image", "instances.image.gcsUri"),
            *("parameters.sampleCount", "parameters.storageUri", "parameters.durationSeconds"),
            *("parameters.resolution", "parameters.aspectRatio", "parameters.generateAudio"),
        ),
        {"instances": [{"prompt": "a"}], "parameters": {}},
    ),
    "gemini": (
        "/v1/interactions",
        (
            *("model", "input", "response_format", "response_format.duration", "response_format.resolution"),
            *("generation_config", "generation_config.video_config", "generation_config.video_config.task"),
            *("previous_interaction_id", "store", "stream", "response_format.aspect_ratio"),
        ),
        {"model": OMNI, "input": "a", "background": True},
    ),
    "openrouter": (
        "/v1/videos",
        ("model", "prompt", "duration", "size", "resolution", "aspect_ratio", "frame_images", "generate_audio"),
        {"model": "google/veo-3.1", "prompt": "a"},
    ),
}


def token_of(server):
    return get_tokens(GoogleAccess.read({"keyfile_dict": make_key(server.url)}))[0].get_headers()["authorization"]


class Http:
    """Plain calls to an emulator of Google Cloud."""

    def __init__(self, server):
        self.server = server
        self.http = httpx.Client(base_url=server.url, headers={"authorization": token_of(server)}, timeout=60)

    def order(self, model=MODEL, **body):
        return self.http.post(f"/v1/{model}:predictLongRunning", json={"instances": [{"prompt": "a cat"}], **body})

    def fetch(self, name):
        model = name.partition("/operations/")[0]
        return self.http.post(f"/v1beta1/{model}:fetchPredictOperation", json={"operationName": name}).json()

    def end_of(self, **body):
        answer = self.order(**body)
        assert answer.status_code == 200
        self.server.now += 100
        return self.fetch(answer.json()["name"])


@pytest.fixture
def cloud(server):
    cloud = Http(server)
    with cloud.http:
        yield cloud


def test_a_running_operation_may_have_no_done(cloud, server):
    name = cloud.order().json()["name"]
    assert name.startswith(f"{MODEL}/operations/")
    assert cloud.fetch(name) == {"name": name}
    server.now += 50
    body = cloud.fetch(name)
    assert (body["done"], set(body)) == (False, {"name", "done", "metadata"})


def test_a_done_operation_holds_each_of_its_videos(cloud, server):
    body = cloud.end_of(parameters={"sampleCount": 2, "durationSeconds": 4})
    videos = body["response"]["videos"]
    assert [video["mimeType"] for video in videos] == ["video/mp4"] * 2
    contents = [base64.b64decode(video["bytesBase64Encoded"]) for video in videos]
    assert all(map(mp4.is_video, contents))
    assert contents[0] != contents[1]
    assert server.jobs.report()["charged_usd"] == 0.4
    assert server.jobs.report()["content_bytes"] == sum(map(len, contents))


@pytest.mark.parametrize(
    ("instance", "parameters", "message"),
    [
        (
            {},
            {"durationSeconds": 5},
            "Unsupported output video duration 5 seconds, supported durations are [8,4,6] for feature text_to_video.",
        ),
        (
            {"image": {"gcsUri": "gs://b/x.png", "mimeType": "image/png"}, "referenceImages": []},
            {},
            "Image and reference images cannot be both set.",
        ),
        (
            {"image": {"gcsUri": "gs://b/x.png", "mimeType": "image/png"}, "video": {"gcsUri": "gs://b/x.mp4"}},
            {},
            "Video and image cannot be both set.",
        ),
        ({"image": {"gcsUri": "gs://b/x.png"}}, {}, "Image must have a mime type."),
        ({"video": {"gcsUri": "gs://b/x.mp4"}}, {"durationSeconds": 8}, "Unsupported output video duration 8 seconds"),
        ({}, {"resolution": "4k"}, "Unsupported resolution 4k."),
        ({}, {"aspectRatio": "1:1"}, "Unsupported aspect ratio 1:1."),
        ({}, {"sampleCount": 5}, "Sample count must be between 1 and 4."),
        ({}, {"enhancePrompt": False}, "Veo 3 prompt enhancement cannot be disabled."),
    ],
)
def test_a_wrong_order_is_accepted_and_fails_later_at_no_cost(cloud, server, instance, parameters, message):
    body = cloud.end_of(instances=[{"prompt": "a cat", **instance}], parameters=parameters)
    assert (body["done"], body["error"]["code"]) == (True, 3)
    assert body["error"]["message"].startswith(message)
    assert (server.jobs.report()["orders"], server.jobs.report()["charged"]) == (1, 0)


def test_a_failure_may_have_another_code(cloud, server):
    server.jobs.fail_next("no storage.objects.create access", "7")
    assert cloud.end_of()["error"] == {"code": 7, "message": "no storage.objects.create access"}


@pytest.mark.parametrize(
    ("model", "body", "status"),
    [
        (MODEL.replace(LITE, "veo-9"), {}, "NOT_FOUND"),
        (MODEL, {"instances": []}, "INVALID_ARGUMENT"),
        (MODEL, {"instances": [{"negativePrompt": "x"}]}, "INVALID_ARGUMENT"),
        (MODEL, {"parameters": 1}, "INVALID_ARGUMENT"),
    ],
)
def test_an_order_without_form_is_refused_at_once(cloud, server, model, body, status):
    answer = cloud.order(model, **body)
    assert (answer.json()["error"]["code"], answer.json()["error"]["status"]) == (answer.status_code, status)
    assert server.jobs.report()["orders"] == 0


def test_an_unknown_operation_is_not_found(cloud):
    assert cloud.fetch(f"{MODEL}/operations/1")["error"]["status"] == "NOT_FOUND"


def test_a_body_that_is_not_json_is_refused(cloud):
    answer = cloud.http.post(f"/v1/{MODEL}:predictLongRunning", content=b"{")
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


# --- tokens


@pytest.mark.parametrize(
    ("headers", "reason"),
    [({}, "CREDENTIALS_MISSING"), ({"authorization": "Bearer ya29.other"}, "ACCESS_TOKEN_EXPIRED")],
)
def test_a_wrong_token_is_refused_in_googles_shape(server, headers, reason):
    answer = httpx.post(f"{server.url}/v1/{MODEL}:predictLongRunning", json={}, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"], error["details"][0]["reason"]) == (401, "UNAUTHENTICATED", reason)


def test_a_token_expires_on_command_or_in_time(cloud, server):
    cloud.server.tokens.expire()
    assert cloud.order().status_code == 401
    cloud.http.headers["authorization"] = f"Bearer {server.tokens.give()['access_token']}"
    assert cloud.order().status_code == 200
    server.now += 3601
    assert cloud.order().status_code == 401


@pytest.mark.parametrize("backend", ["vertex", "gemini-cloud"])
def test_an_expired_token_is_renewed_for_a_status_call(api):
    video = api.order()
    api.server.tokens.expire()
    assert api.client.get_video(video.id).id == video.id
    assert api.server.tokens.given == 2


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}, "invalid_grant"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}, "invalid_grant"),
    ],
)
def test_the_token_endpoint_checks_the_form(server, form, error):
    answer = httpx.post(f"{server.url}/token", data=form)
    assert (answer.status_code, answer.json()["error"], server.tokens.given) == (400, error, 0)


def test_the_key_of_a_service_account_can_be_fetched(server):
    key = httpx.get(f"{server.url}/service-account.json").json()
    assert (key["project_id"], key["token_uri"]) == (PROJECT, f"{server.url}/token")


# --- buckets


@pytest.mark.parametrize("backend", ["vertex", "gemini-cloud"])
def test_a_video_is_written_into_a_bucket(backend):
    with ExitStack() as stack:
        api = stack.enter_context(Api(backend, "gs://bucket/day/"))
        http = stack.enter_context(httpx.Client(base_url=api.server.url, timeout=60))
        http.headers["authorization"] = token_of(api.server)
        video = api.order()
        api.now += 100
        done = api.client.get_video(video.id)
        assert done.url.startswith("gs://bucket/day/")
        assert done.url.endswith("/sample_0.mp4")
        path = f"/storage/v1/b/bucket/o/{quote(done.url.removeprefix('gs://bucket/'), safe='')}"
        content = http.get(path, params={"alt": "media"})
        assert (content.status_code, content.headers["content-type"]) == (200, "video/mp4")
        assert mp4.is_video(content.content)
        part = http.get(path, params={"alt": "media"}, headers={"range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        described = http.get(path).json()
        assert (described["bucket"], described["size"]) == ("bucket", str(len(content.content)))
        assert f"gs://bucket/{described['name']}" == done.url
        wrong = http.get(path, headers={"authorization": "Bearer x"})
        assert (wrong.status_code, wrong.json()["error"]["errors"][0]["reason"]) == (401, "authError")
        missing = http.get("/storage/v1/b/bucket/o/other.mp4")
        assert (missing.status_code, missing.json()["error"]["message"]) == (404, "No such object: bucket/other.mp4")


def test_an_object_is_there_when_its_job_is_completed(cloud, server):
    name = cloud.order(parameters={"storageUri": "gs://bucket/", "durationSeconds": 4}).json()["name"]
    server.now += 100
    address = cloud.fetch(name)["response"]["videos"][0]["gcsUri"].removeprefix("gs://bucket/")
    server.now -= 50
    assert cloud.http.get(f"/storage/v1/b/bucket/o/{quote(address, safe='')}").status_code == 404


# --- gemini

gemini = pytest.mark.parametrize("dialect", ["gemini"], indirect=True)
OMNI_BODY = {
    "model": OMNI,
    "input": "a cat",
    "background": True,
    "response_format": {"type": "video", "resolution": "360p", "duration": "3s"},
}


@pytest.fixture
def interactions(server):
    with httpx.Client(base_url=f"{server.url}/v1", headers={"x-goog-api-key": KEY}, timeout=60) as http:
        yield http


def order(http, **fields):
    return http.post("/interactions", json=OMNI_BODY | fields)


@gemini
def test_a_completed_interaction_holds_its_video_and_its_usage(interactions, server):
    created = order(interactions).json()
    assert (created["object"], created["status"]) == ("interaction", "in_progress")
    server.now += 100
    done = interactions.get(f"/interactions/{created['id']}?stream=false").json()
    assert [step["type"] for step in done["steps"]] == ["thought", "model_output"]
    assert mp4.is_video(base64.b64decode(done["steps"][1]["content"][0]["data"]))
    usage = done["usage"]
    assert usage["total_tokens"] == sum(usage[f"total_{kind}_tokens"] for kind in ("input", "output", "thought"))


@gemini
@pytest.mark.parametrize("settings", [{"content_lag": 10.0}])
def test_a_file_is_processed_before_it_can_be_downloaded(interactions, server):
    form = OMNI_BODY["response_format"] | {"delivery": "uri"}
    created = order(interactions, response_format=[form]).json()
    server.now += 105
    done = interactions.get(f"/interactions/{created['id']}").json()
    uri = done["steps"][1]["content"][0]["uri"]
    name = uri.rpartition("/")[2]
    assert uri == f"{server.url}/v1beta/files/{name}"
    assert interactions.get(f"/files/{name}").json()["state"] == "PROCESSING"
    assert interactions.get(f"/files/{name}:download?alt=media").status_code == 400
    server.now += 10
    described = interactions.get(f"/files/{name}").json()
    content = interactions.get(f"/files/{name}:download", params={"alt": "media"}).content
    assert (described["state"], described["sizeBytes"]) == ("ACTIVE", str(len(content)))
    assert mp4.is_video(content)
    assert interactions.get("/files/other").status_code == 403
    assert httpx.get(uri).status_code == 400
    assert server.jobs.report()["content_requests"] == 1


@gemini
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input": ""}, "Missing input."),
        ({"colour": "red"}, "Unknown parameter 'colour'."),
        ({"stream": True}, "Omni does not support streaming."),
        ({"store": False}, "background requires store."),
        ({"safety_settings": []}, "The parameter 'safety_settings' is not available on the Gemini API"),
        ({"response_format": {"resolution": "8k"}}, "Invalid enum value '8k' at 'response_format.resolution'."),
        ({"response_format": {"duration": "16s"}}, "Invalid value for response_format.duration."),
        ({"response_format": {"duration": 8}}, "Invalid value for response_format.duration."),
        ({"response_format": 1}, "Invalid value for response_format."),
        ({"response_format": {"gcs_uri": "gs://b/"}}, "The parameter 'response_format.gcs_uri' is not available"),
        ({"generation_config": {"video_config": {"task": "sing"}}}, "Invalid enum value 'sing'"),
    ],
)
def test_a_wrong_interaction_is_refused_at_once(interactions, server, fields, message):
    answer = order(interactions, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith(message)
    assert server.jobs.report()["orders"] == 0


@gemini
def test_unknown_things_are_not_found(interactions):
    for answer in (
        order(interactions, model="gemini-omni-9-flash"),
        order(interactions, previous_interaction_id="v1_x"),
        interactions.get("/interactions/v1_x"),
    ):
        assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


@gemini
def test_a_wrong_key_is_refused(interactions):
    answer = interactions.post("/interactions", json=OMNI_BODY, headers={"x-goog-api-key": "other"})
    assert (answer.status_code, answer.json()["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")


@gemini
def test_a_deleted_interaction_is_forgotten(interactions, server):
    created = order(interactions).json()
    assert interactions.delete(f"/interactions/{created['id']}").json() == {}
    assert interactions.get(f"/interactions/{created['id']}").status_code == 404
    server.now += 100
    assert server.jobs.report()["charged"] == 1


@gemini
def test_an_ended_interaction_cannot_be_cancelled(interactions, server):
    created = order(interactions).json()
    server.now += 100
    answer = interactions.post(f"/interactions/{created['id']}/cancel")
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")


@gemini
@pytest.mark.parametrize("settings", [{"generation_seconds": 0.0}])
def test_without_background_the_call_lasts_until_the_end(interactions):
    assert order(interactions, background=False).json()["status"] == "completed"


@gemini
def test_the_platform_takes_tokens_and_no_keys(server):
    path = f"/v1beta1/projects/{PROJECT}/locations/global/interactions"
    refused = httpx.post(server.url + path, json=OMNI_BODY, headers={"x-goog-api-key": KEY})
    assert (refused.status_code, refused.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    headers = {"authorization": token_of(server)}
    form = OMNI_BODY["response_format"] | {"delivery": "uri"}
    answer = httpx.post(server.url + path, json=OMNI_BODY | {"response_format": form}, headers=headers)
    assert answer.json()["error"]["message"] == "response_format.gcs_uri is required for delivery 'uri'."


# --- openrouter

openrouter = pytest.mark.parametrize("dialect", ["openrouter"], indirect=True)


@pytest.fixture
def router(server):
    with httpx.Client(base_url=f"{server.url}/v1", headers={"authorization": f"Bearer {KEY}"}, timeout=60) as http:
        yield http


@openrouter
def test_an_order_has_an_address_for_polling(router, server):
    created = router.post("/videos", json={"model": "google/veo-3.1", "prompt": "a cat", "duration": 4})
    body = created.json()
    assert (created.status_code, set(body), body["status"]) == (202, {"id", "polling_url", "status"}, "pending")
    server.now += 50
    assert router.get(server.url + body["polling_url"]).json()["status"] == "in_progress"
    assert router.get(f"/videos/{body['id']}/content").status_code == 409
    server.now += 50
    done = router.get(server.url + body["polling_url"]).json()
    assert done["unsigned_urls"] == [f"{server.url}/v1/videos/{body['id']}/content?index=0"]
    assert done["usage"] == {"cost": 1.6, "is_byok": False}
    assert router.get(f"/videos/{body['id']}/content?index=1").status_code == 404


@openrouter
def test_our_backend_reads_the_list_of_models(server):
    with VeoClient(ClientSettings(server.url, KEY, backend=OpenRouterBackend())) as client:
        assert client.list_models() == ["google/veo-3.1", "google/veo-3.1-fast", "google/veo-3.1-lite"]


@openrouter
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model": "google/veo-9"}, 404),
        ({"prompt": ""}, 400),
        ({"duration": 5}, 400),
        ({"resolution": "4k"}, 400),
        ({"aspect_ratio": "1:1"}, 400),
        ({"size": "1x1"}, 400),
    ],
)
def test_a_wrong_order_is_refused_with_the_status_as_code(router, fields, status):
    answer = router.post("/videos", json={"model": "google/veo-3.1", "prompt": "a cat"} | fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)


@openrouter
@pytest.mark.parametrize(
    ("fields", "price", "size"),
    [
        ({"resolution": "4K"}, 4.8, "3840x2160"),
        ({"generate_audio": False}, 1.6, "1280x720"),
        ({"size": "1080x1920"}, 3.2, "1080x1920"),
        ({"aspect_ratio": "9:16"}, 3.2, "720x1280"),
    ],
)
def test_the_fields_of_an_order_choose_price_and_size(router, server, fields, price, size):
    router.post("/videos", json={"model": "google/veo-3.1", "prompt": "a cat"} | fields)
    (job,) = server.jobs.all()
    assert (job.model.price_usd, job.model.size) == (price, size)


@openrouter
def test_a_missing_key_is_refused(server):
    assert httpx.get(f"{server.url}/v1/videos/models").json()["error"] == {
        "code": 401,
        "message": "No auth credentials found",
    }
