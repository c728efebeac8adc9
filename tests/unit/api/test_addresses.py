from __future__ import annotations

import socket

import pytest

from airflow_provider_veo.api.addresses import check_address
from airflow_provider_veo.api.errors import InvalidInputError

HOSTS = {
    "cdn.example": ["93.184.216.34", "2606:2800:220:1::1"],
    "intranet.example": ["10.1.2.3"],
    "two-faced.example": ["93.184.216.34", "192.168.0.1"],
    "cloud.example": ["169.254.169.254"],
    "link.example": ["fe80::1%eth0"],
    "unique-local.example": ["fd00::1"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "shared.example": ["100.64.0.1"],
    "localhost": ["127.0.0.1", "::1"],
    "0": ["0.0.0.0"],
    "2130706433": ["127.0.0.1"],
}


@pytest.fixture(autouse=True)
def resolver(monkeypatch):
    def getaddrinfo(host, port, **_):
        if host not in HOSTS:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, port)) for address in HOSTS[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("host", sorted(HOSTS.keys() - {"cdn.example"}))
def test_a_redirect_into_a_private_network_is_refused(host):
    with pytest.raises(InvalidInputError, match=r"last_frame leads to http://.*, and .* is not a public address"):
        check_address(f"http://{host}:8080/a.png?token=x", "https://cdn.example/a.png", "last_frame")


@pytest.mark.parametrize("host", ["cdn.example", "unknown.example", "intranet.example", "localhost", "mapped.example"])
def test_the_host_that_the_user_has_written_is_asked(host):
    check_address(f"https://{host}/b.png", f"http://{host}:9000/a.png", "first_frame")


@pytest.mark.parametrize("host", ["cloud.example", "link.example"])
def test_a_link_local_host_is_never_asked(host):
    with pytest.raises(InvalidInputError, match="not a public address"):
        check_address(f"http://{host}/", f"http://{host}/", "first_frame")
