"""Who may talk to the server: this machine, under its own name, from its own pages. With the project's config.toml."""

from __future__ import annotations

import base64
import http.client
import os
from collections.abc import Iterator

import psutil
import pytest
from browser_harness import ROOT, AppServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    with AppServer(ROOT / "tests/browser/apps/harness_app.py", tmp_path_factory.mktemp("door")) as server:
        yield server


def answer(server: AppServer, path: str, **headers: str) -> int:
    """Status of a GET with these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("GET", path, skip_host=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def socket_headers(host: str, origin: str) -> dict[str, str]:
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": key}
    return {"Host": host, "Origin": origin} | upgrade


def test_only_this_machine_can_reach_the_server(server: AppServer) -> None:
    listening = [
        connection.laddr.ip
        for process in server.processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("host", "origin", "welcome"),
    [
        ("127.0.0.1", "http://127.0.0.1", True),
        ("localhost", "http://localhost", True),
        ("127.0.0.1", "http://evil.example", False),
        ("evil.example", "http://evil.example", False),  # DNS rebinding: both names are the attacker's
    ],
)
def test_the_web_socket_that_carries_all_data_opens_to_our_own_pages_only(
    server: AppServer, host: str, origin: str, welcome: bool
) -> None:
    headers = socket_headers(f"{host}:{server.port}", f"{origin}:{server.port}")
    assert (answer(server, "/_stcore/stream", **headers) == 101) == welcome
