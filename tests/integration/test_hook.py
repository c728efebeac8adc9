"""The hook in a user's own code: it orders, waits and stores, and tests its connection."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta

import pytest

from airflow_provider_veo.api.content.download import DownloadPolicy
from airflow_provider_veo.api.errors import ContentNotReadyError, VideoFailedError
from airflow_provider_veo.api.specs import VideoSpec
from airflow_provider_veo.emulator.dialects import OPENAI_DIALECTS
from airflow_provider_veo.emulator.jobs import Settings
from airflow_provider_veo.emulator.server import EmulatorServer
from airflow_provider_veo.hooks.connection import wait_policy
from airflow_provider_veo.hooks.veo import VeoHook
from tests.support.mp4_boxes import make_video
from tests.support.scripted_server import KEY, Reply, connect, every_dialect

SPEC = VideoSpec("a cat", "veo-3.1", seconds=1, size="128x128")
VIDEO = make_video()


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    monkeypatch.setattr(VeoHook, "download_policy", DownloadPolicy(content_poll_interval=0.05))


@every_dialect
def test_the_hook_orders_a_video_and_stores_it(veo_default, tmp_path):
    hook = VeoHook()
    video = hook.create_video(SPEC)
    outcome = hook.wait_for_video(video.id)
    stored = hook.download_video(tmp_path / "cat.mp4", video_id=outcome.video_id)
    assert hook.get_video(video.id).status.value == "completed"
    content = (tmp_path / "cat.mp4").read_bytes()
    assert (stored.bytes, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(
    "emulator", [name for name in OPENAI_DIALECTS if name not in ("litellm", "new-api")], indirect=True
)
def test_a_failed_job_is_an_error_with_its_reason(veo_default):
    veo_default.jobs.fail_next("Content policy violation")
    hook = VeoHook()
    with pytest.raises(VideoFailedError, match="Content policy violation"):
        hook.wait_for_video(hook.create_video(SPEC).id, wait_policy(time.time(), poll_interval=0.05))


def test_a_download_waits_for_late_content(monkeypatch, tmp_path):
    with EmulatorServer(Settings(api_key=KEY, generation_seconds=0, content_lag=0.5)) as lagging:
        connect(monkeypatch, lagging.url)
        hook = VeoHook()
        video = hook.create_video(SPEC)
        assert hook.get_video(video.id).status.value == "completed"
        assert hook.download_video(tmp_path / "a.mp4", video_id=video.id).bytes > 10_000


def test_a_download_fails_if_the_content_never_comes(serve, monkeypatch, tmp_path):
    job = {"id": "v", "status": "completed"}
    lagging = Reply(404, {"detail": "Generation is still in-progress"})
    server = serve(lambda request: lagging if request.path.endswith("/content") else Reply(body=job))
    connect(monkeypatch, server.url)
    with pytest.raises(ContentNotReadyError, match="still in-progress"):
        VeoHook().download_video(tmp_path / "a.mp4", video_id="v", content_timeout=timedelta(seconds=0.2))
    assert len(server.requests) > 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_a_folder_gets_the_name_in_its_address(serve, monkeypatch, tmp_path):
    server = serve(Reply(body=VIDEO))
    connect(monkeypatch, server.url)
    stored = VeoHook().download_video(f"{tmp_path}/", url=f"{server.url}/flow/video.mp4?sig=x")
    assert stored.path == str(tmp_path / "video.mp4")


class TestTheTestButton:
    @every_dialect
    def test_a_good_connection_passes_the_test(self, veo_default):
        assert VeoHook().test_connection() == (True, f"{veo_default.url} answers and accepts the key.")
        assert veo_default.jobs.report()["orders"] == 0

    def test_a_missing_ca_bundle_names_the_connection(self, monkeypatch):
        connect(monkeypatch, "https://api.example.com", verify="/no/such.pem")
        ok, message = VeoHook().test_connection()
        assert not ok
        assert "'/no/such.pem', which cannot be read" in message
        assert "Correct the path, or put the file there on all workers" in message
        assert "connection 'veo_default'" in message

    def test_the_error_names_a_broken_connection(self, monkeypatch):
        connect(monkeypatch, "ftp://x")
        ok, message = VeoHook().test_connection()
        assert not ok
        assert "'veo_default'" in message
