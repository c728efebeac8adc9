"""Videos that Google writes into the user's bucket: how they are fetched, and when nothing is copied."""

from __future__ import annotations

import hashlib
import random
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.api.errors import ApiError, ContentError, Reason, VeoError
from airflow_provider_veo.emulator.dialects.google import make_object_names
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.operators.download import VeoDownloadOperator
from tests.support.mp4_boxes import make_video
from tests.support.scripted_server import Reply
from tests.support.task_driver import TaskDriver

BUCKET = "gs://my-bucket/day/"
CONTENT = make_video(random.Random(5).randbytes(40_000))
SECRET = {"x-portkey-api-key": "canary-of-a-header"}
FORBIDDEN = {
    "error": {
        "code": 403,
        "message": "airflow@p.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud "
        "Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist).",
        "errors": [{"message": "forbidden", "domain": "global", "reason": "forbidden"}],
    }
}


@pytest.fixture(params=["vertex", "gemini"])
def veo_emulator_dialect(request):
    return request.param


@pytest.fixture
def veo_emulator_settings(veo_emulator_dialect):
    return Settings(dialect=veo_emulator_dialect, generation_seconds=0.2)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VEO__SHORTEST_DEFERRAL", "0")
    monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(content_poll_interval=0.05, retry_pause=0.001))


@pytest.fixture
def connect(veo_emulator, veo_emulator_dialect):
    """Return a function that connects to the emulator, with a bucket. It may be on another server."""

    def set_connection(storage_url=None, **extra):
        extra |= {"storage_url": storage_url or veo_emulator.url}
        if veo_emulator_dialect == "gemini":
            extra |= {"project": "my-project", "location": "global"}
        veo_emulator.connect("veo_default", output_uri=BUCKET, **extra)

    return set_connection


def task(**arguments):
    return TaskDriver({"prompt": "a boat", "destination": "{video_id}.mp4", "timeout": 60.0} | arguments, retries=2)


def ordered():
    """Order a video, wait for it, and return its ID."""
    hook = VeoHook()
    result = task(destination=None).run()
    assert isinstance(result, dict), result
    assert hook.get_video(result["id"]).url.startswith(BUCKET)
    return result["id"]


def requests_of(emulator, words):
    return [line for line in emulator._jobs.requests if words in line]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_video_in_a_bucket_is_stored(veo_emulator, connect, deferrable):
    connect()
    result = task(deferrable=deferrable).run()
    assert isinstance(result, dict), result
    assert Path(result["path"]).read_bytes()[4:8] == b"ftyp"
    assert len(requests_of(veo_emulator, "/storage/v1/b/my-bucket/o/")) == 1
    assert (len(veo_emulator.orders), veo_emulator.charged) == (1, 1)


def test_an_address_in_a_bucket_is_stored_by_its_address_alone(veo_emulator, connect, tmp_path):
    connect()
    address = VeoHook().get_video(ordered()).url
    stored = VeoHook().download_video(tmp_path / "a.mp4", url=address)
    assert Path(stored.path).read_bytes()[4:8] == b"ftyp"


def test_a_token_that_the_bucket_refuses_is_renewed_once(veo_emulator, connect, tmp_path):
    connect()
    address = VeoHook().get_video(ordered()).url
    given = veo_emulator._tokens.given
    veo_emulator.expire_tokens()
    VeoHook().download_video(tmp_path / "a.mp4", url=address)
    assert veo_emulator._tokens.given == given + 1


def test_a_bucket_that_refuses_every_token_is_an_error(serve, veo_emulator, connect, tmp_path):
    connect()
    address = VeoHook().get_video(ordered()).url
    refusing = serve(lambda _request: Reply(401, {"error": {"code": 401, "message": "Invalid Credentials"}}))
    connect(refusing.url)
    with pytest.raises(ApiError, match="Invalid Credentials") as caught:
        VeoHook().download_video(tmp_path / "a.mp4", url=address)
    assert caught.value.reason is Reason.AUTHENTICATION
    first, second = refusing.requests
    assert first.headers["authorization"] != second.headers["authorization"]


