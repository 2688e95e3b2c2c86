"""The operators' port: what each path answers, to whom, and that nothing stays behind when it closes."""

import contextlib
import io
import json
import os
import resource
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from connector import logs
from connector.clock import SYSTEM
from connector.config.site import Site
from connector.errors import ConfigError
from connector.service.server import BODY_BYTES, Server
from tests.statussource import Streams


@pytest.fixture
def streams() -> Streams:
    """Return a supervisor without streams."""
    return Streams()


@pytest.fixture
def http(streams: Streams) -> Iterator[httpx.Client]:
    """Yield a client of a running server."""
    with (
        Server(
            Site("127.0.0.1", 0), streams, lambda: b"up 1\n", "text/plain; version=1.0.0; charset=utf-8", SYSTEM
        ) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=10) as client,
    ):
        yield client


def test_an_authentic_webhook_wakes_its_connection(http: httpx.Client, streams: Streams) -> None:
    """The supervisor gets everything that a signature may cover: method, raw path with query, headers, exact body."""
    answer = http.post("/webhooks/blog?a=%2F&b=1", content=b'{ "x" : 1 }', headers={"X-Secret": "right"})
    assert answer.status_code == 202
    ((connection, (call,)),) = streams.calls
    assert (connection, call.method, call.path, call.body) == (
        "blog", "POST", "/webhooks/blog?a=%2F&b=1", b'{ "x" : 1 }',
    )  # fmt: skip
    assert call.headers["x-secret"] == "right"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_webhook_body_is_refused_unread(http: httpx.Client, streams: Streams, chunked: bool) -> None:  # noqa: FBT001  # parametrized
    """A body over the bound never reaches the supervisor, whether its length is announced or not."""
    body = b"x" * (BODY_BYTES + 1)
    with http.stream("POST", "/webhooks/blog", content=iter([body]) if chunked else body) as answer:
        assert answer.status_code == 413
    assert streams.calls == []


def test_answers_forbid_scripts_frames_and_caches(http: httpx.Client) -> None:
    """Every answer, even an error, carries the headers that keep a browser from doing more than showing it."""
    for path in ("/", "/metrics", "/nothing"):
        headers = http.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_stopping_closes_the_port_and_leaves_no_thread() -> None:
    """After stop the port is free again and every thread that served it has ended."""
    before = set(threading.enumerate())
    server = Server(Site("127.0.0.1", 0), Streams(), lambda: b"", "text/plain", SYSTEM).start()
    port = server.port
    with httpx.Client(trust_env=False) as client:
        client.get(f"http://127.0.0.1:{port}/healthz")
        server.stop()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before
    socket.create_server(("127.0.0.1", port)).close()
    server.stop()


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    """The error for a second process on one port names the setting to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"cannot open 127\.0\.0\.1:{port}: Address already in use") as caught:
            Server(Site("127.0.0.1", port), Streams(), lambda: b"", "text/plain", SYSTEM).start()
    assert "server.listen" in caught.value.hint


def test_nothing_of_a_webhook_is_logged(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Neither body nor headers of a call appear in any log line, refused or not."""
    caplog.set_level("DEBUG", logger="waitress")
    http.post("/webhooks/blog", content=json.dumps({"field": "confidential"}), headers={"X-Secret": "confidential"})
    assert not [record for record in caplog.records if "confidential" in record.getMessage() and record.name[0] == "w"]


def test_idle_half_requests_starve_nobody() -> None:
    """Even with more of them than the port has room for, health is answered within a few seconds."""
    with Server(Site("127.0.0.1", 0), Streams(), lambda: b"", "text/plain", SYSTEM) as server:
        halves = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(400)]
        for each in halves:
            each.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"http://127.0.0.1:{server.port}/healthz", timeout=10).status_code == 200
        for each in halves:
            each.close()


def test_the_port_answers_beyond_the_reach_of_select() -> None:
    """A process with many streams has more than 1,024 open files: the loop continues."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with Server(Site("127.0.0.1", 0), Streams(), lambda: b"", "text/plain", SYSTEM) as server:
            for _ in range(3):
                with httpx.Client(trust_env=False) as client:
                    assert client.get(f"http://127.0.0.1:{server.port}/healthz", timeout=10).status_code == 200
            assert server.alive
    finally:
        for each in opened:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("line", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9.9\r\n\r\n", b"G" * 300_000])
def test_nonsense_adds_no_line_to_the_log(line: bytes) -> None:
    """Whoever can reach the port cannot fill the log."""
    stream = io.StringIO()
    logs.configure(stream, json=True, level="info", secrets=[])
    with Server(Site("127.0.0.1", 0), Streams(), lambda: b"", "text/plain", SYSTEM) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection, contextlib.suppress(OSError):
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"http://127.0.0.1:{server.port}/healthz").status_code == 200
    logs.configure(io.StringIO(), json=True, level="info", secrets=[])
    assert stream.getvalue() == ""
