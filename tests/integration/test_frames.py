"""Frames that cannot be used: a task that has one sends no request to its gateway."""

from __future__ import annotations

import base64
import itertools
import socket
from types import SimpleNamespace

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_veo.api.errors import InvalidInputError
from airflow_provider_veo.api.formats.frames import MAX_FRAME_BYTES
from airflow_provider_veo.exceptions import VeoFailException
from airflow_provider_veo.storage.frames import load_frame
from tests.support.pictures import picture
from tests.support.scripted_server import Reply
from tests.support.task_driver import TaskDriver

try:
    from airflow.sdk.io import attach
except ImportError:  # before Airflow 3
    from airflow.io.store import attach

PNG = picture()
HTML = b"<!doctype html><title>Log in</title>"


class LockedFileSystem(fsspec.AbstractFileSystem):
    """A storage that refuses access."""

    protocol = "locked"

    def _open(self, path, mode="rb", **_):
        raise PermissionError(f"AccessDenied: {path}")


@pytest.fixture
def place(tmp_path, serve):
    """Return functions that make a bad frame and return its address as a Dag would write it."""

    def file(name, content):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    def url(status=200, body=b"", close_early=None, **headers):
        return f"{serve(lambda _request: Reply(status, body, headers, close_early)).url}/cat.png?token=canary-1b"

    def locked():
        attach("memory", conn_id="locked", fs=LockedFileSystem())
        return ObjectStoragePath("memory://locked@bucket/cat.png")

    return SimpleNamespace(file=file, url=url, locked=locked, folder=tmp_path)


def data_uri(content):
    return "data:image/png;base64," + base64.b64encode(content).decode()


BAD = {
    "missing": (lambda place: str(place.folder / "no.png"), "cannot be read: FileNotFoundError"),
    "empty": (lambda place: place.file("a.png", b""), "is empty"),
    "truncated": (lambda place: place.file("a.jpg", picture("JPEG")[:-10]), "is cut off"),
    "damaged": (lambda place: place.file("a.png", PNG[:60] + b"XX" + PNG[62:]), "a checksum does not match"),
    "text named png": (lambda place: place.file("a.png", b"hello"), "is not a JPEG, PNG or WebP"),
    "svg": (lambda place: place.file("a.svg", b"<svg/>"), "is an SVG, not"),
    "gif": (lambda place: place.file("a.gif", picture("GIF")), "is a GIF, not"),
    "10 MB + 1": (lambda place: place.file("a.png", PNG.ljust(MAX_FRAME_BYTES + 1)), "is larger than 10 MB"),
    "a folder": (lambda place: str(place.folder), "cannot be read: IsADirectoryError"),
    "404": (lambda place: place.url(404), "cannot be read: HTTP 404"),
    "HTML": (lambda place: place.url(body=HTML, **{"Content-Type": "image/png"}), "is an HTML page, not"),
    "endless": (lambda place: place.url(body=PNG * (2 * MAX_FRAME_BYTES // len(PNG))), "is larger than 10 MB"),
    "cut URL": (lambda place: place.url(body=PNG, close_early=100), "cannot be read: "),
    "to a private address": (
        lambda place: place.url(302, Location="http://10.255.255.1/latest/"),
        r"leads to http://10\.255\.255\.1/latest/, and 10\.255\.255\.1 is not a public address",
    ),
    "to this machine by another name": (
        lambda place: place.url(307, Location="http://localhost:1/"),
        "is not a public address",
    ),
    "metadata of a cloud": (lambda _: "http://169.254.169.254/latest/meta-data", "is not a public address"),
    "endless redirects": (lambda place: place.url(302, Location="/cat.png"), "more than 5 redirects"),
    "to a file": (lambda place: place.url(302, Location="file:///etc/passwd"), "not an http"),
    "no server": (lambda _: "http://127.0.0.1:1/cat.png", "cannot be read: .*ConnectError"),
    "bad base64": (lambda _: "data:image/png;base64,%%%", "is not a valid data URI"),
    "data that is not a picture": (lambda _: data_uri(b"hello"), "is not a JPEG, PNG or WebP"),
    "no driver": (lambda _: "nosuch://bucket/a.png", "cannot be read: "),
    "locked storage": (
        lambda place: place.locked(),
        "cannot be read: PermissionError: AccessDenied",
    ),
}


@pytest.mark.parametrize(("kind", "argument"), itertools.product(BAD, ["first_frame", "last_frame"]))
def test_a_bad_frame_sends_no_request(veo_default, place, kind, argument):
    make, complaint = BAD[kind]
    good = place.file("good.png", PNG)
    frames = {"first_frame": good, "last_frame": good} | {argument: make(place)}
    error = TaskDriver({"prompt": "p", "model": "veo-3.1-fl", **frames}, retries=2).run()
    assert isinstance(error, VeoFailException)
    assert argument in str(error)
    assert "canary" not in str(error)
    assert pytest.raises(VeoFailException, match=complaint).matches(error)
    assert list(veo_default.jobs.requests) == []


def test_a_redirect_on_the_host_of_a_frame_is_followed(serve):
    def answer(request):
        return Reply(302, b"", {"Location": "/b.png"}) if request.path == "/a.png" else Reply(body=PNG)

    server = serve(answer)
    assert load_frame(f"{server.url}/a.png", "first_frame").content == PNG


def test_a_host_name_that_changes_its_address_does_not_lead_to_loopback(serve, monkeypatch):
    """The host of the redirect is public when it is checked, and this machine when the client connects to it."""
    server = serve(lambda request: Reply(302, b"", {"Location": f"http://rebinding.example:{port}/b.png"}))
    port, real = server.url.rpartition(":")[2], socket.getaddrinfo

    def rebinding(host, asked_port, *args, **kwargs):
        if host == "rebinding.example":
            host = "93.184.216.34" if asked_port is None else "127.0.0.1"
        return real(host, asked_port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with pytest.raises(InvalidInputError, match=r"127\.0\.0\.1 is not a public address"):
        load_frame(f"{server.url}/a.png", "first_frame")
    assert len(server.requests) == 1


def test_a_frame_of_another_shape_is_only_a_warning(veo_default, place, caplog, capsys):
    wide = place.file("wide.png", picture("PNG", 160, 90))
    result = TaskDriver({"prompt": "p", "model": "veo-3.1-fl", "first_frame": wide}).run()
    assert result["status"] == "completed"
    log = caplog.text + capsys.readouterr().out  # Airflow logs to one of the two
    assert "first_frame is 160x90, and the video of 'veo-3.1-fl' will be 720x1280" in log