def test_a_bucket_without_rights_is_an_error_that_says_so(serve, veo_emulator, connect, tmp_path):
    connect()
    video_id = ordered()
    refusing = serve(lambda _request: Reply(403, FORBIDDEN))
    connect(refusing.url, headers=SECRET)
    with pytest.raises(ApiError, match=r"storage\.objects\.get") as caught:
        VeoHook().download_video(tmp_path / "a.mp4", video_id=video_id)
    assert caught.value.reason is Reason.FORBIDDEN
    assert "no key was sent" not in str(caught.value)
    assert len(refusing.requests) <= 2
    for request in refusing.requests:
        assert request.headers["authorization"].startswith("Bearer ya29.")
        assert SECRET.keys() & request.headers.keys() == set()
    # the right was granted: the task stores the video that is paid for
    serving = serve(lambda _request: Reply(body=CONTENT))
    connect(serving.url)
    assert VeoHook().download_video(tmp_path / "a.mp4", video_id=video_id).bytes == len(CONTENT)


def test_a_task_without_rights_orders_nothing_more(serve, veo_emulator, connect):
    refusing = serve(lambda _request: Reply(403, FORBIDDEN))
    connect(refusing.url)
    one = task()
    assert isinstance(one.run(), Exception)
    assert len(veo_emulator.orders) == 1
    assert "storage.objects.get" in str(one.errors[0])


def test_an_object_that_is_missing_is_waited_for(serve, veo_emulator, connect, tmp_path):
    connect()
    video_id = ordered()
    missing = Reply(404, {"error": {"code": 404, "message": "No such object: my-bucket/day/1/sample_0.mp4"}})
    answers = iter([missing, missing, missing])
    late = serve(lambda _request: next(answers, Reply(body=CONTENT)))
    connect(late.url)
    assert VeoHook().download_video(tmp_path / "a.mp4", video_id=video_id).bytes == len(CONTENT)
    never = serve(lambda _request: missing)
    connect(never.url)
    with pytest.raises(ContentError, match="No such object"):
        VeoHook().download_video(tmp_path / "b.mp4", video_id=video_id, content_timeout=timedelta(seconds=0.3))


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_of_the_bucket_gets_no_token(serve, veo_emulator, connect, tmp_path, status):
    connect()
    video_id = ordered()
    other = serve(lambda _request: Reply(body=CONTENT))
    bucket = serve(
        lambda _request: Reply(status, headers={"Location": f"{other.url}/storage/v1/b/my-bucket/o/x?alt=media"})
    )
    connect(bucket.url, headers=SECRET)
    VeoHook().download_video(tmp_path / "a.mp4", video_id=video_id)
    assert bucket.requests[0].headers["authorization"].startswith("Bearer ya29.")
    (request,) = other.requests
    assert {"authorization", "x-goog-user-project", "x-goog-api-key", *SECRET} & request.headers.keys() == set()


def test_the_other_paths_of_the_storage_get_no_token(serve, veo_emulator, connect, tmp_path):
    bucket = serve(lambda _request: Reply(body=CONTENT))
    connect(bucket.url)
    for path in ("/my-bucket/day/x.mp4", "/upload/storage/v1/b/my-bucket/o/x"):
        VeoHook().download_video(tmp_path / "a.mp4", url=f"{bucket.url}{path}", if_exists="overwrite")
    assert ["authorization" in request.headers for request in bucket.requests] == [False, False]


def test_a_transfer_from_a_bucket_that_breaks_off_is_continued(serve, veo_emulator, connect, tmp_path):
    connect()
    video_id = ordered()
    answers = iter([Reply(body=CONTENT, headers={"ETag": '"1"'}, close_early=20_000)])

    def reply(request):
        rest = CONTENT[20_000:]
        found = {"Content-Range": f"bytes 20000-{len(CONTENT) - 1}/{len(CONTENT)}", "ETag": '"1"'}
        return next(answers, None) or Reply(206, rest, headers=found)

    bucket = serve(reply)
    connect(bucket.url)
    stored = VeoHook().download_video(tmp_path / "a.mp4", video_id=video_id)
    assert stored.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert bucket.requests[-1].headers["range"] == "bytes=20000-"


# --- a destination that contains the folder of the bucket


