"""Hosts that requests reach, and log lines about them."""

from __future__ import annotations

import base64
import logging
import socket
import subprocess
import sys
import threading

import pytest

from airflow_provider_veo.api.client import AsyncVeoClient, VeoClient
from airflow_provider_veo.api.errors import InvalidInputError, VeoError
from airflow_provider_veo.api.settings import ClientSettings
from airflow_provider_veo.hooks.veo import VeoHook
from airflow_provider_veo.storage.frames import load_frame
from tests.integration.test_storing import VIDEO
from tests.support.contents import open_content
from tests.support.scripted_server import Reply, connect

PUBLIC, LOOPBACK, METADATA = "93.184.216.34", "127.0.0.1", "169.254.169.254"


class Names:
    """A stand-in for DNS: a name has given addresses for a check, and the address of this machine for a connection."""

    def __init__(self, real):
        self.addresses = {}
        self.real = real

    def getaddrinfo(self, host, port, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.addresses:
            return self.real(host, port, *args, **kwargs)
        found = self.addresses[name] if port is None else [LOOPBACK]
        return [entry for address in found for entry in self.real(address, port, *args, **kwargs)]


@pytest.fixture
def names(monkeypatch):
    names = Names(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    return names.addresses


@pytest.fixture
def files(serve):
    return serve(lambda _: Reply(body=VIDEO))


def named(server):
    return server.url.replace("127.0.0.1", "gateway.example")


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/a.mp4", f"http://{METADATA}/latest/meta-data/"])
@pytest.mark.parametrize(
    "addresses",
    [[PUBLIC], [PUBLIC, LOOPBACK], [LOOPBACK, PUBLIC], [PUBLIC, METADATA], [METADATA], [LOOPBACK, METADATA]],
)
def test_the_name_of_a_gateway_does_not_open_a_private_network(
    serve, files, names, monkeypatch, tmp_path, addresses, target
):
    names["gateway.example"] = addresses
    where = target.format(port=files.url.rpartition(":")[2])
    server = serve(lambda _: Reply(302, headers={"Location": where}))
    connect(monkeypatch, named(server))
    with pytest.raises(InvalidInputError, match="is not a public address"):
        VeoHook().download_video(tmp_path / "a.mp4", video_id="v")
    assert files.requests == []


@pytest.mark.parametrize("setting", [{}, {"allow_private_addresses": True}])
@pytest.mark.parametrize("host", ["169.254.0.23", "168.63.129.16", "100.100.100.200", "[fd00:ec2::254]", "192.0.0.192"])
def test_no_setting_opens_the_metadata_of_a_cloud(serve, monkeypatch, tmp_path, host, setting):
    server = serve(lambda _: Reply(302, headers={"Location": f"http://{host}/"}))
    connect(monkeypatch, server.url, **setting)
    with pytest.raises(InvalidInputError, match="No setting opens such addresses"):
        VeoHook().download_video(tmp_path / "a.mp4", video_id="v")
    with pytest.raises(InvalidInputError, match="No setting opens such addresses"):
        load_frame(f"http://{host}/a.png", "first_frame")


def test_a_gateway_on_loopback_may_name_files_on_loopback(serve, files, names, monkeypatch, tmp_path):
    names["gateway.example"] = [LOOPBACK]
    server = serve(lambda _: Reply(302, headers={"Location": f"{files.url}/a.mp4"}))
    connect(monkeypatch, named(server))
    VeoHook().download_video(tmp_path / "a.mp4", video_id="v")
    assert [request.path for request in server.requests] == ["/v1/videos/v/content"]
    assert (tmp_path / "a.mp4").read_bytes() == VIDEO


def test_a_download_by_address_first_connects_to_the_gateway(serve, files, names, monkeypatch, tmp_path):
    names["gateway.example"] = [LOOPBACK]
    server = serve(lambda _: Reply(404))
    connect(monkeypatch, named(server))
    VeoHook().download_video(tmp_path / "a.mp4", url=f"{files.url}/a.mp4")
    assert [request.path for request in server.requests] == ["/v1/models"]
    assert (tmp_path / "a.mp4").read_bytes() == VIDEO


def test_a_gateway_on_loopback_without_its_certificate_opens_nothing(serve, files, names):
    names["gateway.example"] = [LOOPBACK]
    settings = ClientSettings(named(serve(lambda _: Reply(404))).replace("http:", "https:"))
    with VeoClient(settings) as client, pytest.raises(VeoError), open_content(client, url=f"{files.url}/a.mp4"):
        pass
    assert files.requests == []


def test_a_redirect_of_a_frame_to_another_address_of_its_host_is_refused(serve, names):
    """The host has a public address when it is checked, and leads to this machine at the second connection."""
    names["gateway.example"] = [PUBLIC]
    server = serve(lambda request: Reply(302, headers={"Location": "/b.png"}))
    with pytest.raises(InvalidInputError, match=r"127\.0\.0\.1 is not a public address"):
        load_frame(f"{named(server)}/a.png", "first_frame")
    assert [request.path for request in server.requests] == ["/a.png"]


def test_a_user_and_a_password_in_an_address_are_sent(serve, monkeypatch, tmp_path):
    files = serve(lambda _: Reply(body=VIDEO))
    connect(monkeypatch, files.url)
    url = files.url.replace("://", "://user:pass%20word@").replace("127.0.0.1", "localhost")
    VeoHook().download_video(tmp_path / "a.mp4", url=f"{url}/a.mp4")
    sent = files.requests[0].headers["authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"user:pass word"


SIGNED = "/files/a.mp4?X-Amz-Signature=canary"


@pytest.fixture
def signing(serve):
    """Start a server that redirects all requests to a signed address, and shows it in other headers, too."""

    def answer(request):
        if request.path == SIGNED:
            return Reply(body=VIDEO)
        headers = {"Location": SIGNED, "Set-Cookie": "session=canary", "X-Url": SIGNED}
        return Reply(302, headers=headers)

    return serve(answer)


async def all_calls(settings):
    with VeoClient(settings) as client:
        with open_content(client, video_id="v") as stream:
            assert b"".join(stream.chunks) == VIDEO
        with pytest.raises(VeoError):
            client.get_video("v")
    async with AsyncVeoClient(settings) as client:
        with pytest.raises(VeoError):
            await client.get_video("v")
    with pytest.raises(InvalidInputError):
        load_frame(f"{settings.base_url}/a.png", "first_frame")


async def test_no_level_of_logging_shows_a_signed_address(signing, caplog):
    caplog.set_level(logging.DEBUG)
    await all_calls(ClientSettings(signing.url))
    assert caplog.text.count("receive_response_headers.complete return_value=(b'HTTP/1.1', 302)") >= 4
    assert "canary" not in caplog.text


async def test_calls_log_nothing_at_airflows_level(signing, caplog):
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "httpx")  # Airflow 3 raises this level, 2.11 does not
    await all_calls(ClientSettings(signing.url))
    assert [record for record in caplog.records if record.name.startswith("http")] == []


async def test_no_level_of_logging_quotes_a_malformed_header(caplog):
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            for _ in range(2):
                connection, _ = server.accept()
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 302 X\r\nLocation canary\r\n\r\n")
                connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        settings = ClientSettings(f"http://127.0.0.1:{server.getsockname()[1]}")
        with VeoClient(settings) as client, pytest.raises(VeoError):
            client.get_video("v")
        async with AsyncVeoClient(settings) as client:
            with pytest.raises(VeoError):
                await client.get_video("v")
        thread.join()
    assert caplog.text.count("receive_response_headers.failed") == 2
    assert "canary" not in caplog.text


SETTINGS_OF_THE_PROCESS = """
import gc, logging
import httpx, httpcore, asgiref
import airflow.providers.common.compat.sdk, airflow.models

def settings():
    loggers = {name: logging.getLogger(name) for name in NAMES}
    logs = {name: (one.level, list(one.filters), list(one.handlers), one.disabled) for name, one in loggers.items()}
    return logs, gc.get_freeze_count(), gc.get_threshold(), gc.isenabled()

NAMES = ("", "httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "asyncio", "airflow")
logging.getLogger("httpx").setLevel(logging.NOTSET)  # as on Airflow 2.11
before = settings()
import airflow_provider_veo.hooks.veo, airflow_provider_veo.triggers.video, airflow_provider_veo.operators.create
assert settings() == before, (before, settings())
"""


def test_imports_change_no_setting_of_the_process():
    subprocess.run([sys.executable, "-c", SETTINGS_OF_THE_PROCESS], check=True)