class GoogleStorage(fsspec.get_filesystem_class("memory")):
    """A storage in memory for `gs://`. It gets the videos of all jobs, as Google writes them.

    Attributes:
        jobs: Returns the jobs of the emulator.
        content: Content of each video; None if Google has written none.
    """

    protocol = ("gs", "gcs")
    store: ClassVar = {}
    pseudo_dirs: ClassVar = [""]

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("gs://"))

    def info(self, path, **options):
        for job in self.jobs():
            (address,) = make_object_names(BUCKET, job.id, 1)
            if self.content and self._strip_protocol(address) not in self.store:
                self.pipe_file(address, self.content)
        return super().info(path, **options)

    def _put_file(self, part, path, mode="overwrite"):
        raise AssertionError("only its signature is asked for")

    def put_file(self, part, path, mode="overwrite"):
        if mode == "create" and self.exists(path):
            raise FileExistsError(path)
        self.pipe_file(path, Path(part).read_bytes())


STORAGE = GoogleStorage(skip_instance_cache=True)


@pytest.fixture
def bucket(veo_emulator):
    try:
        from airflow.sdk.io import attach
    except ImportError:  # Airflow 2
        from airflow.io.store import attach
    for conn_id in (None, "google"):
        attach("gs", conn_id, fs=STORAGE)  # Airflow keeps the first one
    STORAGE.jobs, STORAGE.content = (lambda: veo_emulator.orders), CONTENT
    yield STORAGE
    STORAGE.store.clear()
    STORAGE.pseudo_dirs[:] = [""]


@pytest.mark.parametrize("destination", [BUCKET, "gs://google@my-bucket/day/", "gs://my-bucket/"])
def test_nothing_is_copied_within_the_destination(veo_emulator, connect, bucket, destination):
    connect()
    result = task(destination=destination).run()
    assert isinstance(result, dict), result
    address = VeoHook().get_video(result["id"]).url
    assert result["path"].replace("google@", "") == address
    assert (result["bytes"], result["sha256"]) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert requests_of(veo_emulator, "/storage/v1/b/") == []
    assert [name for name in bucket.store if name.endswith(".mp4")] == [address.removeprefix("gs:/")]


def test_a_retry_hands_the_object_over(veo_emulator, connect, bucket):
    connect()
    one = task(destination=BUCKET)
    one.fails_afterwards = 1
    result = one.run()
    assert isinstance(result, dict), result
    assert [str(error) for error in one.errors] == ["the template of the task's name is wrong"]
    assert result["path"] == VeoHook().get_video(result["id"]).url
    assert (len(veo_emulator.orders), veo_emulator.charged) == (1, 1)


def test_a_download_task_hands_the_object_over(veo_emulator, connect, bucket):
    connect()
    arguments = {"video_id": ordered(), "destination": BUCKET}
    result = TaskDriver(arguments, operator=VeoDownloadOperator).run()
    assert result["path"].startswith(BUCKET)
    assert result["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("destination", ["gs://my-bucket/other/", "gs://movies/day/", f"{BUCKET}{{video_id}}.mp4"])
def test_a_destination_elsewhere_gets_a_copy(veo_emulator, connect, bucket, destination):
    connect()
    result = task(destination=destination).run()
    assert isinstance(result, dict), result
    assert result["path"] != VeoHook().get_video(result["id"]).url
    assert len(requests_of(veo_emulator, "/storage/v1/b/my-bucket/o/")) == 1


def test_an_object_that_is_not_a_whole_video_is_no_result(veo_emulator, connect, bucket):
    connect()
    bucket.content = CONTENT[:20_000]
    one = task(destination=BUCKET)
    error = one.run()
    assert isinstance(error, VeoError | AirflowFailException)
    assert "is not a whole video" in str(error)
    assert len(veo_emulator.orders) == 1


def test_an_object_that_the_storage_does_not_show_is_fetched(veo_emulator, connect, bucket):
    """For example if it is deleted by a rule of the bucket while the task waits for its retry."""
    connect()
    bucket.content = None
    result = task(destination=BUCKET).run()
    assert isinstance(result, dict), result
    assert result["path"].startswith(BUCKET)
    assert len(requests_of(veo_emulator, "/storage/v1/b/my-bucket/o/")) == 1
